"""Where alerts go from Airflow: the channel that a param or a target names, and its secrets from a connection.

The secrets go to the channel that sends, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from k8s_tuning import timestamps
from k8s_tuning.errors import ConfigError

if TYPE_CHECKING:
    from k8s_tuning.alerts import AlertingConfig, ChannelSecret, Outcome, Situation

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


def resolve_connection(conn_id: str) -> ChannelSecret:
    """What a connection of the Slack, PagerDuty, SMTP or HTTP provider holds; ConfigError where it is not defined.

    A webhook's URL is a secret: it lives in the connection's password, which Airflow masks in logs (it does not mask
    the host). With the URL there, `signing_secret` of the extra signs a generic webhook; else the password.
    """
    from k8s_tuning.alerts import ChannelSecret

    try:
        connection = BaseHook.get_connection(conn_id)
    except (AirflowNotFoundException, AirflowRuntimeError):
        raise ConfigError(
            f"connection {conn_id!r} is not defined; add it in Airflow, or name another channel"
        ) from None
    if connection.conn_type == "slackwebhook":
        return ChannelSecret(url=_slack_webhook_url(conn_id))
    if connection.conn_type == "smtp":
        return ChannelSecret(
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            extra=connection.extra_dejson,
        )
    extra = dict(connection.extra_dejson)
    if "://" in (connection.password or ""):
        return ChannelSecret(url=connection.password, password=extra.pop("signing_secret", None), extra=extra)
    return ChannelSecret(url=_url(connection), password=connection.password, login=connection.login, extra=extra)


def _slack_webhook_url(conn_id: str) -> str:
    # Imported here: it brings slack_sdk, which only a task that sends needs.
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    try:
        return str(SlackWebhookHook(slack_webhook_conn_id=conn_id).client.url)
    except AirflowNotFoundException:
        raise ConfigError(f"connection {conn_id!r} has no password; put the webhook's token or URL there") from None


def _url(connection: Connection) -> str | None:
    if not connection.host:
        return None
    if "://" in connection.host:
        return connection.host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{connection.host}{port}"


def announce(channel: Channel, situation: Situation, ledger_file: str, run_id: str, *, dry_run: bool) -> list[Outcome]:
    """Plan and deliver what one situation calls for, for callers that are one task or callback of their own."""
    from k8s_tuning.alerts import Ledger, deliver_notice, plan_notices

    config, ledger = channel.alerting(), Ledger(ledger_file)
    notices = plan_notices(config, [situation], ledger, timestamps.now(), run_id, dry_run=dry_run)
    return [deliver_notice(config, notice, resolve_connection, ledger, dry_run=dry_run) for notice in notices]
