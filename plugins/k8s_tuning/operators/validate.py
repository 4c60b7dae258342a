"""D30 as a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning.errors import InputError
from k8s_tuning.operators.bundles import is_true
from k8s_tuning.operators.stage import StageOperator
from k8s_tuning.stages.validate.plan import (
    K8sExecutionPlanner,
    K8sJobValidator,
    generate_execution_plan_text,
    validation_exit_code,
)


class ValidateJobsOperator(StageOperator):
    """Checks every manifest in `jobs_dir`; fails, without a retry, where one is invalid. Returns the counts."""

    template_fields = ("jobs_dir", "strict")

    def __init__(self, *, jobs_dir: str, strict: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.jobs_dir = jobs_dir
        self.strict = strict

    def run_stage(self, context: Context) -> Any:
        validator = K8sJobValidator(strict_mode=is_true(self.strict, "strict"))
        plan = K8sExecutionPlanner(validator).plan_from_directory(self.jobs_dir)
        self.report(generate_execution_plan_text(plan))
        if validation_exit_code(plan):
            first = plan.errors[0] if plan.errors else "there is no manifest"
            raise InputError(
                f"{plan.invalid_jobs} of {plan.total_jobs} manifests in {self.jobs_dir} are invalid: {first}"
            )
        return {"total_jobs": plan.total_jobs, "valid_jobs": plan.valid_jobs, "warnings": len(plan.warnings)}
