"""The monitor's alerts about its own targets: one without a record, one that left, another cluster's namesake."""

import json
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from tests.airflow_runs import ROOT
from tests.servers import recording_server

from k8s_tuning import plain_values, timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.operators.alert import PlanAlertsOperator, ReportMonitorOperator, SendAlertOperator
from k8s_tuning.operators.generate import GenerateJobsOperator
from k8s_tuning.operators.history import RecordHistoryOperator
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth

DAG = "k8s_health_monitor"


@pytest.fixture
def hook(monkeypatch, tmp_path):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    with recording_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({"conn_type": "http", "password": f"{server.url}/s3cr3t"}))
        yield server


class Monitor:
    """Runs of the monitor from the record on, over the targets that each run began with."""

    def __init__(self, server):
        self.server, self.runs = server, 0

    def run(self, watched, levels):
        """`watched`: names; `levels`: of those that were recorded. What the webhook got, by its title and target."""
        self.runs += 1
        dag_run = SimpleNamespace(dag_id=DAG, run_id=f"run-{self.runs}")
        context = {"dag": SimpleNamespace(dag_id=DAG), "dag_run": dag_run}
        targets = [
            {"name": name, "namespace": "trading-bots", "label_selector": "app=a", "kubernetes_conn_id": f"conn-{name}"}
            | {"channel_type": "generic_webhook", "channel_conn_id": "hook"}
            for name in watched
        ]
        records = [self.record(context, name, level) for name, level in levels.items()]
        self.planned = PlanAlertsOperator(
            task_id="plan_alerts", records=records, events=None, watched={"targets": targets},
            alerts={"alerting_config": str(ROOT / "include/configs/alerting.yaml"), "alerts_enabled": True},
        ).execute(context)  # fmt: skip
        before = len(self.server.calls)
        for one in self.planned:
            SendAlertOperator(task_id="send", planned=one).execute(context)
        return sorted(
            (call.json()["title"].partition(": ")[2], call.json()["incident"]["target"], call.json()["text"])
            for call in self.server.calls[before:]
        )

    def record(self, context, name, level):
        job = K8sJobHealth("arb-tuning-a", "trading-bots", "FAILED", 0, 1, 0, HealthLevel(level), ["job_failed"], {})
        jobs = [] if level == "OK" else [job]
        health = K8sHealthSnapshot(
            "trading-bots", "app=a", jobs, [], HealthLevel(level), timestamps.now(), cluster=f"conn-{name}"
        )
        return RecordHistoryOperator(task_id="record_history", health=plain_values.dump(health), target=name).execute(
            context
        )


def test_a_target_without_a_record_in_this_run_is_reported_and_resolved_by_one_that_has_it(hook):
    monitor = Monitor(hook)
    assert monitor.run(["east", "west"], {"east": "OK", "west": "OK"}) == []
    [(title, target, text)] = monitor.run(["east", "west"], {"east": "OK"})
    assert (title, target) == ("CRITICAL – k8s_health_monitor/west", "k8s_health_monitor/west")
    assert "DAG run k8s_health_monitor/run-2: target west has no record" in text
    [(title, target, _)] = monitor.run(["east", "west"], {"east": "OK", "west": "OK"})
    assert (title, target) == ("RESOLVED – k8s_health_monitor/west", "k8s_health_monitor/west")


def test_the_incidents_of_a_target_that_left_are_resolved_as_no_longer_watched(hook):
    """Its own, and those of the watch over it; another cluster's namesake keeps its incident."""
    monitor = Monitor(hook)
    assert [title for title, *_ in monitor.run(["east", "west"], {"east": "ERROR", "west": "ERROR"})] == [
        "CRITICAL – trading-bots",
        "CRITICAL – trading-bots",
    ]
    assert len(monitor.run(["east", "west"], {"east": "ERROR"})) == 1
    said = monitor.run(["east"], {"east": "ERROR"})
    assert [(title, target) for title, target, _ in said] == [
        ("RESOLVED – k8s_health_monitor/west", "k8s_health_monitor/west"),
        ("RESOLVED – trading-bots", "west"),
    ]
    assert all("no longer watched" in text for *_, text in said)
    assert monitor.run(["east"], {"east": "ERROR"}) == [], "once"


@pytest.mark.parametrize(
    ("records", "states", "said"),
    [
        ([{"target": "east"}], {}, "no record of west"),
        (
            [{"target": "east"}, None],
            {"target.record_history": "failed"},
            "no record of west; these tasks failed: target",
        ),
        ([{"target": "east"}, {"target": "west"}], {"send_alerts": "failed"}, "these tasks failed: send_alerts"),
        ([], {}, "no record of east, west"),
    ],
    ids=["left out", "failed", "all recorded, nobody notified", "none"],
)
def test_the_run_fails_where_a_target_has_no_record_or_a_task_broke(records, states, said):
    rows = [{"task_id": name, "state": state} for name, state in states.items()]
    ti = SimpleNamespace(dag_id=DAG, run_id="r", task_id="report", get_task_breadcrumbs=lambda **_: rows)
    targets = [{"name": "east"}, {"name": "west"}]
    operator = ReportMonitorOperator(task_id="report", targets=targets, records=records)
    with pytest.raises(AirflowFailException, match=said):
        operator.execute({"ti": ti})


def test_a_run_with_a_record_of_every_target_succeeds():
    rows = [{"task_id": "suppress_alerts", "state": "skipped"}]
    ti = SimpleNamespace(dag_id=DAG, run_id="r", task_id="report", get_task_breadcrumbs=lambda **_: rows)
    operator = ReportMonitorOperator(task_id="report", targets=[{"name": "east"}], records=[{"target": "east"}])
    assert operator.execute({"ti": ti}) == {"targets": 1}


def test_a_param_that_says_another_namespace_than_the_session_is_refused(tmp_path):
    session = ROOT / "include/configs/d29-k8s-demo-session.yaml"
    operator = GenerateJobsOperator(
        task_id="generate_jobs", session_config=str(session), session_id="s", namespace="elsewhere",
        output_dir=str(tmp_path / "jobs"),
    )  # fmt: skip
    context = {"dag_run": SimpleNamespace(run_id="r", run_after=timestamps.to_datetime(timestamps.now()))}
    with pytest.raises((InputError, AirflowFailException), match=r"the param namespace is 'elsewhere', but .* says"):
        operator.execute(context)
    assert not (tmp_path / "jobs").exists()
