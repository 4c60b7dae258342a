"""How a session's Jobs move on, also those that the cluster removes as soon as they end."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal

from k8s_tuning.cluster.connection import ClusterAccess, run
from k8s_tuning.cluster.progress import follow_jobs
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.stages.sessions.session import SeenJob

START, END = "2025-11-16T10:00:00Z", "2025-11-16T10:01:00Z"
FAILED = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": END}]
COMPLETE = [{"type": "Complete", "status": "True", "lastTransitionTime": END}]


def job(name: str, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"metadata": metadata, "spec": {"completions": 1}, "status": {"startTime": START, **status}}


def oom_killed(of: str, uid: str | None = None) -> dict[str, Any]:
    owner = {"kind": "Job", "uid": uid or f"uid-{of}"}
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    return {
        "metadata": {"name": f"{of}-abcde", "uid": "p", "ownerReferences": [owner]},
        "spec": {"nodeName": "n", "containers": [{"name": "tuning"}]},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "tuning", "state": ended}]},
    }


class Server:
    """Lists these Jobs, then gives one watch; `pods` by the Job's name."""

    def __init__(self, jobs: list[Any], changes: list[tuple[str, Any]], pods: dict[str, Answer]) -> None:
        self.jobs, self.pods = jobs, pods
        self.watch = b"".join(json.dumps({"type": kind, "object": item}).encode() + b"\n" for kind, item in changes)

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/pods"):
            return self.pods.get(request.query["labelSelector"].removeprefix("job-name="), page("Pod", []))
        if request.path.endswith("/events"):
            return page("Event", [])
        watch, self.watch = (self.watch, b"") if "watch" in request.query else (b"", self.watch)
        return Answer(watch) if "watch" in request.query else page("Job", self.jobs)


def follow(server: Server, api: ApiDouble, folder: Path, until: int) -> list[dict[str, SeenJob]]:
    api.answer = server

    async def go() -> list[dict[str, SeenJob]]:
        access = ClusterAccess(kubeconfig=api.kubeconfig(folder), retry_seconds=0.3)
        seen = []
        async with (
            asyncio.timeout(20),
            ClusterReader(access, lambda _: asyncio.sleep(0.001)) as reader,
            aclosing(follow_jobs(reader, "n", "session_id=s", now=lambda: END)) as looks,
        ):
            async for look in looks:
                seen.append(look)
                if len(seen) == until:
                    return seen
        raise AssertionError("the watch ended")

    return run(go())


def test_a_job_that_ends_and_is_removed_at_once_was_seen_to_end(api: ApiDouble, tmp_path: Path) -> None:
    """With a TTL of 0 both changes come in one read."""
    changes = [("MODIFIED", job("a", conditions=COMPLETE, succeeded=1)),
               ("DELETED", job("a", conditions=COMPLETE, succeeded=1)),
               ("DELETED", job("b", active=1))]  # fmt: skip
    looks = follow(Server([job("a", active=1), job("b", active=1)], changes, {}), api, tmp_path, 3)
    assert [{name: seen.phase for name, seen in look.items()} for look in looks] == [
        {"a": "RUNNING", "b": "RUNNING"},
        {"a": "SUCCEEDED", "b": "RUNNING"},
        {},
    ]
    assert looks[1]["a"] == SeenJob("SUCCEEDED", START, END, succeeded=1)


def test_why_a_job_failed_is_asked_while_its_pods_are_there(api: ApiDouble, tmp_path: Path) -> None:
    pods = {"a": page("Pod", [oom_killed("a"), oom_killed("a", "uid-of-an-earlier-one")])}
    failed = job("a", conditions=FAILED, failed=1)
    server = Server([job("a", active=1)], [("MODIFIED", failed), ("MODIFIED", failed), ("DELETED", failed)], pods)
    looks = follow(server, api, tmp_path, 3)
    seen = looks[1]["a"]
    assert (seen.phase, seen.exit_code, seen.failed) == ("FAILED", 137, 1)
    assert "oom_killed" in seen.reasons
    assert "OOM-killed" in (seen.cause or "")
    assert len([request for request in api.requests if request.path.endswith("/pods")]) == 1


@pytest.mark.parametrize("answer", [refusal(403, "pods is forbidden"), Answer(b"{", 200), refusal(500, "etcd")])
def test_pods_that_cannot_be_read_leave_the_condition(answer: Answer, api: ApiDouble, tmp_path: Path) -> None:
    server = Server([job("a", conditions=FAILED, failed=1)], [], {"a": answer})
    (look,) = follow(server, api, tmp_path, 1)
    assert look["a"].phase == "FAILED"
    assert "BackoffLimitExceeded" in (look["a"].cause or "")
