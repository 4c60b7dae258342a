"""D32 to D35 for every target, every five minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Param, task_group

from k8s_tuning.notifications import K8sTuningNotifier
from k8s_tuning.operators.alert import (
    ChooseAlertsOperator,
    PlanAlertsOperator,
    ReportMonitorOperator,
    SendAlertOperator,
    SuppressAlertsOperator,
)
from k8s_tuning.operators.events import CollectEventsOperator
from k8s_tuning.operators.health import EvaluateHealthOperator
from k8s_tuning.operators.history import RecordHistoryOperator
from k8s_tuning.operators.monitor import MonitorJobsOperator
from k8s_tuning.operators.retries import STAGE_RETRIES
from k8s_tuning.operators.targets import LoadTargetsOperator

CONFIGS = Path(__file__).resolve().parents[1] / "include" / "configs"

with DAG(
    dag_id="k8s_health_monitor",
    description="Health of every target: watch, evaluate, record, alert",
    schedule="*/5 * * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    on_failure_callback=K8sTuningNotifier(reasons=["run_overdue"], alerting_config=str(CONFIGS / "alerting.yaml")),
    default_args={**STAGE_RETRIES, "retries": 1},
    params={
        "alerts_enabled": Param(False, "Send alerts. Off: the logs show what would go.", type="boolean"),
        "targets_file": Param(str(CONFIGS / "targets.yaml"), "What is watched.", type="string", minLength=1),
    },
    tags=["k8s-tuning"],
    doc_md=(
        "Checks every target in `include/configs/targets.yaml`, each in its own mapped tasks: a cluster that cannot "
        "be read is that target's WARN, and hides no other. Set the param `alerts_enabled`'s default, or "
        "trigger with it, to really send."
    ),
) as dag:
    targets = LoadTargetsOperator(
        task_id="load_targets", targets_file="{{ params.targets_file }}", doc_md="Reads targets.yaml."
    )

    # A target that hangs (a network that swallows packets) holds up the others' alerts for no longer than this.
    IN_TIME = {"execution_timeout": timedelta(minutes=2), "retry_delay": timedelta(seconds=10)}

    @task_group(group_id="target", default_args=IN_TIME)
    def check(name, namespace, label_selector, kubernetes_conn_id):
        """One target: D32 to D34."""
        cluster = {"namespace": namespace, "label_selector": label_selector, "kubernetes_conn_id": kubernetes_conn_id}
        monitor = MonitorJobsOperator(
            task_id="monitor_jobs", cluster=cluster, doc_md="**D32** Reads Jobs, pods and logs."
        )
        health = EvaluateHealthOperator(
            task_id="evaluate_health",
            snapshot=monitor.output,
            policy_file=str(CONFIGS / "health.yaml"),
            doc_md="**D33** OK, WARN or ERROR.",
        )
        events = CollectEventsOperator(
            task_id="collect_events", health=health.output, cluster=cluster, doc_md="**D34** The most telling events."
        )
        record = RecordHistoryOperator(
            task_id="record_history",
            health=health.output,
            snapshot=monitor.output,
            events=events.output,
            target=name,
            doc_md="**D34** One line in the history for what the run found, and the latest snapshot of the page.",
        )
        health >> events >> record

    checks = check.expand_kwargs(targets.output)
    plan = PlanAlertsOperator(
        task_id="plan_alerts",
        records=dag.get_task("target.record_history").output,
        events=dag.get_task("target.collect_events").output,
        watched=targets.output["config"],
        alerts={"alerting_config": str(CONFIGS / "alerting.yaml"), "alerts_enabled": "{{ params.alerts_enabled }}"},
        trigger_rule="all_done",
        doc_md="**D35** Decides what is to be said of which target, and of targets that went unwatched.",
    )
    choose = ChooseAlertsOperator(
        task_id="choose_alerts",
        planned=plan.output,
        send_task_id="send_alerts",
        suppress_task_id="suppress_alerts",
        doc_md="Sends, or suppresses while health is OK and nothing is pending.",
    )
    send = SendAlertOperator.partial(
        task_id="send_alerts", map_index_template="{{ notice_name }}", doc_md="**D35** A task a channel."
    ).expand(planned=plan.output)
    suppress = SuppressAlertsOperator(task_id="suppress_alerts", doc_md="Nothing was to be said.")
    report = ReportMonitorOperator(
        task_id="report",
        targets=targets.output,
        records=dag.get_task("target.record_history").output,
        trigger_rule="all_done",
        doc_md="Fails the run where a target has no record in it, or another task failed.",
    )
    checks >> plan >> choose >> [send, suppress] >> report
