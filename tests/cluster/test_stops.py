"""How far it is from a stage to the socket: who follows a request through the code reads so many functions."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal

import k8s_tuning
from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.cluster.monitor import K8sJobMonitor

OWN = str(Path(str(k8s_tuning.__file__)).parent)
MOST_STOPS = 9

JOB = {"metadata": {"name": "j", "uid": "u"}, "spec": {"parallelism": 2}, "status": {"active": 1}}
POD = {
    "metadata": {"name": "p", "ownerReferences": [{"kind": "Job", "uid": "u", "controller": True}]},
    "spec": {"nodeName": "node", "containers": [{"name": "c"}]},
    "status": {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"running": {}}}]},
}
MANIFEST = """
apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: bots}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "a:1"}]}}}
"""


def answer(request: Request) -> Answer:
    if request.path.endswith("/jobs"):
        return page("Job", [JOB])
    if request.path.endswith("/pods"):
        return page("Pod", [POD])
    if request.path.endswith("/log"):
        return Answer(b"line\n")
    if request.method == "GET" and request.path.endswith("/jobs/j"):
        return refusal(404, 'jobs.batch "j" not found')
    if request.method == "PATCH":
        return Answer({"kind": "Job", "metadata": {"name": "j", "namespace": "bots"}})
    return page("Event", [])


def name_of(frame: FrameType) -> str:
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}"  # since Python 3.11


def stops() -> list[str]:
    """Our own functions that wait for the one that calls this, the innermost first; also those of waiting tasks."""
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)
    running = asyncio.current_task()
    in_loop = True
    while frame is not None:
        if frame.f_code.co_filename.startswith(OWN):
            frames.append(frame)
        if in_loop and frame.f_code.co_name == "_run" and frame.f_code.co_filename.endswith("events.py"):
            in_loop = False
            # Below the event loop comes who started it; between them, the tasks that wait for this one.
            frames += waiting(running)
        frame = frame.f_back
    return [name_of(frame) for frame in frames]


def waiting(task: Any) -> list[FrameType]:
    """Frames of the tasks that gathered this one, and of those that gathered them."""
    for other in asyncio.all_tasks():
        gathered = getattr(getattr(other, "_fut_waiter", None), "_children", ())
        if task in gathered:
            frames = []
            coroutine: Any = other.get_coro()
            while getattr(coroutine, "cr_frame", None) is not None:
                frames.append(coroutine.cr_frame)
                coroutine = coroutine.cr_await
            own = [frame for frame in reversed(frames) if frame.f_code.co_filename.startswith(OWN)]
            return own + waiting(other)
    return []


@pytest.fixture
def paths(api: ApiDouble, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """For each URL's path, the stops down to aiohttp's entry."""
    found: dict[str, list[str]] = {}
    entry = aiohttp.ClientSession.request

    def request(self: aiohttp.ClientSession, method: str, url: Any, **more: Any) -> Any:
        found[f"{method} {url.path}"] = stops()
        return entry(self, method, url, **more)

    monkeypatch.setattr(aiohttp.ClientSession, "request", request)
    api.answer = answer
    return found


def test_a_snapshot_reaches_the_socket_in_nine_stops(
    api: ApiDouble, paths: dict[str, list[str]], tmp_path: Path
) -> None:
    access = ClusterAccess(kubeconfig=api.kubeconfig(tmp_path))
    assert K8sJobMonitor("bots", "", access=access).load_snapshot().errors == []
    assert {path.rpartition("/")[2] for path in paths} == {"jobs", "pods", "log", "events"}
    for path, passed in paths.items():
        assert passed[-1] == "monitor.K8sJobMonitor.load_snapshot", (path, passed)
        assert len(passed) <= MOST_STOPS, (path, passed)


def test_events_and_an_apply_do_too(api: ApiDouble, paths: dict[str, list[str]], tmp_path: Path) -> None:
    access = ClusterAccess(kubeconfig=api.kubeconfig(tmp_path))
    K8sEventCollector("bots", "", access=access).load_events()
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/j.yaml").write_text(MANIFEST)
    executor = K8sApplyExecutor(dry_run=False, access=access)
    executor.execute_plan(executor.build_plan(tmp_path / "jobs"))
    assert "PATCH /apis/batch/v1/namespaces/bots/jobs/j" in paths
    for path, passed in paths.items():
        assert passed[-1].endswith(("load_events", "execute_plan")), (path, passed)
        assert len(passed) <= MOST_STOPS, (path, passed)
