"""What a kubeconfig's cluster and user say, as a TLS context and an Authorization header, read as by kubectl."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from k8s_tuning import certificates
from k8s_tuning.cluster.exec_plugin import ExecPlugin
from k8s_tuning.cluster.kubeconfig import ClusterEntry, UserEntry
from k8s_tuning.errors import ConfigError
from k8s_tuning.tokens import clean_token


class Credential(Protocol):
    """How requests say who they are."""

    async def header(self) -> str | None:
        """The Authorization header; None for nobody, or for a client certificate."""

    def refused(self, header: str) -> bool:
        """The server answered 401 to this header: whether another one can be had."""


def tls_context(cluster: ClusterEntry, user: UserEntry, where: str) -> ssl.SSLContext:
    """The context for one cluster; data goes before files. ConfigError for a file that is not there or a locked key.

    ssl.SSLError, OSError, ValueError or TypeError where a certificate or key is broken.
    """
    with contextlib.ExitStack() as files:

        def file(data: str | None, path: str | None) -> str | None:
            return files.enter_context(_file(data, path, where))

        if cluster.insecure_skip_tls_verify:
            tls = certificates.trusting_all()
        elif authority := file(cluster.certificate_authority_data, cluster.certificate_authority):
            tls = certificates.as_go(ssl.create_default_context(cafile=authority))
        else:
            tls = certificates.trusting_system()
        if certificate := file(user.client_certificate_data, user.client_certificate):
            key = file(user.client_key_data, user.client_key)
            tls.load_cert_chain(certificate, key, password=lambda: _locked(where))
    return tls


def credential(user: UserEntry, address_user: tuple[str, str] | None, where: str) -> Credential:
    """How requests say who they are. `address_user`: name and password in the server's address.

    ConfigError for a broken token or an exec plugin that cannot be used.
    """
    if user.token_file:
        return TokenFile(user.token_file, where)
    if user.token and user.token.strip():
        token = clean_token(user.token, f"{where}: the user's token")
        return Fixed(f"Bearer {token}")
    if user.username:
        return Fixed(_basic(user.username, user.password or ""))
    if user.exec is not None:
        return ExecPlugin(user.exec, where)
    return Fixed(_basic(*address_user) if address_user else None)


class Fixed:
    """One header for all requests, or none."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    async def header(self) -> str | None:
        """The same each time."""
        return self._header

    def refused(self, _header: str) -> bool:
        """There is no other one."""
        return False


class TokenFile:
    """A token in a file, which something renews: read at first, and again after a 401."""

    def __init__(self, path: str, where: str) -> None:
        self._path = path
        self._where = where
        self._header: str | None = None

    async def header(self) -> str:
        """What the file held when it was read; ConfigError where it holds no token."""
        if self._header is None:
            self._header = f"Bearer {await asyncio.to_thread(self._read)}"
        return self._header

    def refused(self, header: str) -> bool:
        """The file is read once more for the next request."""
        if self._header == header:
            self._header = None
        return True

    def _read(self) -> str:
        try:
            text = Path(self._path).read_text()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigError(f"{self._where}: the token file {self._path} cannot be read: {reason}") from error
        return clean_token(text, f"{self._where}: the token in {self._path}")


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@contextlib.contextmanager
def _file(data: str | None, path: str | None, where: str) -> Iterator[str | None]:
    """A path for OpenSSL, which reads a client's certificate and key from files alone; `data` is base64."""
    if not data:
        if path and not Path(path).is_file():  # OpenSSL's error would not say which
            raise ConfigError(f"{where}: {path}, a certificate or key that it names, is not there")
        yield path or None
        return
    with tempfile.NamedTemporaryFile() as held:
        held.write(base64.b64decode(data))
        held.flush()
        yield held.name


def _locked(where: str) -> bytes:
    raise ConfigError(f"{where}: the client key is locked with a passphrase, which nobody is there to type; unlock it")
