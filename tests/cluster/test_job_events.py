"""D32's events of Jobs that do not run, from servers of either age and from one that misbehaves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal
from tests.clusters import Cluster, job_manifest

from k8s_tuning.cluster import job_events
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot

SELECTOR = "app=arbitrage-tuning"
START, NOW = "2025-11-16T10:00:00Z", "2025-11-16T11:00:00Z"


def job(name: str, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": f"uid-{name}", "creationTimestamp": START}
    return {"metadata": metadata, "spec": {"completions": 1, "parallelism": 1}, "status": status}


def pod(of: str, name: str, phase: str = "Pending", **spec: Any) -> dict[str, Any]:
    owner = {"kind": "Job", "uid": f"uid-{of}"}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": START, "ownerReferences": [owner]},
        "spec": {"nodeName": "node-7", "containers": [{"name": "c"}], **spec},
        "status": {"phase": phase},
    }


def event(kind: str, name: str, reason: str, message: str, uid: str | None = "", **more: Any) -> dict[str, Any]:
    """As the Job controller and the kubelet write them; `uid`: None for an event that has none."""
    about = {"kind": kind, "name": name, "namespace": "n", "uid": f"uid-{name}" if uid == "" else uid}
    when = {"firstTimestamp": START, "lastTimestamp": "2025-11-16T10:50:00Z", "count": 12}
    return {
        "metadata": {"name": f"{name}.{reason}", "managedFields": [{}]},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": about,
        **(more or when),
    }


class Namespace:
    """Answers as the API does; `events` to whoever asks, whatever the field selector."""

    def __init__(self, jobs: list[Any], pods: list[Any], events: list[Any]) -> None:
        self.lists = {"jobs": page("Job", jobs), "pods": page("Pod", pods), "events": page("Event", events)}

    def __call__(self, request: Request) -> Answer:
        return self.lists.get(request.path.rpartition("/")[2], Answer(b"404 page not found", 404))


@pytest.fixture
def access(api: ApiDouble, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), connect_seconds=0.5, read_seconds=0.5, retry_seconds=0.3)


def load(access: ClusterAccess) -> K8sMonitorSnapshot:
    return K8sJobMonitor("n", SELECTOR, access=access, max_log_lines=0, now=lambda: NOW).load_snapshot()


def causes(snapshot: K8sMonitorSnapshot) -> dict[str, str | None]:
    return {one.job_name: one.cause for one in K8sHealthEvaluator().evaluate(snapshot).jobs_health}


QUOTA = 'Error creating: pods "x" is forbidden: exceeded quota: compute'
OLD = {"firstTimestamp": START, "lastTimestamp": "2025-11-16T10:50:00Z", "count": 12}
NEW = {
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": "2025-11-16T10:00:00.123456Z",
    "series": {"count": 12, "lastObservedTime": "2025-11-16T10:50:00.000001Z"},
}


@pytest.mark.parametrize("status", [{}, {"startTime": START, "ready": 0}], ids=["1.20", "1.36"])
@pytest.mark.parametrize("when", [OLD, NEW], ids=["timestamps", "series alone"])
@pytest.mark.parametrize("uid", ["", None], ids=["by uid", "by name"])
def test_refused_pods_read_alike_on_every_server(
    status: dict[str, Any], when: dict[str, Any], uid: str | None, api: ApiDouble, access: ClusterAccess
) -> None:
    api.answer = Namespace([job("a", **status)], [], [event("Job", "a", "FailedCreate", QUOTA, uid, **when)])
    snapshot = load(access)
    (found,) = K8sHealthEvaluator().evaluate(snapshot).jobs_health
    assert (found.phase, found.health, found.reasons) == ("PENDING", "ERROR", ["pods_refused"])
    assert QUOTA in (found.cause or "")
    (kept,) = snapshot.jobs[0].events
    assert (kept.count, kept.raw, snapshot.errors) == (12, {}, [])
    assert f"FailedCreate (Job a): {QUOTA}" in generate_monitor_report_text(snapshot)


def test_events_of_others_and_of_an_earlier_object_of_that_name_are_left_out(
    api: ApiDouble, access: ClusterAccess
) -> None:
    api.answer = Namespace(
        [job("a"), job("b", startTime=START, active=1)],
        [pod("b", "b-1", "Running")],
        [
            event("Job", "a", "FailedCreate", "of before", "uid-older"),
            event("Job", "b", "FailedCreate", "runs by now"),
            event("Job", "z", "FailedCreate", "a stranger's"),
            event("Node", "a", "NodeNotReady", "no Job"),
        ],
    )
    assert [one.events for one in load(access).jobs] == [[], []]


def test_waiting_pods_and_their_claims_are_joined_to_the_job(api: ApiDouble, access: ClusterAccess) -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "ticks"}}, {"name": "tmp", "ephemeral": {}}]
    api.answer = Namespace(
        [job("a", startTime=START, active=1), job("b", startTime=START, active=1), job("c", startTime=START, active=1)],
        [pod("a", "a-1"), pod("b", "b-1", nodeName=None, volumes=volumes), pod("c", "c-1", nodeName=None)],
        [
            event("Pod", "a-1", "FailedMount", 'secret "keys" not found'),
            event("PersistentVolumeClaim", "ticks", "ProvisioningFailed", 'storageclass "fast" not found'),
            event("Pod", "c-1", "FailedScheduling", "0/2 nodes are available", **NEW),
        ],
    )
    snapshot = load(access)
    assert snapshot.jobs[1].pods[0].claims == ["ticks", "b-1-tmp"]
    assert causes(snapshot) == {
        "a": 'pod a-1 has not started: FailedMount: secret "keys" not found',
        "b": 'no node takes pod b-1: ProvisioningFailed: storageclass "fast" not found',
        "c": "no node takes pod c-1: FailedScheduling: 0/2 nodes are available",
    }


def test_a_cluster_whose_jobs_run_is_not_asked(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a", startTime=START, active=1)], [pod("a", "a-1", "Running")], [])
    load(access)
    assert not [request for request in api.requests if request.path.endswith("/events")]


def test_without_the_right_to_events_the_snapshot_says_so(api: ApiDouble, access: ClusterAccess) -> None:
    """The reason is not known then: that is no silence."""
    namespace = Namespace([job("a")], [], [])
    namespace.lists["events"] = refusal(403, 'events is forbidden: User "u" cannot list resource "events"', "Forbidden")
    api.answer = namespace
    snapshot = load(access)
    assert len(snapshot.errors) == 1
    assert snapshot.errors[0].startswith("events not read: ")
    assert "events" in snapshot.errors[0].partition("grant it")[2]
    assert K8sHealthEvaluator().evaluate(snapshot).overall_health == "WARN"


def test_a_server_that_keeps_no_events_is_no_error(api: ApiDouble, access: ClusterAccess) -> None:
    """Another implementation of the API, or a proxy before it, may have none."""
    namespace = Namespace([job("a")], [], [])
    del namespace.lists["events"]
    api.answer = namespace
    assert load(access).errors == []


def test_a_flood_of_events_is_bounded_and_reported(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_events, "MOST_EVENTS_READ", 50)
    flood = [event("Job", "a", "FailedCreate", QUOTA * 100)] + [event("Job", "z", "FailedCreate", "x")] * 99
    api.answer = Namespace([job("a")], [], flood)
    snapshot = load(access)
    assert snapshot.errors == ["events not read: namespace n has more than 50; the others are left out"]
    assert [len(one.message) for one in snapshot.jobs[0].events] == [1000]


def test_a_job_keeps_its_newest_events(api: ApiDouble, access: ClusterAccess) -> None:
    flood = [event("Job", "a", f"r{number}", "x", lastTimestamp=f"2025-11-16T10:{number // 60:02}:{number % 60:02}Z")
             for number in range(300)]  # fmt: skip
    api.answer = Namespace([job("a")], [], flood)
    kept = load(access).jobs[0].events
    assert (len(kept), kept[0].reason, kept[-1].reason) == (100, "r200", "r299")


@pytest.mark.parametrize("odd", [None, 7, "x", [], {"involvedObject": 3}, {"involvedObject": {"kind": "Job"}}])
def test_an_odd_event_is_no_event(odd: Any, api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a")], [], [odd, event("Job", "a", "FailedCreate", QUOTA)])
    assert [one.reason for one in load(access).jobs[0].events] == ["FailedCreate"]


def test_a_job_with_a_service_account_that_is_not_there_says_so(cluster: Cluster) -> None:
    if cluster.sandbox is not None:
        # It has no service accounts: its scenario refuses the pods, as the API server would.
        why = f'error looking up service account {cluster.namespace}/x: serviceaccount "nobody-made-it" not found'
        cluster.scenario([{"match": cluster.job("refused"), "outcome": "pods-refused", "message": why}])
    manifest = job_manifest(cluster.job("refused"))
    manifest["metadata"]["labels"] = {"app": "arbitrage-tuning", "session_id": cluster.tag}
    manifest["spec"]["template"]["spec"]["serviceAccountName"] = "nobody-made-it"
    with cluster.client() as http:
        http.post(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs", json=manifest).raise_for_status()
    monitor = K8sJobMonitor(cluster.namespace, f"session_id={cluster.tag}", str(cluster.kubeconfig))

    def refused() -> str | None:
        health = K8sHealthEvaluator().evaluate(monitor.load_snapshot()).jobs_health[0]
        return health.cause if health.reasons == ["pods_refused"] else time.sleep(0.5)

    assert 'serviceaccount "nobody-made-it" not found' in (cluster.wait(refused) or "")
