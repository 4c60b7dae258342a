"""Recording and reporting as tasks: the snapshot and the sessions that are kept for the health page, and removed."""

from types import SimpleNamespace

import pytest
import yaml
from airflow.sdk.exceptions import AirflowException
from tests.operators.test_stage import CONTEXT

from k8s_tuning import plain_values, timestamps
from k8s_tuning.operators.history import RecordHistoryOperator, ReportHistoryOperator
from k8s_tuning.stages.events.snapshot import K8sEvent, K8sEventSnapshot
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.history.latest import LatestSnapshot, LatestStore
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot, K8sPodLog, K8sPodStatus
from k8s_tuning.stages.sessions.session import SessionJob, TuningSession
from k8s_tuning.stages.sessions.store import SessionStore

WHERE = ("trading-bots", "app=arbitrage-tuning")
AT = "2025-11-16T10:10:00Z"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))


def record(at=AT, context=CONTEXT, **more):
    """One record of a Job that failed, as the tasks before it hand it over."""
    pod = K8sPodStatus("arb-tuning-a-x7k2p", WHERE[0], "Failed", node="node-1")
    labels = {"app": "arbitrage-tuning", "session_id": "s-1"}
    job = K8sJobStatus("arb-tuning-a", WHERE[0], labels, 1, 0, 1, 0, "FAILED", "2025-11-16T10:00:00Z", pods=[pod])
    log = K8sPodLog(pod.pod_name, WHERE[0], "tuning", ["메모리 부족 💥"])
    snapshot = K8sMonitorSnapshot(*WHERE, [job], [log], at, jobs_listed=True)
    events = [K8sEvent("Warning", "BackoffLimitExceeded", "m", "Job", job.job_name, WHERE[0])]
    given = {
        "health": plain_values.dump(K8sHealthEvaluator().evaluate(snapshot)),
        "snapshot": plain_values.dump(snapshot),
        "events": plain_values.dump(K8sEventSnapshot(*WHERE, events, at)),
    }
    operator = RecordHistoryOperator(task_id="record_history", target="demo", **given | more)
    operator.execute(context)
    return operator


def test_the_look_is_kept_with_what_the_pods_said(tmp_path):
    operator = record()
    look = LatestStore(tmp_path / "looks").read(*WHERE)
    assert (look.timestamp, look.run_id, look.target) == (AT, "d/r", "demo")
    (job,) = look.jobs
    assert (job.logs[0].lines, job.nodes, job.events[0].reason) == (
        ["메모리 부족 💥"],
        ["node-1"],
        "BackoffLimitExceeded",
    )
    assert operator.health_page.endswith("/target?namespace=trading-bots&selector=app%3Darbitrage-tuning")


def test_a_record_that_is_repeated_late_hides_no_newer_look(tmp_path):
    record(at="2025-11-16T10:20:00Z", context={**CONTEXT, "dag_run": SimpleNamespace(run_id="later")})
    record()
    assert LatestStore(tmp_path / "looks").read(*WHERE).run_id == "d/later"


def test_the_snapshot_is_taken_into_the_sessions_that_it_shows(tmp_path):
    store = SessionStore(tmp_path / "sessions")
    jobs = [SessionJob(name, labels={"app": app}) for name, app in (("arb-tuning-a", "arbitrage-tuning"), ("b", "x"))]
    store.applied(TuningSession(WHERE[0], "s-1", "d/other", "2025-11-16T10:00:00Z", jobs=jobs))
    record()
    (session,) = store.list()
    assert [(job.phase, job.started_at) for job in session.jobs] == [
        ("FAILED", "2025-11-16T10:00:00Z"),
        ("UNSEEN", None),  # the target's selector would not show it
    ]


def test_without_snapshot_and_events_the_health_alone_is_kept(tmp_path):
    record(snapshot=None, events=None)
    (job,) = LatestStore(tmp_path / "looks").read(*WHERE).jobs
    assert (job.phase, job.logs, job.events) == ("FAILED", [], [])


def test_a_look_that_cannot_be_written_fails_the_try_and_the_record_stands(tmp_path):
    (tmp_path / "looks").write_text("a file, not a folder")
    with pytest.raises(AirflowException, match=r"looks: cannot be locked: .*; the shared volume"):
        record()
    assert len(K8sHealthHistoryStore(tmp_path / "health.jsonl").load_recent()) == 1


def test_retention_lets_go_of_looks_and_sessions_too(tmp_path, monkeypatch):
    target = {"name": "t", "namespace": WHERE[0], "label_selector": WHERE[1]}
    (tmp_path / "targets.yaml").write_text(yaml.safe_dump({"targets": [target], "retention": {"max_age_days": 30}}))
    looks, sessions = LatestStore(tmp_path / "looks"), SessionStore(tmp_path / "sessions")
    for name, at in (("old", AT), ("new", timestamps.now())):
        looks.keep(LatestSnapshot(WHERE[0], f"app={name}", at))
        sessions.applied(TuningSession(WHERE[0], name, None, at))
    operator = ReportHistoryOperator(task_id="report", targets_file=str(tmp_path / "targets.yaml"))
    said = []
    monkeypatch.setattr(operator, "report", said.append)
    done = operator.execute(CONTEXT)
    assert (done["dropped_looks"], done["dropped_sessions"]) == (1, 1)
    assert "1 look(s), 1 tuning session(s)" in said[-1]
    assert looks.read(WHERE[0], "app=new") is not None
    assert [session.session_id for session in sessions.list()] == ["new"]
