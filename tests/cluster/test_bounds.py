"""No answer is without an end: whatever a server sends, and goes on sending, is read within bounds and reported."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page

from k8s_tuning import http_client
from k8s_tuning.cluster import exchange, listing, pages, reader
from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.exchange import ApiRequest
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import BadAnswer, ClusterError, Unreachable

T = TypeVar("T")
MIB = 1024 * 1024
CALL = Call("get", "jobs", "batch", "n", "a")


@pytest.fixture
def access(api: ApiDouble, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), retry_seconds=0)


def reading(access: ClusterAccess, work: Callable[[ClusterReader], Awaitable[T]]) -> T:
    async def go() -> T:
        async with ClusterReader(access, lambda seconds: asyncio.sleep(0.001)) as reader:
            return await work(reader)

    return run(go())


def listed(access: ClusterAccess) -> list[Any]:
    return reading(access, lambda r: r.jobs("n", "", lambda job: job["metadata"]["name"]))


def got(access: ClusterAccess) -> Any:
    async def go() -> Any:
        async with Connection(access) as there:
            asked = ApiRequest("GET", CALL)
            return there.json(await there.request(asked, BytesIO), CALL)

    return run(go())


def endless(piece: bytes, start: bytes = b"") -> Iterator[bytes]:
    return itertools.chain([start] if start else [], itertools.repeat(piece))


ENDLESS = {
    "white space": b" ",
    "a text": b'{"a": "',
    "items": b'{"kind": "JobList", "metadata": {}, "items": [{}',
    "one item": b'{"kind": "JobList", "metadata": {}, "items": [{"a": "',
    "what comes after the items": b'{"items": [], "a": "',
    "a web page": b"<html>",
}


@pytest.mark.parametrize("ask", [listed, got], ids=["a list", "an object"])
@pytest.mark.parametrize("start", ENDLESS.values(), ids=ENDLESS)
def test_a_body_without_an_end_is_not_read_on(
    start: bytes,
    ask: Callable[[ClusterAccess], Any],
    api: ApiDouble,
    access: ClusterAccess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An endless body took 3.9 GB."""
    monkeypatch.setattr(exchange, "MOST_BYTES", 4 * MIB)
    monkeypatch.setattr(pages, "MOST_LIST_BYTES", 8 * MIB)
    monkeypatch.setattr(listing, "MOST_ITEM_BYTES", MIB)
    filling = b',{"metadata":{"name":"a"}}' * 4096 if start.endswith(b"[{}") else b" " * 65_536
    api.answer = lambda request: Answer(pieces=endless(filling, start.replace(b"[{}", b'[{"metadata":{"name":"a"}}')))
    with pytest.raises(BadAnswer) as caught:
        ask(access)
    assert not caught.value.retryable
    assert len(api.requests) == 1
    assert api.sent < 32 * MIB  # what is under way in the sockets' buffers comes on top


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 503])
@pytest.mark.parametrize("ask", [listed, got], ids=["a list", "an object"])
def test_a_refusal_without_an_end_is_reported_by_its_beginning(
    status: int, ask: Callable[[ClusterAccess], Any], api: ApiDouble, access: ClusterAccess
) -> None:
    api.answer = lambda request: Answer(status=status, pieces=endless(b"why not? " * 8192))
    with pytest.raises(ClusterError) as caught:
        ask(access)
    assert caught.value.status == status
    assert len(str(caught.value)) < 6_000
    assert api.sent < 24 * MIB


def test_a_log_is_cut_where_the_server_does_not(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = lambda request: Answer(pieces=endless(b"line\n" * 10_000))
    body = reading(access, lambda r: r.log("n", "p", "c", tail_lines=5, limit_bytes=70_000))
    assert len(body) == 70_000
    assert api.sent < 16 * MIB


# --- compressed ---------------------------------------------------------------------------------------------------

NAMED = {"kind": "JobList", "metadata": {}, "items": [{"metadata": {"name": "a", "x": "y" * 500_000}}]}


def bomb() -> Iterator[bytes]:
    """Gigabytes of spaces, a thousandth of that under way."""
    packing = zlib.compressobj(9, wbits=31)
    while True:
        yield packing.compress(b" " * MIB) + packing.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize("ask", [listed, got], ids=["a list", "an object"])
@pytest.mark.parametrize("status", [200, 500])
def test_a_gzip_bomb_is_bounded_as_what_it_unpacks_to(
    status: int,
    ask: Callable[[ClusterAccess], Any],
    api: ApiDouble,
    access: ClusterAccess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It took 3.6 GB and ended in a traceback."""
    monkeypatch.setattr(pages, "MOST_LIST_BYTES", 8 * MIB)
    api.answer = lambda request: Answer(status=status, headers={"Content-Encoding": "gzip"}, pieces=bomb())
    with pytest.raises(BadAnswer):
        ask(access)
    assert len(api.requests) == 1


def test_a_piece_of_a_bomb_is_unpacked_bit_by_bit(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty-four kilobytes under way are 64 MiB when unpacked at once."""
    largest = 0
    feed = listing.ListReader.write

    def watched(self: Any, piece: bytes) -> None:
        nonlocal largest
        largest = max(largest, len(piece))
        feed(self, piece)

    monkeypatch.setattr(listing.ListReader, "write", watched)
    packed = gzip.compress(b'{"items": [' + b" " * 30 * MIB + b"]}")
    api.script(Answer(packed, headers={"Content-Encoding": "gzip"}))
    assert listed(access) == []
    assert largest <= http_client._PIECE


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "identity", ""])
def test_an_answer_comes_packed_or_not(encoding: str, api: ApiDouble, access: ClusterAccess) -> None:
    body = json.dumps(NAMED).encode()
    packed = gzip.compress(body) if "gzip" in encoding.lower() else body
    api.script(Answer(packed, headers={"Content-Encoding": encoding}))
    assert listed(access) == ["a"]
    assert api.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(json.dumps(NAMED).encode())[:-20]),
        ("gzip", b""),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}"))),
        ("deflate", zlib.compress(b"{}")),
        ("br", b"\x0b\x01\x80{}\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("x" * 5000, b"{}"),
    ],
    ids=["not gzip", "torn", "empty", "twice", "deflate", "br", "zstd", "odd"],
)
@pytest.mark.parametrize("status", [200, 403])
def test_an_answer_that_cannot_be_unpacked_is_reported(
    status: int, encoding: str, body: bytes, api: ApiDouble, access: ClusterAccess
) -> None:
    api.script(Answer(body, status, {"Content-Encoding": encoding}))
    with pytest.raises(ClusterError) as caught:
        listed(access)
    assert len(str(caught.value)) < 500


# --- headers ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        [b"HTTP/1.1 200 OK\r\n", b"X-Filler: y\r\n" * 500],
        [b"HTTP/1.1 200 OK\r\nX-Filler: ", b"y" * 65_536],
        [b"HTTP/1.1 200 OK\r\nX: y\r\n", b" folded" * 5000],
        [b"HTTP/1.1 200 ", b"O" * 65_536],
        [b"", b"x" * 65_536],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b";extension" * 5000],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: y\r\n" * 500],
        [b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500],
    ],
    ids=["many", "one", "folded", "status line", "no http", "chunk extension", "trailers", "100 Continue"],
)
def test_headers_without_an_end_are_not_read_on(lines: list[bytes], api: ApiDouble, tmp_path: Path) -> None:
    start, more = lines
    api.answer = lambda request: Answer(raw_pieces=endless(more, start))
    with pytest.raises(ClusterError):
        listed(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), retry_seconds=0, read_seconds=0.5))


# --- pages --------------------------------------------------------------------------------------------------------


def named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


@pytest.mark.parametrize("tokens", [["a"], ["a", "b"], ["a", "b", "c", "b"]], ids=["one", "two in turn", "a later one"])
def test_a_continue_token_that_repeats_ends_the_list(tokens: list[str], api: ApiDouble, access: ClusterAccess) -> None:
    """It ran until somebody ended it."""
    turn = itertools.cycle(tokens)
    api.answer = lambda request: page("Job", [named("x")], next(turn))
    with pytest.raises(BadAnswer, match="a continue token of 'list jobs in namespace n' twice"):
        listed(access)
    assert len(api.requests) <= len(tokens) + 1


@pytest.mark.parametrize("items", [0, 10], ids=["empty pages", "full pages"])
def test_pages_without_an_end_are_given_up(
    items: int, api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_PAGES", 30)
    monkeypatch.setattr(pages, "MOST_ITEMS", 100)
    turn = itertools.count()
    api.answer = lambda request: page("Job", [named("x")] * items, f"t{next(turn)}")
    with pytest.raises(BadAnswer, match="too much"):
        listed(access)
    assert len(api.requests) <= 31


def test_a_list_that_takes_too_long_is_given_up(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LIST_SECONDS", 0.3)
    turn = itertools.count()
    api.answer = lambda request: page("Job", [named("x")], f"t{next(turn)}")
    with pytest.raises(Unreachable, match="not over within"):
        listed(access)


def test_a_page_that_breaks_off_is_asked_for_again_and_nothing_is_there_twice(api: ApiDouble, tmp_path: Path) -> None:
    body = json.dumps({"kind": "JobList", "metadata": {}, "items": [named(f"j{n}") for n in range(30_000)]}).encode()
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-1000]
    api.script(Answer(raw=broken), Answer(body))
    found = listed(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path)))
    assert found == [f"j{n}" for n in range(30_000)]


# --- watches ------------------------------------------------------------------------------------------------------


def test_a_watch_survives_a_line_without_an_end(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MOST_LINE_BYTES", MIB)
    lists = iter([page("Job", [named("a")])])

    def answer(request: Request) -> Answer:
        if "watch" in request.query:
            return Answer(pieces=endless(b" " * 65_536, b'{"type":"ADDED"'))
        return next(lists, page("Job", [named("a"), named("new")]))

    api.answer = answer

    async def work(reader: ClusterReader) -> set[str]:
        async with asyncio.timeout(30), aclosing(reader.watch_jobs("n", "", str)) as changes:
            async for known in changes:
                if "new" in known:
                    return set(known)
        return set()

    assert reading(access, work) == {"a", "new"}
    assert api.sent < 32 * MIB


def test_a_watch_that_drips_is_ended_and_begun_anew(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server was asked to end it after a while; one that never ends may have lost what it watches."""
    monkeypatch.setattr(reader, "WATCH_SECONDS", 0)
    monkeypatch.setattr(reader, "WATCH_GRACE", 0.2)
    lists = iter([page("Job", [named("a")])])
    api.answer = lambda request: (
        Answer(pieces=endless(b"\n")) if "watch" in request.query else next(lists, page("Job", [named("new")]))
    )

    async def work(reader: ClusterReader) -> set[str]:
        async with asyncio.timeout(30), aclosing(reader.watch_jobs("n", "", str)) as changes:
            async for known in changes:
                if "new" in known:
                    return set(known)
        return set()

    assert reading(access, work) == {"new"}


# --- memory -------------------------------------------------------------------------------------------------------

_PEAK = """
import resource, sys
from k8s_tuning.cluster.monitor import K8sJobMonitor
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
snapshot = K8sJobMonitor("n", "", sys.argv[1], max_log_lines=0).load_snapshot()
print(len(snapshot.jobs), len(snapshot.errors), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_list_of_50_mb_in_one_answer_costs_a_fraction_of_it(api: ApiDouble, tmp_path: Path) -> None:
    """A server need not honour `limit`; what is kept of each Job is small."""
    filler = {f"f:{number}": {"f:a": {}} for number in range(1000)}
    job = {"metadata": {"name": "NAME", "uid": "u", "managedFields": [filler]}, "spec": {}, "status": {}}
    text = json.dumps(job).encode()
    count = 50 * MIB // len(text)

    def pieces() -> Iterator[bytes]:
        yield b'{"kind": "JobList", "metadata": {}, "items": [{}'
        for number in range(count):
            yield b"," + text.replace(b"NAME", b"j%d" % number)
        yield b"]}"

    api.answer = lambda request: Answer(pieces=pieces()) if request.path.endswith("/jobs") else page("Pod", [])
    arguments = [sys.executable, "-c", _PEAK, api.kubeconfig(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120)
    jobs, errors, peak = map(int, done.stdout.split())
    assert (jobs, errors) == (count + 1, 0)
    assert peak < 60
