"""From the API's objects to D32's facts."""

from __future__ import annotations

from typing import Any

import pytest

from k8s_tuning.stages.monitor.job_reading import job_status, job_times

START = "2025-11-16T10:00:00Z"


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, **more}


def job(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "j", "namespace": "n"}, "spec": spec or {}, "status": status}


@pytest.mark.parametrize(
    ("raw", "phase"),
    [
        pytest.param(job(), "PENDING", id="no status at all"),
        pytest.param(job(active=0), "PENDING", id="no start time"),
        pytest.param(job(startTime=START, active=1), "RUNNING", id="active"),
        pytest.param(job(startTime=START, active=1, failed=1), "RUNNING", id="a retry is not a failure"),
        pytest.param(
            job({"completions": 3}, startTime=START, active=1, succeeded=1), "RUNNING", id="1 of 3 completions, active"
        ),
        pytest.param(job({"completions": 3}, startTime=START, succeeded=1), "RUNNING", id="1 of 3, between two pods"),
        pytest.param(job({"completions": 3}, startTime=START, succeeded=3), "SUCCEEDED", id="3 of 3"),
        pytest.param(job(startTime=START, succeeded=1), "SUCCEEDED", id="completions unsaid"),
        pytest.param(
            job({"backoffLimit": 0}, startTime=START, failed=1), "FAILED", id="no retry left, condition to come"
        ),
        pytest.param(
            job({"backoffLimit": 6}, startTime=START, failed=1), "RUNNING", id="the retry waits for its back-off"
        ),
        pytest.param(job(startTime=START, failed=1), "FAILED", id="nothing says that it is retried"),
        pytest.param(job(startTime=START), "PENDING", id="started, and no pod yet"),
        pytest.param(
            job(startTime=START, ready=0, terminating=0, uncountedTerminatedPods={}), "PENDING", id="new, on 1.36"
        ),
        pytest.param(
            job({"backoffLimit": 6}, startTime=START, failed=2, active=0, ready=0, terminating=0),
            "RUNNING",
            id="between two attempts on 1.36",
        ),
        pytest.param(job(startTime=START, active="one"), "UNKNOWN", id="a count that is no number"),
        pytest.param({"metadata": {"name": "j"}, "status": "lost"}, "UNKNOWN", id="a status that is no object"),
        pytest.param(job({"suspend": True}, startTime=START, active=1), "PENDING", id="just suspended"),
        pytest.param(job({"suspend": True}, conditions=[condition("Complete")]), "SUCCEEDED", id="suspended too late"),
        pytest.param(job({"parallelism": 3}, startTime=START, active=2, succeeded=1), "RUNNING", id="a work queue"),
        pytest.param(
            job({"completions": 4}, startTime=START, succeeded=1, conditions=[condition("Complete")]),
            "SUCCEEDED",
            id="successPolicy: 1 of 4 is enough",
        ),
        pytest.param(
            job(startTime=START, uncountedTerminatedPods={"succeeded": ["u"]}), "RUNNING", id="a pod not counted yet"
        ),
        pytest.param(job(startTime=START, conditions=[condition("Complete")], active=1), "SUCCEEDED", id="Complete"),
        pytest.param(
            job(startTime=START, conditions=[condition("Failed")], active=1, succeeded=1), "FAILED", id="Failed"
        ),
        pytest.param(
            job(startTime=START, conditions=[condition("Failed", "False")], active=1), "RUNNING", id="not Failed"
        ),
        pytest.param(
            job(startTime=START, conditions=[condition("FailureTarget")], active=1), "FAILED", id="FailureTarget"
        ),
        pytest.param(
            job(startTime=START, conditions=[condition("SuccessCriteriaMet")], active=1),
            "SUCCEEDED",
            id="SuccessCriteria",
        ),
        pytest.param(job(startTime=START, conditions=[condition("Suspended")]), "PENDING", id="Suspended"),
    ],
)
def test_the_phase_follows_the_conditions_first_then_the_counts(raw: dict[str, Any], phase: str) -> None:
    assert job_status(raw).phase == phase


def test_what_newer_servers_say_of_a_job_is_read() -> None:
    raw = job(
        {
            "parallelism": 2,
            "backoffLimit": 6,
            "suspend": True,
            "managedBy": "kueue.x-k8s.io/multikueue",
            "successPolicy": {"rules": [{"succeededCount": 1}]},
            "template": {"spec": {"containers": [{"name": "tuning"}, {"name": "log"}, {}]}},
        },
        ready=1,
        terminating=0,
        uncountedTerminatedPods={"succeeded": ["a"], "failed": ["b", "c"]},
        completedIndexes="0,2",
        failedIndexes="1,3-5",
    )
    raw["metadata"] |= {"deletionTimestamp": START, "finalizers": ["foregroundDeletion"]}
    status = job_status(raw)
    assert (status.parallelism, status.backoff_limit, status.suspended) == (2, 6, True)
    assert (status.managed_by, status.has_success_policy) == ("kueue.x-k8s.io/multikueue", True)
    assert status.template_containers == ["tuning", "log"]
    assert (status.ready, status.terminating, status.uncounted) == (1, 0, 3)
    assert (status.completed_indexes, status.failed_indexes) == ("0,2", "1,3-5")
    assert (status.deleted_at, status.finalizers) == (START, ["foregroundDeletion"])
    older = job_status(job(active=1))
    assert (older.ready, older.terminating, older.suspended, older.deleted_at) == (None, None, False, None)


def test_a_job_is_read_whole() -> None:
    raw = job(
        {"completions": 2, "backoffLimit": 0},
        startTime=START,
        completionTime="2025-11-16T10:05:00Z",
        succeeded=1,
        failed=1,
        conditions=[condition("Failed", reason="BackoffLimitExceeded", message="Job has reached the limit 한계")],
    )
    raw["metadata"] |= {"labels": {"app": "a"}, "annotations": {"x": "🚀"}, "uid": "u-1", "creationTimestamp": START}
    status = job_status(raw, [{"metadata": {"name": "p", "namespace": "n"}, "status": {"phase": "Failed"}}])
    assert (status.job_name, status.namespace, status.uid, status.created_at) == ("j", "n", "u-1", START)
    assert (status.completions, status.succeeded, status.failed, status.active) == (2, 1, 1, 0)
    assert (status.start_time, status.completion_time) == (START, "2025-11-16T10:05:00Z")
    assert (status.labels, status.annotations) == ({"app": "a"}, {"x": "🚀"})
    assert (status.condition_reason, status.condition_message) == (
        "BackoffLimitExceeded",
        "Job has reached the limit 한계",
    )
    assert [pod.pod_name for pod in status.pods] == ["p"]


END = "2025-11-16T10:05:00Z"


@pytest.mark.parametrize(
    ("raw", "times"),
    [
        pytest.param(job(), (None, None), id="not started"),
        pytest.param(job(startTime=START, active=1), (START, None), id="running"),
        pytest.param(
            job(startTime=START, completionTime=END, conditions=[condition("Complete", lastTransitionTime=START)]),
            (START, END),
            id="succeeded",
        ),
        pytest.param(
            job(startTime=START, conditions=[condition("Failed", lastTransitionTime=END)]),
            (START, END),
            id="failed: no completionTime, but a condition",
        ),
        pytest.param(
            job({"backoffLimit": 0}, startTime=START, failed=1), (START, None), id="failed, and the condition to come"
        ),
        pytest.param(
            job(startTime=START, conditions=[condition("Suspended", lastTransitionTime=END)]),
            (START, None),
            id="suspended is no end",
        ),
        pytest.param(
            job(startTime="2025-11-16T19:00:00.5+09:00", conditions=[condition("Failed", lastTransitionTime="soon")]),
            (START, None),
            id="another zone, and no time at all",
        ),
    ],
)
def test_a_jobs_times_are_known_whether_it_ended_well_or_not(
    raw: dict[str, Any], times: tuple[str | None, str | None]
) -> None:
    assert job_times(job_status(raw)) == times
