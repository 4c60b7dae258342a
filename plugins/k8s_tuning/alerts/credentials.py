"""Where a channel's secrets come from, and which addresses may be spoken to. Nothing here ever shows a secret."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from k8s_tuning.alerts.masking import Masker
from k8s_tuning.errors import ConfigError, InputError

ENVIRONMENT_PREFIX = "K8S_TUNING_CONNECTION_"


@dataclass(frozen=True)
class ChannelSecret:
    """What a connection holds. `url`: the whole address; `host` and `port` are for SMTP. All of it is kept out of repr.

    `password`: the token, routing key, signing secret or SMTP password, as the channel's type says. `extra`: settings
    of the connection (`headers`, `disable_ssl`, `disable_tls`). `proxy`: goes before the environment's.
    `conn_type`: the type of the Airflow connection; None for what the environment holds, which has none.

    A number where a text belongs is taken as its digits, and a port as text as a number; ConfigError, which names the
    field and shows none of it, for anything else.
    """

    url: str | None = field(default=None, repr=False)
    host: str | None = field(default=None, repr=False)
    port: int | None = field(default=None, repr=False)
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    conn_type: str | None = None

    def __post_init__(self) -> None:
        """Check the fields: they come from JSON that people write."""
        for name in ("url", "host", "login", "password", "proxy"):
            object.__setattr__(self, name, _text(getattr(self, name), name))
        object.__setattr__(self, "port", _port(self.port))
        extra: Any = {} if self.extra is None else self.extra
        if not isinstance(extra, Mapping):
            raise ConfigError('the connection\'s extra is not a JSON object; write it as {"NAME": VALUE}')
        object.__setattr__(self, "extra", extra)

    @cached_property
    def masker(self) -> Masker:
        """What replaces all of it by `***`."""
        return Masker(self)


Resolve = Callable[[str], ChannelSecret]


def from_environment(connection: str, environment: Mapping[str, str] | None = None) -> ChannelSecret:
    """The connection of this name from K8S_TUNING_CONNECTION_<NAME>: a URL, or JSON with ChannelSecret's fields.

    Letters of the name are upper case there, and what is not a letter or digit is `_`.
    """
    variable = variable_of(connection)
    text = (os.environ if environment is None else environment).get(variable, "").strip()
    if not text:
        raise InputError(
            f"connection {connection!r}: the environment variable {variable} is not set; "
            'set it to the URL, or to JSON: {"url": "…"} or {"host": "…", "port": 25, "login": "…", "password": "…"}'
        )
    if not text.startswith("{"):
        check_url(text, f"${variable}")
        return ChannelSecret(url=text)
    try:
        return ChannelSecret(**json.loads(text))
    except ConfigError as error:
        raise InputError(f"${variable}: {error}") from None
    except (ValueError, TypeError, RecursionError):
        # The decoder's own message could quote the secret.
        raise InputError(
            f"${variable}: not usable JSON; its keys are url, host, port, login, password and extra"
        ) from None


def _text(value: Any, name: str) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30:
        return str(value)
    if value is None or (isinstance(value, str) and value.isascii()):
        return value
    if not isinstance(value, str):
        raise ConfigError(f"the connection's {name} is not a text; put it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the connection's {name} holds half a character; copy it again") from None
    return value


def _port(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536:
        return value
    raise ConfigError("the connection's port is not a whole number from 1 to 65535")


def variable_of(connection: str) -> str:
    """The environment variable that stands for a connection."""
    return ENVIRONMENT_PREFIX + re.sub(r"[^A-Z0-9]", "_", connection.upper())


def check_url(url: str, where: str) -> str:
    """The URL as it is, where it is one that a notice may go to; ConfigError says what is wrong without showing it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{where}: not a URL (its host or port cannot be read)") from None
    if parts.scheme not in ("http", "https"):
        scheme = f"the scheme {parts.scheme!r}" if parts.scheme else "no scheme"
        raise ConfigError(f"{where}: a URL with {scheme}; only http and https are spoken here")
    if not host:
        raise ConfigError(f"{where}: a URL without a host; write it as https://HOST/PATH")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ConfigError(f"{where}: a URL with blanks or control characters; copy it again")
    return url


def place_of(url: str) -> str:
    """The part of a URL that is no secret: scheme, host and port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}"
