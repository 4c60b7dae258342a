"""A marked test alert through one receiver of alerting.yaml, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG, Param

from k8s_tuning.operators.alert import SendAlertOperator
from k8s_tuning.operators.retries import STAGE_RETRIES
from k8s_tuning.operators.smoke import PlanSmokeTestOperator, ReportOutcomesOperator

CONFIGS = Path(__file__).resolve().parents[1] / "include" / "configs"

with DAG(
    dag_id="k8s_alert_smoke_test",
    description="A test alert through one receiver: does it reach a person?",
    schedule=None,
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={**STAGE_RETRIES, "retries": 0},
    params={
        "receiver": Param("console", "A receiver of include/configs/alerting.yaml.", type="string", minLength=1),
        "message": Param("Test alert: please ignore.", "What it says.", type="string", maxLength=500),
        "alerts_enabled": Param(False, "Really send. Off: the logs show the bytes that would go.", type="boolean"),
    },
    tags=["k8s-tuning"],
    doc_md="Sends a marked test alert to every channel of one receiver, a task a channel. Dry run by default.",
) as dag:
    plan = PlanSmokeTestOperator(
        task_id="plan_smoke_test",
        receiver="{{ params.receiver }}",
        message="{{ params.message }}",
        alerts={
            "channel_type": "routes",
            "alerting_config": str(CONFIGS / "alerting.yaml"),
            "alerts_enabled": "{{ params.alerts_enabled }}",
        },
        doc_md="A test alert for every channel of the receiver.",
    )
    send = SendAlertOperator.partial(
        task_id="send_alerts", map_index_template="{{ notice_name }}", doc_md="**D35** A task a channel."
    ).expand(planned=plan.output)
    ReportOutcomesOperator(
        task_id="report_outcomes",
        planned=plan.output,
        sent=send.output,
        trigger_rule="all_done",
        doc_md="How each channel ended.",
    )
