"""From a context (who and where) to an HTTP session that speaks to it: TLS, credentials, proxy, address."""

from __future__ import annotations

import ssl
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from yarl import URL

from k8s_tuning import http_client, proxies
from k8s_tuning.cluster.credentials import credential, tls_context
from k8s_tuning.cluster.exchange import ApiRequest
from k8s_tuning.cluster.kubeconfig import KubeContext
from k8s_tuning.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    import aiohttp

    from k8s_tuning.cluster.connection import ClusterAccess

CONNECTIONS = 40
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "k8s-tuning"}


class Link:
    """A session for one context; nothing is sent yet. ConfigError where its certificates or user cannot be used.

    `identity`: what it signs in with, to tell whether a newly read context has other credentials.
    """

    def __init__(self, context: KubeContext, access: ClusterAccess, *, writable: bool) -> None:
        where = f"{context.source}: context {context.name!r}"
        address = URL(context.cluster.server)
        login = (address.user or "", address.password or "") if address.user else None
        self.context = context
        self.credential = credential(context.user, login, where)
        try:
            self.tls = tls_context(context.cluster, context.user, where)
            self.identity = identity_of(context)
        except (OSError, ssl.SSLError, ValueError, TypeError) as error:
            # No text of `error`: a broken base64 or PEM is quoted in some of them.
            reason = type(error).__name__
            raise ConfigError(f"{where}: its certificates, keys or user cannot be used ({reason})") from error
        if access.skip_tls_verify:
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE
        self._base = str(address.with_user(None)).rstrip("/")
        self._headers = {**_HEADERS, **context.impersonate}
        self._proxy = proxies.proxy_for(context.cluster.server, context.cluster.proxy_url, where)
        self._access = access
        self._writable = writable

    @cached_property
    def session(self) -> aiohttp.ClientSession:
        """Its connections, of the event loop that first asks for them."""
        access = self._access
        return http_client.open_session(
            self.tls, connect=access.connect_seconds, read=access.read_seconds, connections=CONNECTIONS, unpack=False
        )

    def prepare(self, asked: ApiRequest, authorization: str | None) -> http_client.Request:
        """The HTTP request for a request of the API. RefusedError for a change by a read-only link. Pure."""
        if not self._writable and asked.method != "GET":  # monitoring cannot change a cluster, not even by a slip
            raise RefusedError(f"{asked.method} refused: this connection to the cluster is read-only")
        query = f"?{urlencode(asked.params)}" if asked.params else ""
        headers = {**self._headers, **asked.headers}
        if authorization is not None:
            headers["Authorization"] = authorization
        return http_client.Request(
            asked.method,
            # Encoded already: yarl would take the URL apart and put it together, hundreds of times a snapshot.
            URL(f"{self._base}{asked.call.path}{query}", encoded=True),
            headers,
            asked.content,
            self._proxy,
            self.context.cluster.tls_server_name,
            asked.read_seconds,
        )

    async def close(self) -> None:
        """Close every connection."""
        if "session" in self.__dict__:
            await self.session.close()


def identity_of(context: KubeContext) -> tuple[Any, ...]:
    """What a context signs in with, files by their content. OSError where one cannot be read."""
    files = (context.user.client_certificate, context.user.client_key)
    return (context.user, *(Path(file).read_bytes() if file else None for file in files))
