"""The health monitor's targets as a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning.operators.stage import StageOperator
from k8s_tuning.stages.targets import load_targets


class LoadTargetsOperator(StageOperator):
    """Reads targets.yaml; returns a list of mappings: what each target's mapped tasks take.

    The whole configuration goes to XCom too (key `config`): what the run began with holds to its end.
    """

    template_fields = ("targets_file",)

    def __init__(self, *, targets_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.targets_file = targets_file

    def run_stage(self, context: Context) -> Any:
        config = load_targets(self.targets_file)
        self.report(f"{len(config.targets)} target(s): {', '.join(target.name for target in config.targets)}")
        context["ti"].xcom_push(key="config", value=config.model_dump())
        where = {"name", "namespace", "label_selector", "kubernetes_conn_id"}
        return [target.model_dump(include=where) for target in config.targets]
