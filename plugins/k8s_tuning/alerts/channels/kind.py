"""What every kind of channel is: a pure `render`, and a thin `send`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.notice import Notice, Sent
from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.tokens import clean_token

# `type` is also a field below.
OptionType = type[Any] | tuple[type[Any], ...]

# Stands in a rendered body where `send` puts a secret.
MASK = "***"
# Prometheus' and PagerDuty's word for a severity.
SEVERITY = {IncidentSeverity.CRITICAL: "critical", IncidentSeverity.WARN: "warning", IncidentSeverity.INFO: "info"}


@dataclass(frozen=True)
class ChannelConfig:
    """One channel of a receiver. `connection`: the name by which its secret is resolved. `options`: the type's own."""

    name: str
    type: str
    connection: str | None = None
    min_severity: IncidentSeverity = IncidentSeverity.INFO
    send_resolved: bool = True
    timeout_seconds: float = 5.0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """One message as it will go, but for its secrets. `what`: what it does there, for a reader of a dry run."""

    what: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChannelKind:
    """A type of channel.

    `options`: its own keys in the configuration, each with the type of its value; `required` ones among them.
    `connection_types`: the types of Airflow connections that may hold its secret; without one it has no secret.
    `per_incident`: a message is always of one incident, whatever group_by says. `acknowledges`: a person's taking an
    incident is sent, too. `check` refuses settings that cannot work: ConfigError. `render` is pure; `send` makes the
    requests, once, and raises DeliveryError.
    """

    type: str
    render: Callable[[Notice, ChannelConfig], list[Draft]]
    send: Callable[[list[Draft], ChannelConfig, ChannelSecret], Sent]
    options: Mapping[str, OptionType] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    connection_types: tuple[str, ...] = ()
    per_incident: bool = False
    acknowledges: bool = False
    check: Callable[[ChannelConfig], None] | None = None

    @property
    def needs_connection(self) -> bool:
        """Whether it has a secret at all."""
        return bool(self.connection_types)


def json_body(value: Any) -> bytes:
    """JSON as UTF-8, nothing escaped that need not be. What JSON has no form for is its text."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # half a character, or a number of more than 64 bits
        return json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace")


def required_url(secret: ChannelSecret, config: ChannelConfig) -> str:
    """The connection's URL; ConfigError where it has none."""
    if not secret.url:
        raise ConfigError(f"connection {config.connection!r} of channel {config.name!r}: it has no URL; put it there")
    return secret.url.strip()


def required_token(secret: ChannelSecret, config: ChannelConfig, what: str, given: Any = None) -> str:
    """`given`, else the connection's password, without white space around it; `what`: what it is called there.

    ConfigError where there is none, or where it cannot be one.
    """
    place = f"connection {config.connection!r} of channel {config.name!r}"
    token = str(given or secret.password or "").strip()
    if not token:
        raise ConfigError(f"{place}: it has no {what}; put it into its password")
    return clean_token(token, f"{place}: its {what}")
