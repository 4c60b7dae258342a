"""Where the alerts of a run or a target go, as params and targets.yaml name it."""

from __future__ import annotations

from dataclasses import dataclass

from k8s_tuning.alerts import AlertingConfig, load_config
from k8s_tuning.alerts.channels import CHANNELS, ChannelConfig
from k8s_tuning.errors import ConfigError

ROUTES = "routes"


@dataclass(frozen=True)
class Channel:
    """One channel by its kind `type`, with its connection `conn_id`; or `routes`, as `config_file` says."""

    type: str
    conn_id: str = ""
    config_file: str = ""

    def alerting(self) -> AlertingConfig:
        """The configuration that this stands for; ConfigError where it cannot work."""
        if self.type == ROUTES:
            return load_config(self.config_file)
        kind = CHANNELS.get(self.type)
        if kind is None:
            raise ConfigError(f"unknown channel {self.type!r}; known are {', '.join((*CHANNELS, ROUTES))}")
        if kind.needs_connection and not self.conn_id:
            raise ConfigError(f"channel {self.type!r} needs channel_conn_id, the Airflow connection with its secret")
        if kind.required:
            settings = ", ".join(kind.required)
            raise ConfigError(
                f"channel {self.type!r} needs settings ({settings}): give it a receiver in {self.config_file}"
            )
        return AlertingConfig.single(ChannelConfig(self.type, self.type, self.conn_id or None))


def channel_of_params(channel_type: str, conn_id: str, config_file: str) -> Channel:
    """The channel that a run's params name; ConfigError where alerting.yaml does not name the connection.

    Whoever may trigger a DAG may fill in its params: with any connection, its secret would go where they like.
    """
    if conn_id and channel_type != ROUTES and not load_config(config_file).names_connection(conn_id):
        raise ConfigError(
            f"channel_conn_id: {conn_id!r} is no connection that {config_file} names; name it there, in a receiver or "
            "under allowed_connections"
        )
    return Channel(channel_type, conn_id, config_file)
