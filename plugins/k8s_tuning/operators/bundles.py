"""Arguments that several operators have in common: which cluster, and where alerts go.

A DAG file writes each once, as a mapping of the fields below, and hands it to its tasks; templates in it are rendered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from k8s_tuning.addresses import target_address
from k8s_tuning.errors import InputError
from k8s_tuning.hooks.kubernetes import KubernetesAccessHook

if TYPE_CHECKING:
    from k8s_tuning.cluster.connection import ClusterAccess
    from k8s_tuning.usecases.alert_channel import Channel


@dataclass(frozen=True)
class Cluster:
    """A selection of Jobs on one cluster.

    `kubernetes_conn_id`: a connection of the cncf-kubernetes provider; `kubeconfig` (a path) and `context` go before
    what it says. An empty text is as good as None.
    """

    namespace: str = ""
    label_selector: str = ""
    kubernetes_conn_id: str = KubernetesAccessHook.default_conn_name
    kubeconfig: str | None = None
    context: str | None = None

    @property
    def name(self) -> str | None:
        """What the history calls it: the connection's id; None (its server) where another is asked for."""
        return None if self.kubeconfig or self.context else self.kubernetes_conn_id

    @property
    def page(self) -> str:
        """The health page of these Jobs."""
        return page_of(self.namespace, self.label_selector, self.name)

    def access(self) -> ClusterAccess:
        """How to connect; ConfigError where the connection is missing or contradicts itself."""
        return KubernetesAccessHook(self.kubernetes_conn_id, self.kubeconfig, self.context).access()


@dataclass(frozen=True)
class Alerts:
    """Where a run's alerts go, and whether they leave at all.

    `alerting_config`: the path of alerting.yaml. `channel_type`: `routes` for what that says, else one kind of channel,
    with its connection `channel_conn_id`.
    """

    alerting_config: str
    channel_type: str = "console"
    channel_conn_id: str = ""
    alerts_enabled: bool | str = False

    @property
    def dry_run(self) -> bool:
        """Whether alerts are only shown; InputError where `alerts_enabled` is no bool."""
        return not is_true(self.alerts_enabled, "alerts_enabled")

    def channel(self) -> Channel:
        """The channel; ConfigError where alerting.yaml does not name the connection."""
        from k8s_tuning.usecases.alert_channel import channel_of_params

        return channel_of_params(self.channel_type, self.channel_conn_id, self.alerting_config)


def page_of(namespace: str, selector: str, cluster: str | None) -> str:
    """The health page of a target; the default connection's goes without saying."""
    is_default = cluster == KubernetesAccessHook.default_conn_name
    return target_address(namespace, selector, cluster=None if is_default else cluster)


def is_true(value: object, name: str) -> bool:
    """A bool, or one that a template rendered into text; InputError for anything else."""
    if value in (True, "True", "true"):
        return True
    if value in (False, "False", "false"):
        return False
    raise InputError(f"{name} must be true or false, not {value!r}")
