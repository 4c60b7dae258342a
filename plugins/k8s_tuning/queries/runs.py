"""The names of DAG runs, and the journal of pipeline runs."""

from __future__ import annotations

from k8s_tuning.queries.job_models import PipelineResult
from k8s_tuning.queries.view_models import RunRef
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord


def run_ref(run_id: str | None) -> RunRef | None:
    """A run as history, ledger and sessions name it, `DAG_ID/RUN_ID`; None for anything else (a CLI's record)."""
    dag_id, slash, rest = (run_id or "").partition("/")
    return RunRef(dag_id=dag_id, run_id=rest) if slash and dag_id and rest else None


def run_name(dag_id: str, run_id: str) -> str:
    """The name that history, ledger and sessions have for it."""
    return f"{dag_id}/{run_id}"


def pipeline_result(record: K8sPipelineRunRecord) -> PipelineResult:
    """One line of the journal."""
    return PipelineResult(
        ended_at=record.timestamp,
        mode=record.mode,
        exit_code=record.exit_code,
        health=record.health_status.value if record.health_status else None,
        stage_seconds=record.stage_seconds,
    )
