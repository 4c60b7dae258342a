"""From a target (who and where) to an HTTP client that speaks to it: TLS, credentials, proxy, the server's address."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from lightkube.config.models import User

from k8s_tuning import proxies
from k8s_tuning.cluster.credentials import authentication, tls_context
from k8s_tuning.cluster.exec_plugin import ExecPluginAuth
from k8s_tuning.cluster.kubeconfig import Target
from k8s_tuning.cluster.transport import ClusterTransport
from k8s_tuning.errors import ConfigError

CONNECTIONS = 40


@dataclass(frozen=True)
class Link:
    """A client for one target. `credentials`: what it signs in with, to tell whether a newly read target has others."""

    target: Target
    client: httpx2.AsyncClient
    credentials: tuple[Any, ...] = field(repr=False)

    @property
    def base(self) -> str:
        """The server's address, without a slash at its end."""
        return self.target.server.rstrip("/")

    @property
    def extensions(self) -> dict[str, Any]:
        """What each request has to say to the transport."""
        return {"sni_hostname": self.target.tls_server_name} if self.target.tls_server_name else {}


def open_link(target: Target, timeout: httpx2.Timeout, *, writable: bool, skip_tls_verify: bool) -> Link:
    """A client for the target; nothing is sent yet. ConfigError where its certificates or user cannot be used."""
    where = f"{target.source}: context {target.context!r}"
    config = target.config
    user = config.user or User()
    auth = authentication(user, where)
    try:
        tls = tls_context(config.cluster, user, where)
        credentials = credentials_of(target)
    except (OSError, ssl.SSLError, ValueError, TypeError) as error:
        # No text of `error`: a broken base64 or PEM is quoted in some of them.
        raise ConfigError(f"{where}: its certificates, keys or user cannot be used ({type(error).__name__})") from error
    if skip_tls_verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if target.exec_plugin is not None and auth is None:
        auth = ExecPluginAuth(target.exec_plugin, where)
    proxy = proxies.proxy_for(target.server, target.proxy_url, where)
    client = httpx2.AsyncClient(
        auth=auth,
        transport=ClusterTransport(tls, CONNECTIONS, proxy, writable=writable),
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "k8s-tuning",
            **target.impersonate,
        },
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )
    return Link(target, client, credentials)


def credentials_of(target: Target) -> tuple[Any, ...]:
    """What a target signs in with, files by their content. OSError where one cannot be read."""
    user = target.config.user or User()
    files = (user.client_cert, user.client_key)
    return (user, target.exec_plugin, *(Path(file).read_bytes() if file else None for file in files))


def host_of(server: str) -> str:
    """Host and port without a user, a password or a path, which may be secret."""
    url = httpx2.URL(server)
    return f"{url.host}:{url.port}" if url.port else url.host
