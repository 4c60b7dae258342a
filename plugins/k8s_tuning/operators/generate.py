"""D29 as a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning import plain_values
from k8s_tuning.operators.stage import StageOperator
from k8s_tuning.stages.generate.jobs import generate_summary_text
from k8s_tuning.usecases.generate_session import generate_session


class GenerateJobsOperator(StageOperator):
    """Writes a session's Job manifests into `output_dir`; returns K8sGenerateResult.

    `session_id`: "" makes the run a session of its own. `namespace`: where somebody thinks that the Jobs go; InputError
    where the configuration says another, "" for the configuration's.
    """

    template_fields = ("session_config", "output_dir", "session_id", "namespace")

    def __init__(
        self, *, session_config: str, output_dir: str, session_id: str = "", namespace: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.session_config = session_config
        self.output_dir = output_dir
        self.session_id = session_id
        self.namespace = namespace

    def run_stage(self, context: Context) -> Any:
        dag_run = context["dag_run"]
        result = generate_session(
            self.session_config,
            self.output_dir,
            session_id=self.session_id or None,
            started_at=dag_run.run_after,
            namespace=self.namespace,
            namespace_param="the param namespace",
            run_id=dag_run.run_id,
        )
        self.report(generate_summary_text(result))
        return plain_values.dump(result)
