"""D33 as a task: what the session's file and the wait remember of Jobs that are not there any more."""

from types import SimpleNamespace

import pytest

from k8s_tuning import plain_values
from k8s_tuning.operators.health import EvaluateHealthOperator
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.sessions.session import SeenJob, SessionJob, TuningSession
from k8s_tuning.stages.sessions.store import SessionStore

APPLIED, NOW = "2025-11-16T10:00:00Z", "2025-11-16T11:00:00Z"
CONTEXT = {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="evaluate_health", map_index=-1, try_number=1)}
KILLED = SeenJob("FAILED", APPLIED, NOW, ["oom_killed"], "container tuning was OOM-killed (exit code 137)", 137)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))


@pytest.fixture
def sessions(tmp_path):
    store = SessionStore(tmp_path / "sessions")
    jobs = [
        SessionJob(name, ttl_seconds=ttl) for name, ttl in (("done", 5), ("killed", 5), ("unseen", 5), ("lost", None))
    ]
    store.applied(TuningSession("n", "s", None, APPLIED, jobs=jobs))
    store.seen("n", "s", {"done": SeenJob("SUCCEEDED"), "killed": KILLED}, "2025-11-16T10:30:00Z")


def evaluate(waited):
    snapshot = K8sMonitorSnapshot("n", "app=x", [], [], NOW, jobs_listed=True)
    task = EvaluateHealthOperator(task_id="evaluate_health", snapshot=plain_values.dump(snapshot), waited=waited)
    return {job["job_name"]: job for job in task.execute(CONTEXT)["jobs_health"]}


@pytest.mark.usefixtures("sessions")
def test_jobs_that_are_gone_are_what_they_were_seen_to_be():
    found = evaluate({"job_names": ["done", "killed", "unseen", "lost", "stranger"]})
    assert {name: (job["phase"], job["health"], job["reasons"]) for name, job in found.items()} == {
        "done": ("SUCCEEDED", "OK", []),
        "killed": ("FAILED", "ERROR", ["oom_killed"]),
        "unseen": ("GONE", "WARN", ["gone"]),
        "lost": ("MISSING", "ERROR", ["missing"]),
        "stranger": ("MISSING", "ERROR", ["missing"]),
    }
    assert found["killed"]["exit_code"] == 137


@pytest.mark.usefixtures("sessions")
def test_the_wait_names_what_was_applied_and_how_it_ended():
    found = evaluate({"job_names": ["a", "lost"], "succeeded": ["a"], "failed": [], "waiting": []})
    assert {name: job["phase"] for name, job in found.items()} == {"a": "SUCCEEDED", "lost": "MISSING"}


def test_the_wait_knows_where_no_file_was_written():
    found = evaluate({"job_names": ["a", "b"], "succeeded": ["a"], "failed": ["b"], "waiting": []})
    assert [job["phase"] for job in found.values()] == ["SUCCEEDED", "FAILED"]
