"""What a kubeconfig's cluster and user say, as a TLS context and as an authentication, read as kubectl reads them.

lightkube has both too, but takes a certificate's file before its data, asks the terminal for a key's passphrase, and
sends a token as it is written.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
from lightkube.config.models import Cluster, FileStr, User

from k8s_tuning import certificates
from k8s_tuning.errors import ConfigError
from k8s_tuning.tokens import clean_token


def tls_context(cluster: Cluster, user: User, where: str) -> ssl.SSLContext:
    """The context for one cluster; data goes before files. ConfigError for a file that is not there or a locked key.

    ssl.SSLError, OSError, ValueError or TypeError where a certificate or key is broken.
    """
    if cluster.insecure:
        tls = certificates.trusting_all()
    elif authority := _file(cluster.certificate_auth_data, cluster.certificate_auth, where):
        tls = certificates.as_go(ssl.create_default_context(cafile=authority))
    else:
        tls = certificates.trusting_system()
    if certificate := _file(user.client_cert_data, user.client_cert, where):
        key = _file(user.client_key_data, user.client_key, where)
        tls.load_cert_chain(certificate, key, password=lambda: _locked(where))
    return tls


def authentication(user: User, where: str) -> httpx2.Auth | None:
    """How requests say who they are; None where nothing does, or a certificate. ConfigError for a broken token."""
    if user.token_file:
        return TokenFileAuth(user.token_file, where)
    if user.token and user.token.strip():
        return BearerAuth(clean_token(user.token, f"{where}: the user's token"))
    if user.username:
        return httpx2.BasicAuth(user.username, user.password or "")
    return None


class BearerAuth(httpx2.Auth):
    """One token, for good."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Add the header."""
        request.headers["Authorization"] = self._header
        yield request


class TokenFileAuth(httpx2.Auth):
    """A token in a file, which something renews: read at first, and again after a 401."""

    def __init__(self, path: str, where: str) -> None:
        self._path = path
        self._where = where
        self._token: str | None = None

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Add the header; after a 401 once more with what the file holds by then."""
        token = self._token or await self._read()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {await self._read()}"
            yield request

    async def _read(self) -> str:
        try:
            text = await asyncio.to_thread(Path(self._path).read_text)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigError(f"{self._where}: the token file {self._path} cannot be read: {reason}") from error
        self._token = clean_token(text, f"{self._where}: the token in {self._path}")
        return self._token


def _file(data: str | None, path: str | None, where: str) -> str | None:
    if data:
        return FileStr(data)
    if path and not Path(path).is_file():  # OpenSSL's error would not say which
        raise ConfigError(f"{where}: {path}, a certificate or key that it names, is not there")
    return path or None


def _locked(where: str) -> bytes:
    raise ConfigError(f"{where}: the client key is locked with a passphrase, which nobody is there to type; unlock it")
