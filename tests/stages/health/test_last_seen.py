"""D33: an expected Job that the cluster does not have any more is what it was last seen to be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, K8sHealthSnapshot, generate_health_report_text
from k8s_tuning.stages.health.last_seen import LastSeen, with_ends
from k8s_tuning.stages.health.policy import HealthPolicy
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot

NOW, JUST_NOW, LONG_AGO = "2025-11-16T10:10:00Z", "2025-11-16T10:09:58Z", "2025-11-16T09:00:00Z"
KILLED = LastSeen("FAILED", ["oom_killed"], "container tuning was OOM-killed (exit code 137)", 137, failed=1)


def judged(last: LastSeen | None, **more: object) -> K8sHealthSnapshot:
    fields = {"jobs_listed": True} | more
    snapshot = K8sMonitorSnapshot("trading-bots", "app=arbitrage-tuning", [], [], NOW, **fields)  # type: ignore[arg-type]
    known = {"a": last} if last else {}
    return K8sHealthEvaluator().evaluate(snapshot, ["a"], known)


@pytest.mark.parametrize(
    ("last", "phase", "health", "reasons", "words"),
    [
        pytest.param(LastSeen("SUCCEEDED", succeeded=1), "SUCCEEDED", "OK", [], None, id="it had succeeded"),
        pytest.param(KILLED, "FAILED", "ERROR", ["oom_killed"], "OOM-killed (exit code 137)", id="it had failed"),
        pytest.param(LastSeen("FAILED"), "FAILED", "ERROR", ["job_failed"], "before anybody asked why", id="unasked"),
        pytest.param(LastSeen("RUNNING", ttl_seconds=5, alive_at=LONG_AGO), "GONE", "WARN", ["gone"],
                     "its TTL of 5 s was over before anybody looked", id="its TTL was over"),
        pytest.param(LastSeen("UNSEEN", ttl_seconds=0, alive_at=NOW), "GONE", "WARN", ["gone"],
                     "its TTL of 0 s was over before anybody looked", id="removed as it ended"),
        pytest.param(LastSeen("GONE", ttl_seconds=5, alive_at=LONG_AGO), "GONE", "WARN", ["gone"], "5 s", id="known"),
        pytest.param(LastSeen("RUNNING", ttl_seconds=5, alive_at=JUST_NOW), "MISSING", "ERROR", ["missing"],
                     "no longer has it", id="deleted before its TTL could be over"),
        pytest.param(LastSeen("RUNNING", alive_at=LONG_AGO), "MISSING", "ERROR", ["missing"], "no longer", id="no TTL"),
        pytest.param(None, "MISSING", "ERROR", ["missing"], "no longer has it", id="nothing is known"),
    ],
)  # fmt: skip
def test_a_job_that_is_not_there_any_more(
    last: LastSeen | None, phase: str, health: str, reasons: list[str], words: str | None
) -> None:
    found = judged(last)
    (job,) = found.jobs_health
    assert (job.phase, job.health, job.reasons) == (phase, health, reasons)
    assert found.overall_health == health
    assert (words in (job.cause or "")) if words else job.cause is None
    assert phase in generate_health_report_text(found)


def test_its_exit_code_counts_and_labels_are_those_that_were_seen() -> None:
    (job,) = judged(replace(KILLED, labels={"worker_id": "일꾼"})).jobs_health
    assert (job.exit_code, job.failed, job.labels) == (137, 1, {"worker_id": "일꾼"})


def test_where_the_jobs_cannot_be_listed_nothing_is_gone() -> None:
    found = judged(KILLED, jobs_listed=False, errors=["Jobs not read: 403"])
    assert found.jobs_health == []
    assert "not known whether these Jobs are still there: a" in found.errors


def test_the_levels_are_the_users() -> None:
    policy = HealthPolicy.from_mapping({"reasons": {"gone": "ERROR"}}, "health.yaml")
    snapshot = K8sMonitorSnapshot("trading-bots", "", [], [], NOW, jobs_listed=True)
    last = {"a": LastSeen("RUNNING", ttl_seconds=5, alive_at=LONG_AGO)}
    assert K8sHealthEvaluator(policy=policy).evaluate(snapshot, ["a"], last).overall_health == "ERROR"


def test_a_wait_that_saw_an_end_is_believed_where_the_file_missed_it() -> None:
    known = {"a": LastSeen("RUNNING", labels={"x": "y"}), "b": KILLED, "d": LastSeen("GONE")}
    ends = with_ends(known, {"succeeded": ["a"], "failed": ["b", "c"], "waiting": ["d"]})
    assert ends == {
        "a": LastSeen("SUCCEEDED", labels={"x": "y"}),
        "b": KILLED,
        "c": LastSeen("FAILED"),
        "d": known["d"],
    }
