"""What a kubeconfig's cluster and user say, as a TLS context and an Authorization header, read as by kubectl."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from k8s_tuning import certificates
from k8s_tuning.cluster.exec_plugin import ExecPlugin
from k8s_tuning.cluster.kubeconfig import ClusterEntry, UserEntry
from k8s_tuning.errors import ConfigError, Unauthorized
from k8s_tuning.tokens import clean_token


class Credential:
    """How requests say who they are: by one header, or by none (nobody, or a client certificate)."""

    def __init__(self, header: str | None = None) -> None:
        self._header = header

    async def header(self) -> str | None:
        """The Authorization header."""
        return self._header

    def refused(self, _header: str) -> bool:
        """The server answered 401 to this header: whether another one can be had."""
        return False


class RenewedToken(Credential):
    """A bearer token from what renews it: fetched at first, when it has expired, and once more after a 401.

    `fetch`: the token, and when it expires where that is known. Unauthorized or ConfigError where it has none.
    """

    def __init__(self, fetch: Callable[[], Awaitable[tuple[str, datetime | None]]]) -> None:
        super().__init__()
        self._fetch = fetch
        self._expires: datetime | None = None
        self._turn = asyncio.Lock()
        self._runs = 0  # that have ended
        self._failure: Unauthorized | ConfigError | None = None

    async def header(self) -> str | None:
        """The header with the token."""
        runs = self._runs
        async with self._turn:  # thirty-two requests at once must not start thirty-two plugins
            if self._failure is not None and self._runs > runs:
                raise self._failure  # of the run that this request waited for: another would take as long
            expired = self._expires is not None and datetime.now(UTC) >= self._expires
            if self._header is None or expired:
                try:
                    token, self._expires = await self._fetch()
                except (Unauthorized, ConfigError) as error:
                    self._failure = error
                    raise
                finally:
                    self._runs += 1
                self._failure = None
                self._header = f"Bearer {token}"
            return self._header

    def refused(self, header: str) -> bool:
        """The token is fetched anew for the next request."""
        if self._header == header:
            self._header = None
        return True


def tls_context(cluster: ClusterEntry, user: UserEntry, where: str) -> ssl.SSLContext:
    """The context for one cluster; data goes before files. ConfigError for a file that is not there or a locked key.

    ssl.SSLError, OSError, ValueError or TypeError where a certificate or key is broken.
    """

    def locked() -> bytes:
        raise ConfigError(
            f"{where}: the client key is locked with a passphrase, which nobody is there to type; unlock it"
        )

    with contextlib.ExitStack() as files:
        file = partial(_file, files, where)
        if cluster.insecure_skip_tls_verify:
            tls = certificates.trusting_all()
        else:
            authority = file(cluster.certificate_authority_data, cluster.certificate_authority)
            tls = certificates.as_go(ssl.create_default_context(cafile=authority))
        if certificate := file(user.client_certificate_data, user.client_certificate):
            key = file(user.client_key_data, user.client_key)
            tls.load_cert_chain(certificate, key, password=locked)
    return tls


def credential(user: UserEntry, address_user: tuple[str, str] | None, where: str) -> Credential:
    """How requests say who they are. `address_user`: name and password in the server's address.

    ConfigError for a broken token or an exec plugin that cannot be used.
    """
    if user.token_file:
        return RenewedToken(partial(_read_token, user.token_file, where))
    if user.token and user.token.strip():
        token = clean_token(user.token, f"{where}: the user's token")
        return Credential(f"Bearer {token}")
    if user.username:
        return Credential(_basic(user.username, user.password or ""))
    if user.exec is not None:
        return RenewedToken(ExecPlugin(user.exec, where).token)
    return Credential(_basic(*address_user) if address_user else None)


async def _read_token(path: str, where: str) -> tuple[str, None]:
    try:
        text = await asyncio.to_thread(Path(path).read_text)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(f"{where}: the token file {path} cannot be read: {reason}") from error
    return clean_token(text, f"{where}: the token in {path}"), None


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _file(files: contextlib.ExitStack, where: str, data: str | None, path: str | None) -> str | None:
    """A path for OpenSSL, which reads a client's certificate and key from files alone; `data` is base64."""
    if data:
        held = files.enter_context(tempfile.NamedTemporaryFile())  # noqa: SIM115 - `files` closes it
        held.write(base64.b64decode(data))
        held.flush()
        return held.name
    if path and not Path(path).is_file():  # OpenSSL's error would not say which
        raise ConfigError(f"{where}: {path}, a certificate or key that it names, is not there")
    return path or None
