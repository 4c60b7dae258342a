"""The secrets of a channel of alerts, from an Airflow connection.

They go to the channel that sends, and nowhere else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowRuntimeError

from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.fields import extra_of, field_of, find_connection, text_of

if TYPE_CHECKING:
    from k8s_tuning.alerts import ChannelSecret


def resolve_connection(conn_id: str) -> ChannelSecret:
    """What a connection of the Slack, PagerDuty, SMTP or HTTP provider holds; ConfigError where it is not defined.

    Each is read as its provider's hook reads it. A webhook's URL is a secret: it lives in the connection's password,
    which Airflow masks in logs (it does not mask the host). With the URL there, `signing_secret` of the extra signs a
    generic webhook; else the password.
    """
    try:
        connection = find_connection(conn_id)
    except AirflowRuntimeError as error:
        raise ConfigError(f"connection {conn_id!r} could not be read from Airflow; try again") from error
    if connection is None:
        raise ConfigError(f"connection {conn_id!r} is not defined; add it in Airflow, or name another channel")
    return replace(_secret_of(connection, conn_id), conn_type=connection.conn_type or "")


def _secret_of(connection: Connection, conn_id: str) -> ChannelSecret:
    from k8s_tuning.alerts import ChannelSecret

    kind, extra = connection.conn_type or "", extra_of(connection)
    login, password = connection.login, connection.password
    if kind == "smtp":
        return ChannelSecret(host=connection.host, port=connection.port, login=login, password=password, extra=extra)
    proxy = _proxy(extra, kind, conn_id)
    if kind == "slackwebhook":
        return ChannelSecret(url=_slack_webhook_url(connection), proxy=proxy)
    if kind == "slack":
        url = text_of(extra, kind, "base_url", conn_id) or _url(connection)
        return ChannelSecret(url=url, password=password, extra=extra, proxy=proxy)
    if "://" in (password or ""):
        secret = extra.pop("signing_secret", None)
        return ChannelSecret(url=password, password=secret, extra=extra, proxy=proxy)
    return ChannelSecret(url=_url(connection), password=password, login=login, extra=extra, proxy=proxy)


def _slack_webhook_url(connection: Connection) -> str:
    """As SlackWebhookHook has it, which is not imported: it brings slack_sdk, half a second that every sending pays."""
    token = (connection.password or "").strip()
    if not token:
        raise ConfigError(f"connection {connection.conn_id!r} has no password; put the webhook's token or URL there")
    if "://" in token:
        return token
    base = connection.host or ""
    if "://" not in base:
        base = f"{connection.schema or 'https'}://{connection.host or 'hooks.slack.com/services'}"
    return f"{base.rstrip('/')}/{token.lstrip('/')}".rstrip("/")


def _url(connection: Connection) -> str | None:
    """As HttpHook has it: `http` unless the schema says otherwise, the port behind the host. None without a host.

    Other types' receivers speak https alone. HttpHook would put the port behind a path; here it follows the host.
    """
    host = (connection.host or "").strip()
    if not host:
        return None
    if "://" not in host:
        scheme = connection.schema or ("http" if connection.conn_type == "http" else "https")
        host = f"{scheme}://[{host}]" if _is_ipv6(host) else f"{scheme}://{host}"
    if not connection.port:
        return host
    scheme, _, rest = host.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place}:{connection.port}{slash}{path}"


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _proxy(extra: Mapping[str, Any], conn_type: str, conn_id: str) -> str | None:
    """The proxy that the connection names: Slack's `proxy`, HttpHook's `proxies` (by scheme) or `proxy`."""
    for name in ("proxies", "proxy"):
        value = field_of(extra, conn_type, name)
        if isinstance(value, Mapping):
            value = value.get("https") or value.get("http") or value.get("all")
        if value:
            if not isinstance(value, str):
                raise ConfigError(f"connection {conn_id!r}: {name} is neither a text nor a mapping of texts")
            return value if "://" in value else f"http://{value}"
    return None
