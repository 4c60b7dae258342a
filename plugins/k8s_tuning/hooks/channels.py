"""Where alerts go from Airflow: the channel that a param or a target names, and its secrets from a connection.

The secrets go to the channel that sends, and nowhere else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from k8s_tuning import timestamps
from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.fields import extra_of, field_of, is_undefined, text_of

if TYPE_CHECKING:
    from k8s_tuning.alerts import AlertingConfig, ChannelSecret, Observation, Outcome

ROUTES = "routes"


@dataclass(frozen=True)
class Channel:
    """Where a target's alerts go: `type` a kind of channel and `conn_id` its connection, or as `config_file` routes."""

    type: str
    conn_id: str = ""
    config_file: str = ""

    def alerting(self) -> AlertingConfig:
        """The configuration that this stands for; ConfigError where it cannot work."""
        from k8s_tuning.alerts import AlertingConfig, load_config
        from k8s_tuning.alerts.channels import CHANNELS, ChannelConfig

        if self.type == ROUTES:
            return load_config(self.config_file)
        if self.type not in CHANNELS:
            raise ConfigError(f"unknown channel {self.type!r}; known are {', '.join((*CHANNELS, ROUTES))}")
        if CHANNELS[self.type].needs_connection and not self.conn_id:
            raise ConfigError(f"channel {self.type!r} needs channel_conn_id, the Airflow connection with its secret")
        if CHANNELS[self.type].required:
            settings = ", ".join(CHANNELS[self.type].required)
            raise ConfigError(
                f"channel {self.type!r} needs settings ({settings}): give it a receiver in {self.config_file}"
            )
        return AlertingConfig.single(ChannelConfig(self.type, self.type, self.conn_id or None))


def channel_of_params(channel_type: str, conn_id: str, config_file: str) -> Channel:
    """The channel that a run's params name; ConfigError where alerting.yaml does not name the connection.

    Whoever may trigger a DAG may fill in its params: with any connection, its secret would go where they like.
    """
    from k8s_tuning.alerts import load_config

    if conn_id and channel_type != ROUTES and not load_config(config_file).names_connection(conn_id):
        raise ConfigError(
            f"channel_conn_id: {conn_id!r} is no connection that {config_file} names; name it there, in a receiver or "
            "under allowed_connections"
        )
    return Channel(channel_type, conn_id, config_file)


def resolve_connection(conn_id: str) -> ChannelSecret:
    """What a connection of the Slack, PagerDuty, SMTP or HTTP provider holds; ConfigError where it is not defined.

    Each is read as its provider's hook reads it. A webhook's URL is a secret: it lives in the connection's password,
    which Airflow masks in logs (it does not mask the host). With the URL there, `signing_secret` of the extra signs a
    generic webhook; else the password.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except (AirflowNotFoundException, AirflowRuntimeError) as error:
        if not is_undefined(error):
            raise ConfigError(f"connection {conn_id!r} could not be read from Airflow; try again") from error
        raise ConfigError(
            f"connection {conn_id!r} is not defined; add it in Airflow, or name another channel"
        ) from None
    return replace(_secret_of(connection, conn_id), conn_type=connection.conn_type or "")


def _secret_of(connection: Connection, conn_id: str) -> ChannelSecret:
    from k8s_tuning.alerts import ChannelSecret

    kind, extra = connection.conn_type or "", extra_of(connection)
    if kind == "slackwebhook":
        return ChannelSecret(url=_slack_webhook_url(connection), proxy=_proxy(extra, kind, conn_id))
    if kind == "slack":
        url = text_of(extra, kind, "base_url", conn_id) or _url(connection)
        return ChannelSecret(url=url, password=connection.password, extra=extra, proxy=_proxy(extra, kind, conn_id))
    if kind == "smtp":
        return ChannelSecret(
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            extra=extra,
        )
    proxy = _proxy(extra, kind, conn_id)
    if "://" in (connection.password or ""):
        secret = extra.pop("signing_secret", None)
        return ChannelSecret(url=connection.password, password=secret, extra=extra, proxy=proxy)
    return ChannelSecret(
        url=_url(connection), password=connection.password, login=connection.login, extra=extra, proxy=proxy
    )


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


def announce(
    channel: Channel, observation: Observation, ledger_file: str, run_id: str, *, dry_run: bool
) -> list[Outcome]:
    """Plan and deliver what one observation calls for, for callers that are one task or callback of their own."""
    from k8s_tuning.alerts import Ledger, deliver_notice, plan_notices

    config, ledger = channel.alerting(), Ledger(ledger_file)
    notices = plan_notices(config, [observation], ledger, timestamps.now(), run_id, dry_run=dry_run)
    return [deliver_notice(config, notice, resolve_connection, ledger, dry_run=dry_run) for notice in notices]
