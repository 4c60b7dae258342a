"""D32 on servers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import TOKEN, Answer, ApiDouble, Request, page, refusal, serving

from k8s_tuning.cluster import monitor as monitor_module
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.errors import ConfigError, InputError, SelectorError
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot

START = "2025-11-16T10:00:00Z"
SELECTOR = "app=arbitrage-tuning"
JOBS, PODS = "/apis/batch/v1/namespaces/n/jobs", "/api/v1/namespaces/n/pods"
METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/n/pods"


def job(name: str, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": f"uid-{name}", "labels": {"app": "arbitrage-tuning"}}
    return {"metadata": metadata, "spec": {"completions": 1}, "status": {"startTime": START, "active": 1, **status}}


def pod(of: str, name: str, state: dict[str, Any] | None = None, last: dict[str, Any] | None = None) -> dict[str, Any]:
    container = {
        "name": "c",
        "state": state or {"running": {}},
        "lastState": last or {},
        "restartCount": int(bool(last)),
    }
    return {
        "metadata": {"name": name, "namespace": "n", "ownerReferences": [{"kind": "Job", "uid": f"uid-{of}"}]},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "containerStatuses": [container]},
    }


class Namespace:
    """A small namespace; `logs` and `paths` answer in the place of the usual."""

    def __init__(self, jobs: list[dict[str, Any]], pods: list[dict[str, Any]]) -> None:
        self.jobs, self.pods = jobs, pods
        self.paths: dict[str, Answer] = {METRICS: Answer(b"404 page not found", 404)}
        self.log: Callable[[Request], Answer] = lambda request: Answer(b"one\ntwo\n")

    def __call__(self, request: Request) -> Answer:
        if request.path in self.paths:
            return self.paths[request.path]
        if request.path.endswith("/log"):
            return self.log(request)
        return page("Job", self.jobs) if request.path == JOBS else page("Pod", self.pods)


@pytest.fixture
def access(api: ApiDouble, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), connect_seconds=0.5, read_seconds=0.5, retry_seconds=0.3)


def load(access: ClusterAccess, **options: Any) -> K8sMonitorSnapshot:
    return K8sJobMonitor("n", SELECTOR, access=access, now=lambda: START, **options).load_snapshot()


def test_jobs_pods_and_logs_come_together(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a"), job("b")], [pod("a", "a-1"), pod("b", "b-1"), pod("b", "b-2"), pod("x", "x-1")])
    snapshot = load(access)
    assert (snapshot.namespace, snapshot.selector, snapshot.timestamp) == ("n", SELECTOR, START)
    assert snapshot.errors == []
    assert {j.job_name: [p.pod_name for p in j.pods] for j in snapshot.jobs} == {"a": ["a-1"], "b": ["b-1", "b-2"]}
    assert [(log.pod_name, log.container_name, log.lines) for log in snapshot.pods_logs] == [
        (name, "c", ["one", "two"]) for name in ("a-1", "b-1", "b-2")
    ]
    assert not any(log.truncated or log.previous for log in snapshot.pods_logs)


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, {"metadata": None, "status": {"active": 1}}])
def test_a_job_that_cannot_be_read_is_unknown_and_not_left_out(odd: Any, api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a"), odd], [])
    assert [(one.job_name, one.phase) for one in load(access).jobs][1] == ("", "UNKNOWN")


@pytest.mark.parametrize(
    ("dates", "server_time"),
    [
        (["Sun, 16 Nov 2025 10:00:07 GMT"], "2025-11-16T10:00:07Z"),
        (["Sun, 16 Nov 2025 10:00:07 GMT", "Sun, 16 Nov 2025 10:00:05 GMT"], "2025-11-16T10:00:07Z"),
        (["Sun, 16 Nov 2025 10:00:07 GMT", "soon"], "2025-11-16T10:00:07Z"),
        (["Sun, 16 Nov 99999999999 10:00:07 GMT"], None),
        ([""], None),
    ],
    ids=["one clock", "two replicas, the later clock", "one unreadable", "a year that is none", "no date"],
)
def test_the_servers_clock_comes_along(
    api: ApiDouble, access: ClusterAccess, dates: list[str], server_time: str | None
) -> None:
    whole = Namespace([job("a")], [pod("a", "a-1")])

    def answer(request: Request) -> Answer:
        given = whole(request)
        given.headers["Date"] = dates[0] if request.path == JOBS else dates[-1]
        return given

    api.answer = answer
    assert load(access, max_log_lines=0).server_time == server_time


def test_pods_without_labels_are_found_by_their_job(api: ApiDouble, access: ClusterAccess) -> None:
    """A Job's template may carry none of the Job's own labels; the owner reference tells whose pod it is."""

    def answer(request: Request) -> Answer:
        if request.path == PODS and request.query["labelSelector"] == SELECTOR:
            return page("Pod", [])
        return whole(request)

    whole = Namespace([job("a")], [pod("a", "a-1"), pod("other", "o-1")])
    api.answer = answer
    assert [p.pod_name for p in load(access).jobs[0].pods] == ["a-1"]


def test_every_pod_is_asked_for_once_where_labels_are_there(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a")], [pod("a", "a-1")])
    load(access)
    assert [r.query["labelSelector"] for r in api.requests if r.path == PODS] == [SELECTOR]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(401, "Unauthorized"), "expired or wrong token"),
        (refusal(403, "jobs.batch is forbidden"), "grant it with a Role in n"),
        (refusal(500, "etcd is away"), "etcd is away"),
        (refusal(429, "slow down"), "throttling"),
        (Answer(b"<html>", 200, {"Content-Type": "text/html"}), "web page"),
        (Answer(b"{"), "not a JSON object"),
        (Answer(raw=b""), "the connection broke"),
        (refusal(404, "the server could not find the requested resource"), "could not find"),
    ],
)
def test_a_cluster_that_cannot_be_read_is_never_an_empty_one(
    answer: Answer, words: str, api: ApiDouble, access: ClusterAccess
) -> None:
    """The known fault: an API server that was down read as health OK."""
    api.answer = lambda request: answer
    snapshot = load(access)
    assert snapshot.jobs == []
    assert len(snapshot.errors) == 1
    assert words in snapshot.errors[0]
    assert not snapshot.jobs_listed
    assert TOKEN not in repr(snapshot)


def test_pods_that_cannot_be_read_leave_the_jobs(api: ApiDouble, access: ClusterAccess) -> None:
    namespace = Namespace([job("a")], [])
    namespace.paths[PODS] = refusal(403, "pods is forbidden")
    api.answer = namespace
    snapshot = load(access)
    assert [j.job_name for j in snapshot.jobs] == ["a"]
    assert "pods not read" in snapshot.errors[0]
    assert snapshot.jobs_listed, "a Job that is not among them is gone, whatever the pods say"


@pytest.mark.parametrize("answer", [refusal(404, "pods not found"), refusal(400, "container is waiting to start")])
def test_a_log_that_is_not_there_is_no_error_and_hides_no_other(
    answer: Answer, api: ApiDouble, access: ClusterAccess
) -> None:
    namespace = Namespace([job("a")], [pod("a", "a-1"), pod("a", "a-2")])
    namespace.log = lambda request: answer if "a-1" in request.path else Answer(b"here\n")
    api.answer = namespace
    snapshot = load(access)
    assert [(log.pod_name, log.lines) for log in snapshot.pods_logs] == [("a-2", ["here"])]
    assert snapshot.errors == []


def test_a_log_that_fails_is_reported_and_hides_no_other(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("k8s_tuning.cluster.reader.LOG_PATIENCE", 0)
    namespace = Namespace([job("a")], [pod("a", "a-1"), pod("a", "a-2")])
    namespace.log = lambda request: refusal(500, "no route to node-1") if "a-1" in request.path else Answer(b"here\n")
    api.answer = namespace
    snapshot = load(access)
    assert [log.pod_name for log in snapshot.pods_logs] == ["a-2"]
    assert len(snapshot.errors) == 1
    assert all(word in snapshot.errors[0] for word in ("pod a-1", "container c", "no route to node-1"))


def test_a_thousand_refused_logs_are_one_error(api: ApiDouble, access: ClusterAccess) -> None:
    namespace = Namespace([job("a")], [pod("a", f"a-{i}") for i in range(200)])
    namespace.log = lambda request: refusal(403, "pods/log is forbidden")
    api.answer = namespace
    snapshot = load(access)
    assert 1 <= len(snapshot.errors) <= monitor_module.ERRORS_SHOWN + 1
    assert "pods/log" in snapshot.errors[0]
    assert sum(r.path.endswith("/log") for r in api.requests) <= monitor_module.LOGS_AT_ONCE


def test_the_run_before_a_restart_is_read_too(api: ApiDouble, access: ClusterAccess) -> None:
    crashed = {"terminated": {"exitCode": 1}}
    namespace = Namespace([job("a")], [pod("a", "a-1", {"running": {}}, crashed)])
    namespace.log = lambda request: Answer(b"died\n" if request.query.get("previous") == "true" else b"again\n")
    api.answer = namespace
    assert [(log.lines, log.previous) for log in load(access).pods_logs] == [(["again"], False), (["died"], True)]


def test_a_pod_that_has_not_started_is_not_asked_for_a_log(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a")], [pod("a", "a-1", {"waiting": {"reason": "ImagePullBackOff"}})])
    snapshot = load(access)
    assert (snapshot.pods_logs, snapshot.errors) == ([], [])
    assert snapshot.jobs[0].pods[0].containers[0].waiting_reason == "ImagePullBackOff"
    assert not any(r.path.endswith("/log") for r in api.requests)


def test_the_end_of_a_log_with_long_lines_is_kept(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limitBytes cuts the end off, as the kubelet does it; the last lines are what a reader wants."""
    monkeypatch.setattr(monitor_module, "LOG_BYTES", 1000)
    lines = [f"{i} ".encode() + b"x" * 200 for i in range(100)] + [b"fatal: out of money"]

    def log(request: Request) -> Answer:
        tail = b"\n".join(lines[-int(request.query["tailLines"]) :]) + b"\n"
        return Answer(tail[: int(request.query["limitBytes"])])

    namespace = Namespace([job("a")], [pod("a", "a-1")])
    namespace.log = log
    api.answer = namespace
    read = load(access).pods_logs[0]
    assert read.lines[-1] == "fatal: out of money"
    assert read.truncated


def test_one_endless_line_is_cut(api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "LOG_BYTES", 1000)
    namespace = Namespace([job("a")], [pod("a", "a-1")])
    namespace.log = lambda request: Answer("하".encode() * 5000)  # a server that knows no limitBytes at all
    api.answer = namespace
    read = load(access).pods_logs[0]
    assert len(read.lines) == 1
    assert len(read.lines[0]) <= 1000
    assert read.truncated


def test_no_log_lines_means_no_log_requests(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a")], [pod("a", "a-1")])
    assert load(access, max_log_lines=0).pods_logs == []
    assert not any(r.path.endswith("/log") for r in api.requests)


def test_usage_is_there_where_the_cluster_measures_it(api: ApiDouble, access: ClusterAccess) -> None:
    namespace = Namespace([job("a")], [pod("a", "a-1"), pod("a", "a-2")])
    usage = [{"usage": {"cpu": "250m", "memory": "64Mi"}}]
    namespace.paths[METRICS] = page("PodMetrics", [{"metadata": {"name": "a-1"}, "containers": usage}])
    api.answer = namespace
    first, second = load(access).jobs[0].pods
    assert (first.cpu_millicores, first.memory_bytes) == (250, 64 * 2**20)
    assert (second.cpu_millicores, second.memory_bytes) == (None, None)


@pytest.mark.parametrize("answer", [Answer(b"404 page not found", 404), refusal(403, "no"), refusal(503, "down")])
def test_usage_is_absent_where_it_is_not_measured_and_that_is_no_error(
    answer: Answer, api: ApiDouble, access: ClusterAccess
) -> None:
    namespace = Namespace([job("a")], [pod("a", "a-1")])
    namespace.paths[METRICS] = answer
    api.answer = namespace
    snapshot = load(access)
    assert snapshot.jobs[0].pods[0].cpu_millicores is None
    assert snapshot.errors == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"label_selector": "app in (a"}, SelectorError),
        ({"label_selector": "a==b==c"}, SelectorError),
        ({"namespace": "../kube-system"}, InputError),
        ({"max_log_lines": -1}, InputError),
        ({"kubeconfig": "/nowhere"}, ConfigError),
        ({"context": "nowhere"}, ConfigError),
    ],
)
def test_input_that_cannot_be_used_is_refused(
    arguments: dict[str, Any], kind: type[InputError], api: ApiDouble, tmp_path: Path
) -> None:
    given = {"namespace": "n", "label_selector": "", "kubeconfig": api.kubeconfig(tmp_path), **arguments}
    with pytest.raises(kind):
        K8sJobMonitor(**given).load_snapshot()
    assert api.requests == []


def test_it_works_inside_a_running_event_loop(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace([job("a")], [])

    async def inside() -> tuple[K8sMonitorSnapshot, K8sMonitorSnapshot]:
        monitor = K8sJobMonitor("n", SELECTOR, access=access)
        return monitor.load_snapshot(), await monitor.load()

    assert [len(snapshot.jobs) for snapshot in asyncio.run(inside())] == [1, 1]


def test_watching_outlives_the_api_server(tmp_path: Path) -> None:
    """Away, it is an error in the snapshot; back, the next snapshot is whole again."""
    with serving() as double:
        double.answer = Namespace([job("a")], [])
        kubeconfig = double.kubeconfig(tmp_path)
    port = int(double.url.rsplit(":", 1)[1])
    sleeps: list[float] = []
    watch = K8sJobMonitor("n", SELECTOR, kubeconfig).watch(5, sleeps.append)
    away = next(watch)
    assert "cannot connect" in away.errors[0]
    with serving(port=port) as back:
        back.answer = Namespace([job("a")], [])
        whole = next(watch)
    assert (whole.errors, [j.job_name for j in whole.jobs]) == ([], ["a"])
    assert sleeps == [5]


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_must_be_above_zero(interval: float, api: ApiDouble, access: ClusterAccess) -> None:
    with pytest.raises(InputError, match="interval"):
        next(K8sJobMonitor("n", "", access=access).watch(interval))
