"""D29 to D36 as tasks; the operators in plugins/k8s_tuning/operators do the work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from k8s_tuning.notifications import K8sTuningNotifier
from k8s_tuning.operators.alert import (
    ChooseAlertsOperator,
    PlanAlertsOperator,
    SendAlertOperator,
    SuppressAlertsOperator,
)
from k8s_tuning.operators.apply import ApplyJobsOperator
from k8s_tuning.operators.events import CollectEventsOperator
from k8s_tuning.operators.generate import GenerateJobsOperator
from k8s_tuning.operators.health import EvaluateHealthOperator
from k8s_tuning.operators.history import RecordHistoryOperator
from k8s_tuning.operators.monitor import MonitorJobsOperator
from k8s_tuning.operators.pipeline import ReportPipelineOperator
from k8s_tuning.operators.retries import STAGE_RETRIES
from k8s_tuning.operators.validate import ValidateJobsOperator
from k8s_tuning.operators.wait import WaitForJobsOperator
from k8s_tuning.storage.state_dir import StateDir

CONFIGS = Path(__file__).resolve().parents[1] / "include" / "configs"
LABEL = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"

PARAMS = {
    "apply_enabled": Param(
        False, "Create the Jobs. Off: a dry run, which asks the server what it would refuse and changes nothing.",
        type="boolean", section="What may happen", title="Apply the Jobs",
    ),
    "alerts_enabled": Param(
        False, "Send alerts. Off: the log of send_alerts shows the bytes that would go.",
        type="boolean", section="What may happen", title="Send alerts",
    ),
    "apply_again": Param(
        False, "Create Jobs again that ran already and that the cluster has removed since.",
        type="boolean", section="What may happen", title="Run ended Jobs again",
    ),
    "strict_health": Param(
        False, "Let the run fail (exit code 1) on WARN too.", type="boolean", section="What may happen",
    ),
    "session_config": Param(
        str(CONFIGS / "d29-k8s-demo-session.yaml"), "The session's YAML file, as the workers see it.",
        type="string", minLength=1, section="Session",
    ),
    "session_id": Param(
        None, "Empty: the configuration's id followed by the run's date and time, a session of its own. An id that was "
        "applied before: its Jobs are left as they are.",
        type=["null", "string"], pattern=LABEL, section="Session",
    ),
    "jobs_dir": Param(
        None, "Where the manifests go. Empty: a folder a run, beside the history.", type=["null", "string"],
        section="Session",
    ),
    "strict_validation": Param(False, "Take D30's warnings for errors.", type="boolean", section="Session"),
    "namespace": Param(
        None, "Namespace of the Jobs. Empty: the session's, which holds: another one is refused.",
        type=["null", "string"], maxLength=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", section="Cluster",
    ),
    "label_selector": Param(
        "app=arbitrage-tuning", "Which Jobs are watched, in Kubernetes' syntax.", type="string", section="Cluster",
    ),
    "kubernetes_conn_id": Param(
        "kubernetes_default", "Airflow connection of type Kubernetes.", type="string", minLength=1, section="Cluster",
    ),
    "kubeconfig": Param(
        None, "A kubeconfig on the workers, instead of the connection.", type=["null", "string"], section="Cluster",
    ),
    "context": Param(
        None, "A context of the kubeconfig; empty for its current one.", type=["null", "string"], section="Cluster",
    ),
    "wait_seconds": Param(
        3600, "How long to wait, at most, for applied Jobs to end (seconds).", type="number", minimum=0,
        maximum=604800, section="Cluster",
    ),
    "history_file": Param(
        None, "Stays empty: set $K8S_TUNING_HISTORY_DIR in all of Airflow; the health page reads there, too.",
        type=["null", "string"], maxLength=0, section="History and alerts",
    ),
    "events_limit": Param(
        20, "How many events are kept, the most telling.", type="integer", minimum=1, maximum=1000,
        section="History and alerts",
    ),
    "history_limit": Param(
        20, "How many records record_history shows.", type="integer", minimum=1, maximum=1000,
        section="History and alerts",
    ),
    "channel_type": Param(
        "console", "Where alerts go: one channel, or 'routes' for include/configs/alerting.yaml.",
        enum=["console", "slack_webhook", "generic_webhook", "pagerduty", "alertmanager", "routes"],
        type="string", section="History and alerts",
    ),
    "channel_conn_id": Param(
        None, "The Airflow connection with the channel's secret (Slack, HTTP, PagerDuty).", type=["null", "string"],
        section="History and alerts",
    ),
    "webhook_url": Param(
        None, "Stays empty: params are stored and shown in clear. Put the URL into a connection's password and name it "
        "in channel_conn_id.",
        type=["null", "string"], maxLength=0, section="History and alerts",
    ),
}  # fmt: skip

CLUSTER = {
    # The session's; generate_jobs has refused a param that says another.
    "namespace": "{{ ti.xcom_pull('generate_jobs')['namespace'] }}",
    "label_selector": "{{ params.label_selector }}",
    "kubernetes_conn_id": "{{ params.kubernetes_conn_id }}",
    "kubeconfig": "{{ params.kubeconfig or '' }}",
    "context": "{{ params.context or '' }}",
}
ALERTS = {
    "alerting_config": str(CONFIGS / "alerting.yaml"),
    "channel_type": "{{ params.channel_type }}",
    "channel_conn_id": "{{ params.channel_conn_id or '' }}",
    "alerts_enabled": "{{ params.alerts_enabled }}",
}
JOBS_DIR = "{{ params.jobs_dir or '" + str(StateDir.default().jobs) + "/' ~ run_id }}"

with DAG(
    dag_id="k8s_tuning_pipeline",
    description="Tuning Jobs on Kubernetes: generate, validate, apply, watch, record, alert (dry run by default)",
    schedule="0 0 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    # Longer than the longest wait_seconds; shorten it to what your sessions take.
    dagrun_timeout=timedelta(days=8),
    on_failure_callback=K8sTuningNotifier(reasons=["run_overdue"], alerting_config=str(CONFIGS / "alerting.yaml")),
    default_args=STAGE_RETRIES,
    params=PARAMS,
    tags=["k8s-tuning"],
    doc_md=(
        "Runs one tuning session: D29 generate to D36 report. **Nothing is changed and nothing is sent** unless "
        "`apply_enabled` and `alerts_enabled` say so. The `report` task ends the run: exit code 0 succeeds; 1 (WARN, "
        "strict) and 2 (ERROR) mean that the Jobs are not OK; 3 that a stage itself broke, or that the Jobs could not "
        "be listed."
    ),
) as dag:
    generate = GenerateJobsOperator(
        task_id="generate_jobs",
        session_config="{{ params.session_config }}",
        session_id="{{ params.session_id or '' }}",
        namespace="{{ params.namespace or '' }}",
        output_dir=JOBS_DIR,
        doc_md="**D29** Writes the session's Job manifests, one a worker. Nothing is sent to a cluster.",
    )
    validate = ValidateJobsOperator(
        task_id="validate_jobs",
        jobs_dir=JOBS_DIR,
        strict="{{ params.strict_validation }}",
        doc_md="**D30** Checks every manifest: schema, names, labels, quantities, security. An invalid one ends it.",
    )
    apply = ApplyJobsOperator(
        task_id="apply_jobs",
        jobs_dir=JOBS_DIR,
        apply_enabled="{{ params.apply_enabled }}",
        apply_again="{{ params.apply_again }}",
        policy_file=str(CONFIGS / "apply.yaml"),
        doc_md="**D31** Server-side apply; a dry run unless `apply_enabled`. Never deletes, never overwrites.",
        cluster=CLUSTER,
    )
    wait = WaitForJobsOperator(
        task_id="wait_for_jobs",
        session_id="{{ ti.xcom_pull('generate_jobs')['session_id'] }}",
        applied=apply.output,
        wait_seconds="{{ params.wait_seconds }}",
        # Where the apply failed in part: what it did apply is waited for, watched, recorded and alerted all the same.
        trigger_rule="all_done_min_one_success",
        doc_md="Waits, deferred, until the applied Jobs have ended. Skipped on a dry run.",
        cluster=CLUSTER,
    )
    monitor = MonitorJobsOperator(
        task_id="monitor_jobs",
        trigger_rule="none_failed",
        doc_md="**D32** Reads Jobs, pods and logs. Read-only.",
        cluster=CLUSTER,
    )
    evaluate = EvaluateHealthOperator(
        task_id="evaluate_health",
        snapshot=monitor.output,
        waited=wait.output,
        policy_file=str(CONFIGS / "health.yaml"),
        trigger_rule="none_failed",
        doc_md="**D33** OK, WARN or ERROR, with a reason and a probable cause a Job.",
    )
    events = CollectEventsOperator(
        task_id="collect_events",
        events_limit="{{ params.events_limit }}",
        health=evaluate.output,
        doc_md="**D34** The selection's events, the most telling ones. Read-only.",
        cluster=CLUSTER,
    )
    record = RecordHistoryOperator(
        task_id="record_history",
        health=evaluate.output,
        snapshot=monitor.output,
        events=events.output,
        history_limit="{{ params.history_limit }}",
        doc_md="**D34** One line in the history for what the run found, and the latest snapshot of the page.",
    )
    plan = PlanAlertsOperator(
        task_id="plan_alerts",
        records=record.output,
        events=events.output,
        doc_md="**D35** Decides what is to be said to whom, and writes every decision into the ledger.",
        alerts=ALERTS,
    )
    choose = ChooseAlertsOperator(
        task_id="choose_alerts",
        planned=plan.output,
        send_task_id="send_alerts",
        suppress_task_id="suppress_alerts",
        doc_md="Sends, or suppresses while health is OK and nothing is pending.",
    )
    send = SendAlertOperator.partial(
        task_id="send_alerts",
        map_index_template="{{ notice_name }}",
        doc_md="**D35** A task a channel. Shows the bytes unless `alerts_enabled`.",
    ).expand(planned=plan.output)
    suppress = SuppressAlertsOperator(task_id="suppress_alerts", doc_md="Nothing was to be said.")
    report = ReportPipelineOperator(
        task_id="report",
        generated=generate.output,
        validated=validate.output,
        applied=apply.output,
        health=evaluate.output,
        record=record.output,
        sent=send.output,
        apply_enabled="{{ params.apply_enabled }}",
        strict_health="{{ params.strict_health }}",
        trigger_rule="all_done",
        doc_md="**D36** What the run did (XCom `result`), and its exit code.",
        alerts=ALERTS,
    )
    validate >> wait
    generate >> validate >> apply >> wait >> monitor >> evaluate >> events >> record >> plan >> choose
    choose >> [send, suppress] >> report
