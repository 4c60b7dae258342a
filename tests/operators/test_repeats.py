"""Clearing tasks and running them again: no record twice, no alert twice; and what broke is pending, not lost."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException
from tests.servers import recording_server, status

from k8s_tuning import plain_values
from k8s_tuning.operators.alert import ChooseAlertsOperator, PlanAlertsOperator, SendAlertOperator
from k8s_tuning.operators.history import RecordHistoryOperator
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.history.store import K8sHealthHistoryStore

WHERE = ("trading-bots", "app=arbitrage-tuning")


class Run:
    """One DAG run's tasks from the record on, as often as one likes."""

    def __init__(self, folder, run_id, level=HealthLevel.ERROR, **channel):
        dag_run = SimpleNamespace(dag_id="k8s_tuning_pipeline", run_id=run_id)
        self.context = {"dag": SimpleNamespace(dag_id="k8s_tuning_pipeline"), "dag_run": dag_run}
        self.history = folder / "health.jsonl"
        self.level, self.channel = level, channel
        self.alerting = str(folder / "alerting.yaml")
        Path(self.alerting).write_text("route: {receiver: x}\nreceivers: [{name: x}]\nallowed_connections: [hook]\n")
        self.at = "2025-11-16T10:00:00Z"

    def record(self):
        reasons = [] if self.level is HealthLevel.OK else ["job_failed"]
        phase = "SUCCEEDED" if self.level is HealthLevel.OK else "FAILED"
        job = K8sJobHealth("arb-tuning-a", WHERE[0], phase, 0, 1, 0, self.level, reasons, {})
        health = K8sHealthSnapshot(*WHERE, [job], [], self.level, self.at)
        operator = RecordHistoryOperator(task_id="record_history", health=plain_values.dump(health))
        return operator.execute(self.context)

    def plan(self, record):
        operator = PlanAlertsOperator(
            task_id="plan_alerts", records=record, events=None,
            alerts={"alerting_config": self.alerting, "alerts_enabled": True, **self.channel},
        )  # fmt: skip
        return operator.execute(self.context)

    def send(self, planned):
        return SendAlertOperator(task_id="send_alerts", planned=planned).execute(self.context)

    def everything(self):
        return [self.send(planned) for planned in self.plan(self.record())]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))


@pytest.fixture
def hook(monkeypatch):
    with recording_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({"conn_type": "http", "password": f"{server.url}/s3cr3t"}))
        yield server


WEBHOOK = {"channel_type": "generic_webhook", "channel_conn_id": "hook"}


def test_a_run_whose_tasks_all_run_again_records_once_and_tells_once(tmp_path, hook):
    run = Run(tmp_path, "run-1", **WEBHOOK)
    assert [outcome["outcome"] for outcome in run.everything()] == ["sent"]
    run.everything()
    assert len(hook.calls) == 1
    assert len(K8sHealthHistoryStore(run.history).load_recent()) == 1


@pytest.mark.parametrize(
    ("first", "then", "titles"),
    [
        (HealthLevel.OK, HealthLevel.ERROR, ["CRITICAL"]),
        (HealthLevel.OK, HealthLevel.WARN, ["WARN"]),
        (HealthLevel.WARN, HealthLevel.ERROR, ["WARN", "CRITICAL"]),
    ],
    ids=["OK, then ERROR", "OK, then WARN", "WARN, then ERROR"],
)
def test_a_run_that_is_cleared_and_finds_it_worse_records_and_tells_that_once(tmp_path, hook, first, then, titles):
    run = Run(tmp_path, "run-1", first, **WEBHOOK)
    run.everything()
    run.level, run.at = then, "2025-11-16T10:30:00Z"
    for _ in range(2):
        run.everything()
    assert [record.overall_health for record in K8sHealthHistoryStore(run.history).load_recent()] == [first, then]
    assert [json.loads(call.body)["severity"] for call in hook.calls] == titles


def test_a_run_that_is_cleared_hours_later_and_finds_the_same_tells_nothing_again(tmp_path, hook):
    run = Run(tmp_path, "run-1", **WEBHOOK)
    run.everything()
    run.at = "2025-11-16T19:00:00Z"
    run.everything()
    assert len(hook.calls) == 1
    assert len(K8sHealthHistoryStore(run.history).load_recent()) == 1


def test_a_send_that_runs_again_sends_nothing(tmp_path, hook):
    run = Run(tmp_path, "run-1", **WEBHOOK)
    (planned,) = run.plan(run.record())
    assert [run.send(planned)["outcome"] for _ in range(3)] == ["sent", "already_sent", "already_sent"]
    assert len(hook.calls) == 1


def test_what_failed_fails_its_task_and_a_retry_of_the_task_sends_it(tmp_path, hook):
    hook.script(status(404))
    run = Run(tmp_path, "run-1", **WEBHOOK)
    (planned,) = run.plan(run.record())
    with pytest.raises(AirflowException, match="pending, and sent with the next run") as failed:
        run.send(planned)
    assert "s3cr3t" not in str(failed.value)
    assert run.send(planned)["outcome"] == "sent"


def test_health_ok_plans_nothing_and_suppresses(tmp_path):
    run = Run(tmp_path, "run-1", HealthLevel.OK)
    assert run.plan(run.record()) == []
    for planned, goes_to in (([], "suppress"), ([{}], "send")):
        choose = ChooseAlertsOperator(
            task_id="choose_alerts", planned=planned, send_task_id="send", suppress_task_id="suppress"
        )
        assert choose.choose_branch({}) == goes_to


def test_no_secret_is_in_what_goes_to_xcom_or_to_the_volume(tmp_path, hook):
    run = Run(tmp_path, "run-1", **WEBHOOK)
    planned = run.plan(run.record())
    outcome = run.send(planned[0])
    assert hook.calls[0].path == "/s3cr3t"
    kept = "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))
    assert "s3cr3t" not in json.dumps([planned, outcome]) + kept
