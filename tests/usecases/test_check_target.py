"""One check of a target: what is remembered of Jobs that are gone, and what is kept of the check."""

from __future__ import annotations

from pathlib import Path

from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthEvaluator
from k8s_tuning.stages.history.latest import LatestStore
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot
from k8s_tuning.stages.sessions.session import SeenJob, SessionJob, TuningSession
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.check_target import judge, record_check

AT = "2025-11-16T10:10:00Z"


def snapshot(*names: str, at: str = AT) -> K8sMonitorSnapshot:
    jobs = [K8sJobStatus(name, "n", {"app": "x", "session_id": "s"}, 1, 0, 0, 1, "RUNNING", AT) for name in names]
    return K8sMonitorSnapshot("n", "app=x", jobs, [], at, jobs_listed=True)


def applied(state: StateDir, *names: str) -> SessionStore:
    store = SessionStore(state.sessions)
    jobs = [SessionJob(name, labels={"app": "x"}) for name in names]
    store.applied(TuningSession("n", "s", "d/r", "2025-11-16T10:00:00Z", jobs=jobs))
    return store


def test_a_job_that_is_gone_is_what_its_session_or_the_wait_saw_of_it(tmp_path: Path) -> None:
    sessions = applied(StateDir(tmp_path), "kept", "waited", "never-seen")
    sessions.seen("n", "s", {"kept": SeenJob("FAILED"), "waited": SeenJob("RUNNING")}, AT)
    names = ["there", "kept", "waited", "never-seen"]
    health = judge(K8sHealthEvaluator(), snapshot("there"), sessions, names, {"succeeded": ["waited"]})
    assert {job.job_name: job.phase for job in health.jobs_health} == {
        "there": "RUNNING",
        "kept": "FAILED",
        "waited": "SUCCEEDED",
        "never-seen": "MISSING",
    }


def test_without_sessions_nothing_is_remembered() -> None:
    health = judge(K8sHealthEvaluator(), snapshot(), expected=["a"])
    assert [(job.phase, job.health) for job in health.jobs_health] == [("MISSING", HealthLevel.ERROR)]


def test_a_check_is_a_line_of_the_history_the_latest_snapshot_and_the_sessions_progress(tmp_path: Path) -> None:
    state = StateDir(tmp_path, "mine.jsonl")
    sessions = applied(state, "a")
    found = snapshot("a")
    health = judge(K8sHealthEvaluator(), found)
    record, is_newest = record_check(state, health, found, None, run_id="d/r", target="t")
    assert (record.run_id, record.target, is_newest) == ("d/r", "t", True)
    assert [one.timestamp for one in K8sHealthHistoryStore(tmp_path / "mine.jsonl").load_recent()] == [AT]
    latest = LatestStore(tmp_path / "looks").read("n", "app=x")
    assert latest is not None
    assert [job.job_name for job in latest.jobs] == ["a"]
    assert [(job.phase, job.seen_at) for session in sessions.list() for job in session.jobs] == [("RUNNING", AT)]


def test_a_check_that_is_recorded_late_is_not_the_newest(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    for at, newest in (("2025-11-16T10:20:00Z", True), (AT, False)):
        found = snapshot("a", at=at)
        assert record_check(state, judge(K8sHealthEvaluator(), found), found, None, run_id=at)[1] is newest
