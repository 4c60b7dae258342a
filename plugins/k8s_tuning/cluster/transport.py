"""How bytes travel: httpx2's client over aiohttp's connections.

httpx2 keeps what lightkube brings (authentication flows); its own transport spends more time on a request than the API
server does, which a snapshot of hundreds of logs feels. Faults come out as httpx2's exceptions, with their causes.
"""

from __future__ import annotations

import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx2
from yarl import URL

from k8s_tuning.errors import RefusedError

# Of an answer that is a failure, this much is read; the message is at its beginning.
MOST_FAILURE_BYTES = 1024 * 1024
# Each of the server's warnings is a header; its own bound on all of them is 4 KiB.
_MOST_HEADER_BYTES = 64 * 1024
_PIECE = 64 * 1024


class TooLarge(Exception):  # noqa: N818 - becomes a BadAnswer where it is known what was asked
    """A successful answer goes on behind what its request allows."""


class ClusterTransport(httpx2.AsyncBaseTransport):
    """Connections to one API server, perhaps through a proxy; redirects are answers like others.

    Bodies come decompressed, and no further than the request's extension `most_bytes` says (absent: without an end).
    There TooLarge is raised, or, with the extension `cut`, the body is over.
    `writable=False` refuses any method but GET, whoever asks: monitoring cannot change a cluster, not even by a slip.
    """

    def __init__(self, tls: ssl.SSLContext, connections: int, proxy: str | None, *, writable: bool) -> None:
        self._tls = tls
        self._connections = connections
        self._proxy = proxy
        self._writable = writable
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the response's body is still to be read."""
        if not self._writable and request.method != "GET":
            raise RefusedError(f"{request.method} refused: this connection to the cluster is read-only")
        # What httpx2 has encoded must not be encoded again; a user in the address is httpx2's to turn into a header.
        url = URL(str(request.url), encoded=True).with_user(None)
        limits: dict[str, Any] = request.extensions.get("timeout", {})
        with _translated():
            response = await self._opened().request(
                request.method,
                url,
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy,
                server_hostname=request.extensions.get("sni_hostname"),
                timeout=aiohttp.ClientTimeout(sock_connect=limits.get("connect"), sock_read=limits.get("read")),
            )
        most, cut = request.extensions.get("most_bytes"), bool(request.extensions.get("cut"))
        if response.status >= 300:
            most, cut = MOST_FAILURE_BYTES, True
        # Without the header httpx2 would unpack a piece as a whole: a kilobyte of gzip may hold a megabyte.
        headers = [(name, value) for name, value in response.raw_headers if name.lower() != b"content-encoding"]
        return httpx2.Response(response.status, headers=headers, stream=_Body(response, most, cut=cut))

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # aiohttp binds a session to the event loop that makes it
            connector = aiohttp.TCPConnector(ssl=self._tls, limit=self._connections)
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                max_field_size=_MOST_HEADER_BYTES,
            )
        return self._session


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, most: int | None, *, cut: bool) -> None:
        self._response = response
        self._most = most
        self._cut = cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for piece in self._unpacked():
            if left is None:
                yield piece
                continue
            yield piece[:left]
            left -= len(piece)
            if left < 0 and not self._cut:
                raise TooLarge
            if left <= 0 and self._cut:
                return

    async def _unpacked(self) -> AsyncIterator[bytes]:
        encoding = self._response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise httpx2.DecodingError(f"the encoding {encoding[:40]!r} was not asked for")
        unpacking = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
        with _translated():
            async for chunk in self._response.content.iter_any():
                if unpacking is None:
                    yield chunk
                    continue
                while chunk:
                    if piece := unpacking.decompress(chunk, _PIECE):
                        yield piece
                    chunk = unpacking.unconsumed_tail
        if unpacking is not None and not unpacking.eof:
            raise httpx2.DecodingError("the gzip stream ends before its end")

    async def aclose(self) -> None:
        # A body read to its end has given its connection back already; another one's connection is of no more use.
        self._response.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx2.ConnectTimeout("no connection in time") from error
    except aiohttp.ServerTimeoutError as error:
        raise httpx2.ReadTimeout("no answer in time") from error
    except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError) as error:
        raise httpx2.ProxyError("the proxy refused") from error
    except aiohttp.ClientConnectorError as error:
        raise httpx2.ConnectError("cannot connect") from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
        raise httpx2.ReadError("the connection broke") from error
    except zlib.error as error:
        raise httpx2.DecodingError("not gzip") from error
    except aiohttp.ClientError as error:
        raise httpx2.ProtocolError("not HTTP") from error
