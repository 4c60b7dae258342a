"""From the API's pods to D32's facts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.pod_reading import (
    LogWanted,
    log_lines,
    logs_wanted,
    owner_uids,
    pod_status,
    usage_by_pod,
)
from k8s_tuning.stages.monitor.snapshot import K8sPodCondition

START = "2025-11-16T10:00:00Z"


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, **more}


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
        (b"a\x00b \xff\n", ["a␀b �"]),
        ("one line\x85still it\n".encode(), ["one line⟨U+0085⟩still it"]),
        (b"1\n2\n3\n4\n", ["2", "3", "4"]),
    ],
)
def test_log_bytes_become_lines(body: bytes, lines: list[str]) -> None:
    assert log_lines(body, 3 if body.startswith(b"1") else 100) == lines


def named(name: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, **more}


def test_containers_come_in_the_order_of_the_spec_with_what_they_are() -> None:
    """The kubelet sorts statuses by name."""
    raw = pod([named("istio-proxy", {"running": {"startedAt": START}}, ready=True), named("tuning", CRASHED)])
    raw["spec"] = {
        "restartPolicy": "OnFailure",
        "initContainers": [{"name": "fetch"}, {"name": "agent", "restartPolicy": "Always"}],
        "containers": [{"name": "tuning"}, {"name": "istio-proxy", "restartPolicy": "Never"}],
    }
    raw["status"]["initContainerStatuses"] = [
        named("agent", {"running": {}}, started=False),
        named("fetch", {"terminated": {"exitCode": 0, "startedAt": START, "finishedAt": START}}),
    ]
    fetch, agent, tuning, proxy = pod_status(raw).containers
    assert [(c.name, c.kind, c.state, c.restart_policy) for c in (fetch, agent, tuning, proxy)] == [
        ("fetch", "init", "terminated", "OnFailure"),
        ("agent", "sidecar", "running", "Always"),
        ("tuning", "container", "terminated", "OnFailure"),
        ("istio-proxy", "container", "running", "Never"),
    ]
    assert (fetch.started_at, fetch.exit_code, agent.started) == (START, 0, False)
    assert (proxy.running_since, proxy.ready, proxy.exit_code) == (START, True, None)


def test_a_container_that_runs_again_tells_of_the_run_before() -> None:
    last = {"terminated": {"exitCode": 3, "startedAt": START, "finishedAt": START}}
    (status,) = pod_status(pod([container({"running": {"startedAt": START}}, last, 1)])).containers
    assert (status.state, status.exit_code, status.finished_at) == ("running", 3, START)


def test_a_pod_tells_of_its_disruption_and_deletion() -> None:
    taint = condition(
        "DisruptionTarget",
        reason="DeletionByTaintManager",
        message="Taint manager: deleting due to NoExecute taint",
        lastTransitionTime=START,
    )
    raw = pod([], conditions=[condition("PodScheduled"), condition("Ready", "False", lastTransitionTime=START), taint])
    raw["metadata"] |= {"deletionTimestamp": START, "deletionGracePeriodSeconds": 30}
    status = pod_status(raw)
    assert (status.deleted_at, status.deletion_grace_seconds) == (START, 30)
    assert status.conditions == [
        K8sPodCondition("Ready", "False", None, None, START),
        K8sPodCondition("DisruptionTarget", "True", taint["reason"], taint["message"], START),
    ]


def test_of_a_pod_that_has_ended_only_its_disruption_is_kept() -> None:
    said = [condition("Ready", "False", reason="PodFailed"), condition("DisruptionTarget"), condition("X", "False")]
    assert [c.type for c in pod_status(pod([], "Failed", conditions=said)).conditions] == ["DisruptionTarget"]
    assert pod_status(pod([], conditions=[condition("DisruptionTarget", "False")])).conditions == []


@pytest.mark.parametrize(
    ("spec", "reason", "gates"),
    [
        ({"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}, {}]}, "SchedulingGated", 1),
        ({}, "SchedulingGated", 1),
        ({}, "Unschedulable", 0),
    ],
    ids=["named", "only the condition says so", "no gate"],
)
def test_a_gated_pod_is_held_and_not_unschedulable(spec: dict[str, Any], reason: str, gates: int) -> None:
    raw = pod(None, "Pending", conditions=[condition("PodScheduled", "False", reason=reason)])
    raw["spec"] = spec
    status = pod_status(raw)
    assert len(status.scheduling_gates) == gates
    assert (status.unschedulable is None) == bool(gates)


@pytest.mark.parametrize(
    ("metadata", "index"),
    [
        ({"annotations": {"batch.kubernetes.io/job-completion-index": "12"}}, 12),
        ({"labels": {"batch.kubernetes.io/job-completion-index": "0"}}, 0),
        ({"labels": {"batch.kubernetes.io/job-completion-index": "²"}}, None),
        ({}, None),
    ],
)
def test_an_indexed_jobs_pod_says_its_index(metadata: dict[str, Any], index: int | None) -> None:
    assert pod_status({"metadata": metadata}).completion_index == index


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
                    "reason",
                    "finalizers",
                    "schedulingGates",
                    "initContainers",
                    "uncountedTerminatedPods",
                    "template",
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
