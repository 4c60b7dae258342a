"""The one HTTP stack, aiohttp, for the cluster and every channel: sessions, bounded bodies, one small type of fault.

    async with open_session(tls, connect=5, read=30) as session:
        with faults():
            response = await send(session, Request("GET", url))
        async for piece in pieces(response, MOST, cut=False): ...

`exchange` is all of that for a single request. What went wrong is a Fault; each side has its own sentence for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from k8s_tuning import certificates

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

# aiohttp is imported where it is used: a DAG's parse must not pay for it.

# Each of an API server's warnings is a header; its own bound on all of them is 4 KiB.
_MOST_HEADER_BYTES = 64 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent. Its URL, headers, body and proxy may hold secrets.

    `server_name`: the host that the certificate must name, where that is not the URL's.
    """

    method: str
    url: str | URL = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    server_name: str | None = None
    read_seconds: float | None = None


@dataclass(frozen=True)
class Answer:
    """A whole answer: the status, the header names in lower case, and the body's beginning as text."""

    status: int
    headers: Mapping[str, str]
    text: str


class Problem(StrEnum):
    """Why a request got no whole answer."""

    NO_CONNECTION_IN_TIME = "ConnectTimeout"
    NO_ANSWER_IN_TIME = "ReadTimeout"
    PROXY_AWAY = "ProxyError"
    PROXY_REFUSED = "ProxyRefusal"
    CERTIFICATE = "CertificateError"
    TLS = "TLSError"
    NO_CONNECTION = "ConnectError"
    CLOSED = "Disconnected"
    BROKEN = "ReadError"
    NOT_UNPACKED = "DecodingError"
    NOT_HTTP = "ProtocolError"
    BAD_URL = "InvalidURL"
    BAD_REQUEST = "InvalidRequest"


class Fault(Exception):  # noqa: N818 - becomes an error where it is known what was asked
    """A request that got no whole answer. `cause`: the exception with the facts; its text may hold the URL."""

    def __init__(self, problem: Problem, cause: BaseException) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.cause = cause

    @property
    def reason(self) -> str:
        """The operating system's words (`Connection refused`, `Name or service not known`); "" where it has none."""
        if isinstance(self.cause, OSError) and self.cause.errno is not None and self.cause.errno > 0:
            return os.strerror(self.cause.errno)
        # The resolver's errors have numbers of their own.
        return getattr(self.cause, "strerror", None) or ""


def fault_of(error: BaseException) -> Fault:
    """What an exception of aiohttp, ssl, zlib or asyncio means."""
    import aiohttp

    if isinstance(error, Fault):
        return error
    for kind, problem in (
        (aiohttp.ConnectionTimeoutError, Problem.NO_CONNECTION_IN_TIME),
        (TimeoutError, Problem.NO_ANSWER_IN_TIME),
        (aiohttp.ClientHttpProxyError, Problem.PROXY_REFUSED),
        (aiohttp.ClientProxyConnectionError, Problem.PROXY_AWAY),
        (ssl.SSLCertVerificationError, Problem.CERTIFICATE),
        (ssl.SSLError, Problem.TLS),
        (aiohttp.ClientConnectorError, Problem.NO_CONNECTION),
        (aiohttp.ServerDisconnectedError, Problem.CLOSED),
        (aiohttp.ClientPayloadError, Problem.BROKEN),
        (aiohttp.ClientConnectionError, Problem.BROKEN),
        (OSError, Problem.BROKEN),
        (zlib.error, Problem.NOT_UNPACKED),
        (aiohttp.InvalidURL, Problem.BAD_URL),
        (aiohttp.ClientError, Problem.NOT_HTTP),
    ):
        if problem in (Problem.CERTIFICATE, Problem.TLS):
            found = _deepest(error, kind)
        else:
            found = error if isinstance(error, kind) else None
        if found is not None and problem in (Problem.PROXY_AWAY, Problem.NO_CONNECTION):
            found = _deepest(error, OSError)
        if found is not None:
            return Fault(problem, found)
    return Fault(Problem.BAD_REQUEST, error)


@contextlib.contextmanager
def faults() -> Iterator[None]:
    """Faults instead of exceptions of aiohttp, these not in their chain: a log shows it, and they the URL."""
    import aiohttp

    try:
        yield
    except (aiohttp.ClientError, OSError, zlib.error, ValueError) as error:
        raise fault_of(error) from None


def open_session(
    tls: ssl.SSLContext | bool,
    *,
    connect: float | None = None,
    read: float | None = None,
    total: float | None = None,
    connections: int = 1,
    unpack: bool = True,
) -> aiohttp.ClientSession:
    """A session of its own, of the running event loop. `unpack` False: bodies come as they are sent, for `pieces`.

    Limits in seconds: `read` between two pieces of an answer, `total` of the whole exchange.
    Without trust_env aiohttp reads no ~/.netrc, which would send another system's credentials along.
    """
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, limit=connections),
        timeout=aiohttp.ClientTimeout(total=total, sock_connect=connect, sock_read=read),
        auto_decompress=unpack,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        max_field_size=_MOST_HEADER_BYTES,
    )


def send(session: aiohttp.ClientSession, request: Request) -> Awaitable[aiohttp.ClientResponse]:
    """The request on its way; a redirect is an answer like others. To be awaited within `faults`."""
    import aiohttp

    timeout = session.timeout
    if request.read_seconds is not None:
        timeout = aiohttp.ClientTimeout(sock_connect=timeout.sock_connect, sock_read=request.read_seconds)
    return session.request(
        request.method,
        request.url,
        headers=request.headers,
        data=request.body,
        allow_redirects=False,
        proxy=request.proxy,
        server_hostname=request.server_name,
        timeout=timeout,
    )


class TooLargeError(Exception):
    """An answer goes on behind what its request allows."""


async def pieces(response: aiohttp.ClientResponse, most_bytes: int | None, *, cut: bool) -> AsyncIterator[bytes]:
    """An answer's body, unpacked piece by piece: a kilobyte of gzip may hold a megabyte. Fault where it breaks off.

    Behind `most_bytes` (None: without an end) TooLargeError is raised, or, with `cut`, the body is over.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Fault(Problem.NOT_UNPACKED, ValueError("an encoding that was not asked for"))
    unpacking = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    left = most_bytes
    with faults():
        async for chunk in response.content.iter_any():
            for piece in _unpacked(chunk, unpacking):
                yield piece if left is None else piece[:left]
                if left is None:
                    continue
                left -= len(piece)
                if left < 0 and not cut:
                    raise TooLargeError
                if left <= 0 and cut:
                    return
    if unpacking is not None and not unpacking.eof:
        raise Fault(Problem.NOT_UNPACKED, EOFError("the gzip stream ends before its end"))


def _unpacked(chunk: bytes, unpacking: zlib._Decompress | None) -> Iterator[bytes]:
    if unpacking is None:
        yield chunk
        return
    while chunk:
        if piece := unpacking.decompress(chunk, _PIECE):
            yield piece
        chunk = unpacking.unconsumed_tail


def exchange(request: Request, seconds: float, most_bytes: int) -> Answer:
    """One request and the beginning of its answer, whatever its status, for callers without an event loop.

    Fault where no whole answer came within `seconds`.
    """
    return asyncio.run(_exchange(request, seconds, most_bytes))


async def _exchange(request: Request, seconds: float, most_bytes: int) -> Answer:
    with faults():
        tls = certificates.trusting_system() if str(request.url).lower().startswith("https:") else True
        async with open_session(tls, total=seconds) as session:
            response = await send(session, request)
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= most_bytes:
                    break
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, body[:most_bytes].decode("utf-8", "replace"))


def _deepest(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The deepest of `kind` in the chain of causes: the one that the library wraps, with the facts."""
    found = None
    while error is not None:
        if isinstance(error, kind):
            found = error
        error = error.__cause__ or error.__context__
    return found
