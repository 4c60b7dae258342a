"""The summary of every target at midnight, and the history's clean-up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG, Param

from k8s_tuning.operators.history import ReportHistoryOperator
from k8s_tuning.operators.retries import STAGE_RETRIES

CONFIGS = Path(__file__).resolve().parents[1] / "include" / "configs"

with DAG(
    dag_id="k8s_history_report",
    description="Summary of every target's health, and retention of the history",
    schedule="0 0 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=STAGE_RETRIES,
    params={
        "history_file": Param(None, "Stays empty: set $K8S_TUNING_HISTORY_DIR.", type=["null", "string"], maxLength=0),
        "targets_file": Param(str(CONFIGS / "targets.yaml"), "Where retention is set.", type="string", minLength=1),
    },
    tags=["k8s-tuning"],
    doc_md="Logs each target's summary, then drops records past the retention of `include/configs/targets.yaml`.",
) as dag:
    ReportHistoryOperator(
        task_id="report_history",
        targets_file="{{ params.targets_file }}",
        doc_md="**D34** Summary (XCom) and retention of history, ledger, snapshots, sessions and handed-over files.",
    )
