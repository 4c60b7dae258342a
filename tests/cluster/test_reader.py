"""The reading face: lists in pages, logs, metrics, and a watch that outlives what happens to long watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal, serving
from tests.clusters import Cluster, job_manifest

from k8s_tuning.cluster import pages
from k8s_tuning.cluster.connection import ClusterAccess, run
from k8s_tuning.cluster.pages import PAGE
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import BadAnswer, Expired, Forbidden, InputError, Invalid, NotFound, TuningError
from k8s_tuning_sandbox import Sandbox

T = TypeVar("T")


def named(name: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def name_of(item: dict[str, Any]) -> str:
    return str(item["metadata"]["name"])


@pytest.fixture
def access(api: ApiDouble, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), retry_seconds=0.5)


def reading(access: ClusterAccess, work: Callable[[ClusterReader], Awaitable[T]]) -> T:
    async def go() -> T:
        async with ClusterReader(access, lambda seconds: asyncio.sleep(0.001)) as reader:
            return await work(reader)

    return run(go())


def test_a_list_is_asked_for_in_pages_and_read_as_one(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(page("Job", [named("a")], "t1"), page("Job", [named("b")], "t2"), page("Job", [named("c")]))
    assert reading(access, lambda r: r.jobs("n", "app=x", name_of)) == ["a", "b", "c"]
    assert [request.query.get("continue") for request in api.requests] == [None, "t1", "t2"]
    assert {request.query["limit"] for request in api.requests} == {str(PAGE)}
    assert {request.query["labelSelector"] for request in api.requests} == {"app=x"}


def test_a_continue_token_that_expired_begins_the_list_anew(api: ApiDouble, access: ClusterAccess) -> None:
    """Nothing is there twice, and nothing of the old list stays."""
    gone = refusal(410, "The provided continue parameter is too old")
    api.script(page("Job", [named("old")], "t1"), gone, page("Job", [named("a")], "t2"), page("Job", [named("b")]))
    assert reading(access, lambda r: r.jobs("n", "", name_of)) == ["a", "b"]


def test_a_list_that_expires_again_and_again_is_given_up(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = lambda request: refusal(410, "too old") if "continue" in request.query else page("Job", [], "t")
    with pytest.raises(Expired):
        reading(access, lambda r: r.jobs("n", "", name_of))
    assert len(api.requests) == 4


@pytest.mark.parametrize("items", [{"items": "x"}, {"kind": "Status"}, {"ok": True}])
def test_json_that_is_no_list_is_reported(items: dict[str, Any], api: ApiDouble, access: ClusterAccess) -> None:
    api.script(Answer(items))
    with pytest.raises(BadAnswer, match="not a Kubernetes list"):
        reading(access, lambda r: r.jobs("n", "", name_of))


def test_an_empty_list_may_be_null(api: ApiDouble, access: ClusterAccess) -> None:
    """As Go writes an empty slice."""
    api.script(Answer({"kind": "JobList", "metadata": {}, "items": None}))
    assert reading(access, lambda r: r.jobs("n", "", name_of)) == []


@pytest.mark.parametrize("namespace", ["../secrets", "a/b", "A", "", "x?y", "한글"])
def test_a_namespace_never_changes_the_path(namespace: str, api: ApiDouble, access: ClusterAccess) -> None:
    with pytest.raises(InputError, match="namespace"):
        reading(access, lambda r: r.jobs(namespace, "", name_of))
    assert api.requests == []


def test_a_log_is_bounded_in_lines_and_bytes_by_the_server(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(Answer("로그 🚀\n".encode()))
    body = reading(access, lambda r: r.log("n", "p", "c", tail_lines=7, limit_bytes=99, previous=True))
    assert body.decode() == "로그 🚀\n"
    assert api.requests[0].path == "/api/v1/namespaces/n/pods/p/log"
    assert api.requests[0].query == {"container": "c", "tailLines": "7", "limitBytes": "99", "previous": "true"}


def test_events_are_asked_for_by_the_kind_of_their_object(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(page("Event", [named("e")]))
    assert reading(access, lambda r: r.events("n", "Pod", name_of)) == ["e"]
    assert api.requests[0].query["fieldSelector"] == "involvedObject.kind=Pod"


@pytest.mark.parametrize(
    "answer",
    [Answer(b"404 page not found", 404), refusal(404, "not found"), refusal(503, "the server is unable to handle it")],
    ids=["no such API", "no such resource", "metrics server down"],
)
def test_usage_is_absent_where_the_cluster_does_not_measure_it(
    answer: Answer, api: ApiDouble, access: ClusterAccess
) -> None:
    api.script(answer)
    assert reading(access, lambda r: r.pod_metrics("n", "")) is None
    assert len(api.requests) == 1


def test_usage_that_may_not_be_read_is_reported(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(refusal(403, "no"))
    with pytest.raises(Forbidden):
        reading(access, lambda r: r.pod_metrics("n", ""))


def watched(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}, ensure_ascii=False).encode() + b"\n"


class Watches:
    """Lists and watches in turn; after the last watch the test ends by what it has seen."""

    def __init__(self, lists: list[Answer], watches: list[Answer]) -> None:
        self.lists, self.watches, self.versions = lists, watches, []

    def __call__(self, request: Request) -> Answer:
        if "watch" not in request.query:
            return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        self.versions.append(request.query["resourceVersion"])
        return self.watches.pop(0) if self.watches else Answer(b"")


def states(access: ClusterAccess, until: Callable[[set[str]], bool]) -> list[set[str]]:
    seen: list[set[str]] = []

    async def work(reader: ClusterReader) -> list[set[str]]:
        async with aclosing(reader.watch_jobs("n", "app=x", name_of)) as changes:
            async for known in changes:
                seen.append(set(known))
                if until(seen[-1]):
                    break
        return seen

    async def bounded(reader: ClusterReader) -> list[set[str]]:
        async with asyncio.timeout(30):
            return await work(reader)

    return reading(access, bounded)


def test_a_watch_follows_what_is_added_changed_and_deleted(api: ApiDouble, access: ClusterAccess) -> None:
    events = [
        watched("ADDED", named("b", "6")),
        watched("BOOKMARK", {"metadata": {"resourceVersion": "9"}}),
        watched("DELETED", named("a", "10")),
    ]
    watches = Watches(
        [page("Job", [named("a")], version="5")], [Answer(b"".join(events)), Answer(watched("ADDED", named("z")))]
    )
    api.answer = watches
    assert states(access, lambda names: "z" in names) == [{"a"}, {"b"}, {"b", "z"}]
    assert watches.versions == ["5", "10"]


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(watched("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})),
        refusal(410, "Gone"),
        refusal(500, "etcd is away"),
        refusal(429, "later"),
        Answer(raw=b""),
        Answer(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"type":'),
        Answer(b"<html>proxy</html>\n"),
        refusal(403, "RBAC: clusterrole not found"),
        Answer(watched("ERROR", {"kind": "Status", "code": 500, "message": "storage"})),
    ],
    ids=["410 event", "410", "500", "429", "dropped", "torn", "html", "403 once", "error event"],
)  # fmt: skip
def test_a_watch_survives_and_lists_again(trouble: Answer, api: ApiDouble, access: ClusterAccess) -> None:
    """What happened in between is not lost: the new list has it."""
    # Twice: the client itself repeats a request whose connection was closed before a byte of the answer.
    api.answer = Watches([page("Job", [named("a")]), page("Job", [named("a"), named("new")])], [trouble, trouble])
    assert states(access, lambda names: "new" in names)[-1] == {"a", "new"}


def test_a_server_whose_versions_are_all_too_old_is_asked_ever_less_often(
    api: ApiDouble, access: ClusterAccess
) -> None:
    api.answer = lambda request: refusal(410, "Gone") if "watch" in request.query else page("Job", [named("a")])
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def go() -> None:
        async with (
            ClusterReader(access, sleep=sleep) as reader,
            aclosing(reader.watch_jobs("n", "app=x", name_of)) as changes,
        ):
            async for _ in changes:
                if len(pauses) == 9:
                    return

    run(go())
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.1, 10.0)


def test_a_watch_survives_a_restarted_api_server(tmp_path: Path) -> None:
    """The server goes, connections are refused for a while, and another one comes up on the same address."""
    with serving() as first:
        first.answer = Watches([page("Job", [named("before")])], [])
        access = ClusterAccess(kubeconfig=first.kubeconfig(tmp_path), retry_seconds=0.5, connect_seconds=0.5)
    port = int(first.url.rsplit(":", 1)[1])

    async def go() -> set[str]:
        async with ClusterReader(access, lambda seconds: asyncio.sleep(0.02)) as reader, asyncio.timeout(30):
            with serving(port=port) as again:
                again.answer = Watches([page("Job", [named("before")])], [])
                changes = reader.watch_jobs("n", "", name_of)
                assert set(await anext(changes)) == {"before"}
            following = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0.3)
            with serving(port=port) as again:
                again.answer = Watches([page("Job", [named("after")])], [])
                return set(await following)

    assert run(go()) == {"after"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(refusal(403, "no"), Forbidden), (refusal(400, "bad selector"), Invalid), (refusal(404, "x"), NotFound)],
)
def test_a_watch_that_cannot_begin_says_so(
    answer: Answer, kind: type[TuningError], api: ApiDouble, access: ClusterAccess
) -> None:
    api.script(answer)
    with pytest.raises(kind):
        states(access, lambda names: True)


def test_pages_are_complete_on_a_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """More Jobs than a page: none is missing and none twice."""
    monkeypatch.setattr(pages, "PAGE", 3)
    made = {cluster.job(f"{number:04d}") for number in range(10)}
    with cluster.client() as http:
        for name in made:
            manifest = job_manifest(name, parallelism=0)
            http.post(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs", json=manifest).raise_for_status()
    access = ClusterAccess(kubeconfig=str(cluster.kubeconfig))
    found = reading(access, lambda r: r.jobs(cluster.namespace, "app=arbitrage-tuning", name_of))
    assert sorted(found) == sorted(made)
    assert reading(access, lambda r: r.jobs(cluster.namespace, "app=other", name_of)) == []


@pytest.mark.slow
def test_a_watch_on_a_cluster_sees_a_job_end(cluster: Cluster) -> None:
    name = cluster.job("a")

    async def work(reader: ClusterReader) -> bool:
        async with (
            asyncio.timeout(30),
            aclosing(
                reader.watch_jobs(cluster.namespace, "app=arbitrage-tuning", lambda job: job.get("status", {}))
            ) as changes,
        ):
            assert dict(await anext(changes)) == {}
            with cluster.client() as http:
                http.post(
                    f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs", json=job_manifest(name)
                ).raise_for_status()
            async for known in changes:
                if known.get(name, {}).get("succeeded"):
                    return True
        return False

    assert reading(ClusterAccess(kubeconfig=str(cluster.kubeconfig)), work)


def test_a_watch_survives_410_gone_of_a_sandbox_that_forgot_the_past(sandbox: Sandbox) -> None:
    """The version from which the watch would go on is no longer known; what happened since then is not lost."""
    cluster = Cluster("sandbox", sandbox.kubeconfig, "trading-bots", sandbox)
    path = "/apis/batch/v1/namespaces/trading-bots/jobs"

    async def work(reader: ClusterReader) -> set[str]:
        async with asyncio.timeout(30), aclosing(reader.watch_jobs("trading-bots", "", name_of)) as changes:
            assert dict(await anext(changes)) == {}
            with cluster.client() as http:
                answer = await asyncio.to_thread(http.post, path, json=job_manifest("arb-tuning-a"))
                assert answer.status_code == 201, answer.text
            sandbox.compact()
            async for known in changes:
                if known:
                    return set(known)
        return set()

    assert reading(ClusterAccess(kubeconfig=str(sandbox.kubeconfig)), work) == {"arb-tuning-a"}
