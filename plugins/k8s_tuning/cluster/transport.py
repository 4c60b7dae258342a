"""How bytes travel: httpx2's client over aiohttp's connections.

httpx2 keeps what lightkube brings (authentication flows); its own transport spends more time on a request than the API
server does, which a snapshot of hundreds of logs feels. Faults come out as httpx2's exceptions, with their causes.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx2
from yarl import URL

from k8s_tuning.errors import RefusedError


class ClusterTransport(httpx2.AsyncBaseTransport):
    """Connections to one API server, perhaps through a proxy; redirects are answers like others.

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
        return httpx2.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # aiohttp binds a session to the event loop that makes it
            connector = aiohttp.TCPConnector(ssl=self._tls, limit=self._connections)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for chunk in self._response.content.iter_any():
                yield chunk

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
    except aiohttp.ClientError as error:
        raise httpx2.ProtocolError("not HTTP") from error
