"""A 401 may mean that somebody renewed the token: the kubeconfig, or the connection, is read once more."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal, serving

from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.exchange import ApiRequest
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import Unauthorized

T = TypeVar("T")
OLD, NEW = "old-t0ken", "new-t0ken"


def reading(access: ClusterAccess, work: Callable[[ClusterReader], Awaitable[T]]) -> T:
    async def go() -> T:
        async with ClusterReader(access, lambda seconds: asyncio.sleep(0.001)) as reader:
            return await work(reader)

    return run(go())


def listed(access: ClusterAccess) -> list[str]:
    return reading(access, lambda r: r.jobs("n", "", name_of))


def name_of(job: dict[str, Any]) -> str:
    return str(job["metadata"]["name"])


class Server:
    """Takes one token; `meanwhile` is called with each request that has another one."""

    def __init__(self, meanwhile: Callable[[], object], accepted: str = NEW) -> None:
        self.meanwhile = meanwhile
        self.accepted = accepted

    def __call__(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.accepted}":
            self.meanwhile()
            return refusal(401, "Unauthorized")
        return page("Job", [{"metadata": {"name": "a"}}])


@pytest.fixture
def access(api: ApiDouble, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, user={"token": OLD}), retry_seconds=0)


def test_a_token_that_was_renewed_in_the_file_is_taken(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    api.answer = Server(lambda: api.kubeconfig(tmp_path, user={"token": NEW}))
    assert listed(access) == ["a"]
    assert len(api.requests) == 2


def test_many_requests_at_once_read_the_file_once(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    renewed = api.kubeconfig(tmp_path / "new", user={"token": NEW})

    def renew() -> None:
        with contextlib.suppress(FileNotFoundError):
            Path(renewed).replace(str(access.kubeconfig))

    api.answer = Server(renew)

    async def work(reader: ClusterReader) -> list[list[str]]:
        return await asyncio.gather(*(reader.jobs("n", "", name_of) for _ in range(30)))

    assert reading(access, work) == [["a"]] * 30
    assert len(api.requests) <= 60


def test_an_apply_goes_on_with_a_renewed_token(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    api.answer = Server(lambda: api.kubeconfig(tmp_path, user={"token": NEW}))

    async def go() -> Any:
        async with Connection(access, writable=True) as there:
            asked = ApiRequest("PATCH", Call("patch", "jobs"), content=b"{}")
            return await there.request(asked, BytesIO)

    assert run(go()).status == 200


def test_a_token_that_is_the_same_is_not_sent_twice(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Server(lambda: None)
    with pytest.raises(Unauthorized):
        listed(access)
    assert len(api.requests) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "clusters: [", '{"current-context": "gone"}'])
def test_a_file_that_is_half_written_leaves_the_401(
    content: str, api: ApiDouble, access: ClusterAccess, tmp_path: Path
) -> None:
    api.answer = Server(lambda: (tmp_path / "kubeconfig").write_text(content))
    with pytest.raises(Unauthorized):
        listed(access)


def test_a_file_that_is_gone_leaves_the_401(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    api.answer = Server(lambda: (tmp_path / "kubeconfig").unlink(missing_ok=True))
    with pytest.raises(Unauthorized):
        listed(access)


def test_another_server_is_not_followed(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    """What may be spoken to was decided before."""
    with serving() as other:
        other.answer = Server(lambda: None)
        api.answer = Server(lambda: other.kubeconfig(tmp_path, user={"token": NEW}))
        with pytest.raises(Unauthorized):
            listed(access)
        assert other.requests == []


def test_another_current_context_is_not_followed(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    def switch() -> None:
        path = Path(api.kubeconfig(tmp_path, user={"token": NEW}))
        path.write_text(path.read_text().replace('"here"', '"elsewhere"'))

    api.answer = Server(switch)
    with pytest.raises(Unauthorized):
        listed(access)
    assert len(api.requests) == 1


def test_an_access_from_elsewhere_is_asked_for_anew(api: ApiDouble, access: ClusterAccess) -> None:
    """As an Airflow connection is."""
    old = json.loads(Path(str(access.kubeconfig)).read_text())
    new = json.loads(json.dumps(old).replace(OLD, NEW))
    asked = []

    async def reread() -> ClusterAccess:
        asked.append(1)
        return ClusterAccess(content=new)

    api.answer = Server(lambda: None)
    assert listed(replace(access, kubeconfig=None, content=old, reread=reread)) == ["a"]
    assert asked == [1]


def watched(api: ApiDouble, access: ClusterAccess, renew: Callable[[], object]) -> set[str]:
    """A watch that begins with the old token and sees it end; what it knows then."""
    server = Server(lambda: None, accepted=OLD)

    def answer(request: Request) -> Answer:
        if "watch" in request.query:
            server.accepted, server.meanwhile = NEW, renew
        return server(request)

    api.answer = answer

    async def work(reader: ClusterReader) -> set[str]:
        async with asyncio.timeout(30), aclosing(reader.watch_jobs("n", "", str)) as changes:
            seen = 0
            async for known in changes:
                seen += 1
                if seen == 2:
                    return set(known)
        return set()

    return reading(access, work)


def test_a_long_wait_goes_on_with_a_renewed_token(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    assert watched(api, access, lambda: api.kubeconfig(tmp_path, user={"token": NEW})) == {"a"}


def test_a_long_wait_outlives_a_renewal_that_is_late(api: ApiDouble, access: ClusterAccess, tmp_path: Path) -> None:
    refused = []

    def late() -> None:
        refused.append(1)
        if len(refused) == 4:
            api.kubeconfig(tmp_path, user={"token": NEW})

    assert watched(api, access, late) == {"a"}


def test_a_long_wait_ends_where_nobody_renews(api: ApiDouble, access: ClusterAccess) -> None:
    with pytest.raises(Unauthorized, match="expired or wrong token"):
        watched(api, access, lambda: None)
    assert len(api.requests) < 20


def test_a_token_file_is_followed_too(api: ApiDouble, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(OLD)
    api.answer = Server(lambda: token.write_text(NEW))
    access = ClusterAccess(kubeconfig=api.kubeconfig(tmp_path, user={"tokenFile": str(token)}), retry_seconds=0)
    assert listed(access) == ["a"]


def test_no_token_is_shown(
    api: ApiDouble, access: ClusterAccess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api.answer = Server(lambda: api.kubeconfig(tmp_path, user={"token": "third-t0ken"}))
    with caplog.at_level("DEBUG"), pytest.raises(Unauthorized) as caught:
        listed(access)
    assert not any(token in caplog.text + str(caught.value) for token in (OLD, "third-t0ken"))
