"""The HTTP stack against servers that answer bytes: what each fault is called, and what bounds an answer."""

import asyncio
import contextlib
import errno
import gzip
import socket
import ssl

import aiohttp
import pytest
from tests.authorities import Authority

from k8s_tuning.http_client import (
    Fault,
    Problem,
    Request,
    TooLargeError,
    exchange,
    fault_of,
    faults,
    open_session,
    pieces,
    send,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.asynccontextmanager
async def server(answer, *, tls=None):
    """A server that reads a request's head and writes `answer`: bytes, or a function of the head. Gives its port."""
    heads = []

    async def serve(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer(heads[-1]) if callable(answer) else answer)
            await writer.drain()
            writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with running:
        yield running.sockets[0].getsockname()[1], heads


async def body(port, *, most=1000, cut=False, read=5.0, **more):
    """A whole answer's body by way of `pieces`."""
    async with open_session(True, connect=5, read=read, unpack=False) as session:
        with faults():
            response = await send(session, Request("GET", f"http://127.0.0.1:{port}/", **more))
        return b"".join([piece async for piece in pieces(response, most, cut=cut)])


def ask(answer, **more):
    async def run():
        async with server(answer) as (port, _):
            return await body(port, **more)

    return asyncio.run(run())


def packed(data, encoding=b"gzip"):
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s" % (encoding, len(data), data)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(b"", Problem.CLOSED, id="closes without a word"),
        pytest.param(OK.replace(b": 2", b": 9"), Problem.BROKEN, id="breaks off within the body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Problem.NOT_HTTP, id="is another protocol"),
        pytest.param(packed(gzip.compress(b"x" * 99)[:-9]), Problem.NOT_UNPACKED, id="gzip without its end"),
        pytest.param(packed(b"no gzip"), Problem.NOT_UNPACKED, id="gzip that is none"),
        pytest.param(packed(b"", b"br"), Problem.NOT_UNPACKED, id="an encoding that was not asked for"),
    ],
)
def test_what_a_server_does_has_one_name(answer, problem):
    with pytest.raises(Fault) as fault:
        ask(answer)
    assert fault.value.problem is problem


def test_a_server_that_does_not_answer_is_left_after_its_time():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(Fault) as fault:
            asyncio.run(body(mute.getsockname()[1], read=0.2))
    assert fault.value.problem is Problem.NO_ANSWER_IN_TIME


def test_a_port_where_nobody_listens_is_refused_in_the_systems_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Fault) as fault:
            asyncio.run(body(taken.getsockname()[1]))
    assert (fault.value.problem, fault.value.reason) == (Problem.NO_CONNECTION, "Connection refused")


def test_a_proxy_that_is_not_there_is_named_as_such():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Fault) as fault:
            asyncio.run(body(80, proxy=proxy))
    assert fault.value.problem is Problem.PROXY_AWAY


def test_a_certificate_of_a_stranger_is_a_fault_of_its_own(tmp_path):
    tls = Authority.make("strangers").server(["127.0.0.1"]).context(tmp_path)

    async def run():
        async with server(OK, tls=tls) as (port, _), open_session(True, connect=5, read=5) as session:
            with faults():
                await send(session, Request("GET", f"https://127.0.0.1:{port}/"))

    with pytest.raises(Fault) as fault:
        asyncio.run(run())
    assert fault.value.problem is Problem.CERTIFICATE


def test_neither_a_fault_nor_a_request_shows_the_address():
    request = Request(
        "POST", "http://127.0.0.1:1/services/T0/s3cr3t", headers={"Authorization": "Bearer s3cr3t"}, body=b"s3cr3t"
    )
    assert "s3cr3t" not in repr(request)
    with pytest.raises(Fault) as fault:
        exchange(request, 5, 100)
    assert "s3cr3t" not in str(fault.value)
    assert fault.value.__cause__ is None


def test_an_answer_is_unpacked_and_may_be_as_long_as_its_request_allows():
    assert ask(packed(gzip.compress(b"x" * 1000)), most=1000) == b"x" * 1000


@pytest.mark.parametrize(
    "answer",
    [packed(gzip.compress(b"x" * 10_000_000)), OK.replace(b": 2", b": 1001") + b"x" * 999],
    ids=["a bomb", "plain"],
)
def test_what_goes_on_behind_that_is_too_large_or_cut(answer):
    with pytest.raises(TooLargeError):
        ask(answer, most=1000)
    assert len(ask(answer, most=1000, cut=True)) == 1000


def test_a_redirect_is_an_answer_like_others_and_no_cookie_or_netrc_goes_along(tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password system\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    away = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"

    async def run():
        async with server(away) as (port, heads), open_session(True, connect=5, read=5) as session:
            for _ in range(2):
                response = await send(session, Request("GET", f"http://127.0.0.1:{port}/here"))
                assert response.status == 302
            return b"".join(heads).lower()

    asked = asyncio.run(run())
    assert asked.count(b"get /here") == 2
    assert not {name for name in (b"cookie", b"authorization", b"/elsewhere") if name in asked}


def test_an_exchange_gives_the_beginning_of_an_answer_whatever_its_status():
    async def run():
        async with server(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 6\r\n\r\nsorry!") as (port, _):
            return await asyncio.to_thread(exchange, Request("GET", f"http://127.0.0.1:{port}/"), 5, 4)

    answer = asyncio.run(run())
    assert (answer.status, answer.headers["retry-after"], answer.text) == (503, "7", "sorr")


def test_an_exchange_has_a_limit_on_the_whole():
    """A byte now and then keeps a limit on a single read quiet."""

    async def run():
        async def drip(reader, writer):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)

        async with await asyncio.start_server(drip, "127.0.0.1", 0) as running:
            port = running.sockets[0].getsockname()[1]
            return await asyncio.to_thread(exchange, Request("GET", f"http://127.0.0.1:{port}/"), 0.4, 9999)

    with pytest.raises(Fault) as fault:
        asyncio.run(run())
    assert fault.value.problem is Problem.NO_ANSWER_IN_TIME


def chained(error, cause):
    error.__cause__ = cause
    return error


REFUSED = OSError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 6443)")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (aiohttp.ConnectionTimeoutError(), Problem.NO_CONNECTION_IN_TIME),
        (aiohttp.SocketTimeoutError(), Problem.NO_ANSWER_IN_TIME),
        (TimeoutError(), Problem.NO_ANSWER_IN_TIME),
        (aiohttp.ClientProxyConnectionError(None, REFUSED), Problem.PROXY_AWAY),
        (aiohttp.ClientHttpProxyError(None, (), status=407), Problem.PROXY_REFUSED),
        (aiohttp.ClientConnectorError(None, REFUSED), Problem.NO_CONNECTION),
        (chained(OSError("?"), ssl.SSLCertVerificationError(1, "no")), Problem.CERTIFICATE),
        (chained(aiohttp.ClientOSError("?"), ssl.SSLError(1, "alert")), Problem.TLS),
        (aiohttp.ServerDisconnectedError(), Problem.CLOSED),
        (aiohttp.ClientPayloadError(), Problem.BROKEN),
        (OSError(5, "x"), Problem.BROKEN),
        (aiohttp.InvalidURL("x"), Problem.BAD_URL),
        (aiohttp.ClientError(), Problem.NOT_HTTP),
        (ValueError("a header with a line break"), Problem.BAD_REQUEST),
        (Fault(Problem.TLS, OSError()), Problem.TLS),
    ],
    ids=lambda value: value.name if isinstance(value, Problem) else type(value).__name__,
)
def test_whatever_the_library_raises_is_a_fault(error, problem):
    assert fault_of(error).problem is problem


def test_the_reason_of_a_resolver_is_its_own():
    """Its errors have numbers that are not the system's."""
    unknown = socket.gaierror(-2, "Name or service not known")
    assert Fault(Problem.NO_CONNECTION, unknown).reason == "Name or service not known"
    assert Fault(Problem.NO_CONNECTION, EOFError()).reason == ""
