"""From the API's objects to D32's facts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.stages.job_reading import (
    LogWanted,
    job_status,
    job_times,
    log_lines,
    logs_wanted,
    owner_uids,
    pod_status,
    usage_by_pod,
)

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
        pytest.param(job(startTime=START), "UNKNOWN", id="started, and nothing to show for it"),
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


def pod(statuses: list[dict[str, Any]] | None = None, phase: str = "Running", **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": phase, **more}
    if statuses is not None:
        status["containerStatuses"] = statuses
    return {
        "metadata": {"name": "p", "namespace": "n", "ownerReferences": [{"kind": "Job", "uid": "u-1"}]},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c"}, {"name": "sidecar"}]},
        "status": status,
    }


def container(state: dict[str, Any], last: dict[str, Any] | None = None, restarts: int = 0) -> dict[str, Any]:
    return {"name": "c", "state": state, "lastState": last or {}, "restartCount": restarts}


WAITING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
CRASHED = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "m", "finishedAt": START}}


def test_a_container_that_waits_after_a_crash_tells_of_both() -> None:
    status = pod_status(pod([container(WAITING, CRASHED, 4)])).containers[0]
    assert (status.waiting_reason, status.waiting_message, status.restart_count) == ("CrashLoopBackOff", "back-off", 4)
    assert (status.terminated_reason, status.exit_code, status.finished_at) == ("OOMKilled", 137, START)


def test_init_containers_are_containers_too() -> None:
    raw = pod([container({"waiting": {"reason": "PodInitializing"}})], "Pending")
    raw["status"]["initContainerStatuses"] = [{**container(CRASHED), "name": "init"}]
    assert [c.name for c in pod_status(raw).containers] == ["init", "c"]


def test_a_pod_without_container_statuses_has_none() -> None:
    evicted = pod_status(pod(None, "Failed", reason="Evicted", message="The node was low on memory."))
    assert (evicted.phase, evicted.reason, evicted.containers) == ("Failed", "Evicted", [])
    assert evicted.cpu_millicores is None


def test_an_unschedulable_pod_says_why() -> None:
    why = condition("PodScheduled", "False", reason="Unschedulable", message="0/2 nodes: Insufficient cpu")
    assert pod_status(pod(None, "Pending", conditions=[why])).unschedulable == "0/2 nodes: Insufficient cpu"
    assert pod_status(pod(None, "Pending", conditions=[condition("PodScheduled")])).unschedulable is None


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        pytest.param(pod([container({"running": {}})]), [("c", False)], id="running"),
        pytest.param(pod([container(CRASHED)], "Failed"), [("c", False)], id="ended"),
        pytest.param(pod([container({"running": {}}, CRASHED, 1)]), [("c", False), ("c", True)], id="after a restart"),
        pytest.param(pod([container(WAITING, CRASHED, 1)]), [("c", True)], id="waits for its restart"),
        pytest.param(pod([container({"waiting": {"reason": "ImagePullBackOff"}})], "Pending"), [], id="never started"),
        pytest.param(pod(None, "Pending"), [], id="pending without statuses"),
        pytest.param(pod(None, "Failed"), [("c", False), ("sidecar", False)], id="failed without statuses"),
        pytest.param({"metadata": {"name": "p"}, "spec": {}, "status": {}}, [], id="on no node"),
    ],
)
def test_logs_are_asked_for_where_there_can_be_some(raw: dict[str, Any], wanted: list[tuple[str, bool]]) -> None:
    assert logs_wanted(raw) == [LogWanted("p", name, previous) for name, previous in wanted]


def test_owners_are_known_by_uid() -> None:
    assert owner_uids(pod()) == {"u-1"}
    assert owner_uids({"metadata": {"ownerReferences": [{"kind": "Job"}, None]}}) == set()


def usage(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "containers": [{"usage": c} for c in containers]}


@pytest.mark.parametrize(
    ("entry", "used"),
    [
        (usage({"cpu": "250m", "memory": "64Mi"}, {"cpu": "1", "memory": "1Ki"}), (1250, 64 * 2**20 + 1024)),
        (usage({"cpu": "12345678n", "memory": "1"}), (13, 1)),
        (usage({"cpu": "100m"}), (100, None)),
        (usage({"cpu": "100m", "memory": "1Mi"}, {"cpu": "odd", "memory": "1Mi"}), (None, 2 * 2**20)),
        (usage(), (None, None)),
    ],
)
def test_usage_is_summed_over_containers_and_absent_where_it_is_not_known(
    entry: dict[str, Any], used: tuple[int | None, int | None]
) -> None:
    assert usage_by_pod([entry]) == {"p": used}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo", ["one", "two"]),
        (b"one\n\ntwo\n\n", ["one", "", "two", ""]),
        ("안녕 🚀\n".encode(), ["안녕 🚀"]),
        (b"a\x00b \xff\n", ["a�b �"]),
        ("one line\x85still it\n".encode(), ["one line\x85still it"]),
        (b"1\n2\n3\n4\n", ["2", "3", "4"]),
    ],
)
def test_log_bytes_become_lines(body: bytes, lines: list[str]) -> None:
    assert log_lines(body, 3 if body.startswith(b"1") else 100) == lines


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metadata",
                    "spec",
                    "status",
                    "conditions",
                    "name",
                    "containerStatuses",
                    "state",
                    "terminated",
                    "waiting",
                    "labels",
                    "active",
                    "ownerReferences",
                    "startTime",
                    "usage",
                    "containers",
                    "lastState",
                    "nodeName",
                    "phase",
                    "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "containers"]), odd))
def test_no_object_is_too_odd_to_be_read(raw: dict[str, Any]) -> None:
    assert job_status(raw, [raw]).phase in {"PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN"}
    logs_wanted(raw)
    owner_uids(raw)
    usage_by_pod([raw])


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
def test_a_jobs_times_are_told_whether_it_ended_well_or_not(
    raw: dict[str, Any], times: tuple[str | None, str | None]
) -> None:
    assert job_times(job_status(raw)) == times
