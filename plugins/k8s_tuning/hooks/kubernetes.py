"""The cncf-kubernetes provider's connections (type `kubernetes`, the same fields) as a ClusterAccess.

The provider's own hook is not used: it imports two Kubernetes clients, 2.5 seconds that every task would pay. The
cluster's room is imported on use, here and in the operators: DAG files import them, and are parsed every few seconds.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from k8s_tuning.errors import ConfigError

if TYPE_CHECKING:
    from k8s_tuning.cluster.connection import ClusterAccess

_TRUE = {"true", "1", "yes", "on", "t", "y"}
_FALSE = {"false", "0", "no", "off", "f", "n", "", "none"}


class KubernetesAccessHook(BaseHook):
    """Which cluster a connection id stands for.

    `kubeconfig` (a path) and `context` go before the connection's own. A `kubernetes_default` that nobody defined means
    what it means to the provider: in-cluster, else $KUBECONFIG or ~/.kube/config.
    """

    conn_name_attr = "kubernetes_conn_id"
    default_conn_name = "kubernetes_default"
    conn_type = "kubernetes"
    hook_name = "Kubernetes Cluster Connection"

    def __init__(
        self, kubernetes_conn_id: str = default_conn_name, kubeconfig: str | None = None, context: str | None = None
    ) -> None:
        super().__init__()
        self.kubernetes_conn_id = kubernetes_conn_id
        self.kubeconfig = kubeconfig or None
        self.context = context or None

    def access(self) -> ClusterAccess:
        """The access; ConfigError where the connection is missing or its fields contradict each other."""
        return self._access(None if self.kubeconfig else self._found())

    async def aaccess(self) -> ClusterAccess:
        """The same inside the triggerer's event loop."""
        return self._access(None if self.kubeconfig else await self._afound())

    def get_conn(self) -> ClusterAccess:
        """The access: Airflow's name for it."""
        return self.access()

    def _found(self) -> Connection | None:
        try:
            return self.get_connection(self.kubernetes_conn_id)
        except (AirflowNotFoundException, AirflowRuntimeError):
            self._check_undefined()
            return None

    async def _afound(self) -> Connection | None:
        try:
            return await self.aget_connection(self.kubernetes_conn_id)
        except (AirflowNotFoundException, AirflowRuntimeError):
            self._check_undefined()
            return None

    def _check_undefined(self) -> None:
        if self.kubernetes_conn_id != self.default_conn_name:
            raise ConfigError(
                f"connection {self.kubernetes_conn_id!r} is not defined; add it in Airflow (type Kubernetes), "
                f"or use {self.default_conn_name!r}"
            )

    def _access(self, connection: Connection | None) -> ClusterAccess:
        from k8s_tuning.cluster.connection import ClusterAccess

        if connection is None:
            return ClusterAccess(kubeconfig=self.kubeconfig, context=self.context)
        extra = {key.removeprefix("extra__kubernetes__"): value for key, value in connection.extra_dejson.items()}
        return ClusterAccess(
            kubeconfig=extra.get("kube_config_path") or None,
            content=self._content(extra.get("kube_config")),
            context=self.context or extra.get("cluster_context") or None,
            in_cluster=self._flag(extra, "in_cluster"),
            skip_tls_verify=self._flag(extra, "disable_verify_ssl"),
            # In a thread: one way for tasks and for the triggerer, each with an event loop of its own.
            reread=lambda: asyncio.to_thread(self.access),
        )

    def _content(self, kube_config: Any) -> dict[str, Any] | None:
        if not kube_config:
            return None
        try:
            content = kube_config if isinstance(kube_config, dict) else json.loads(kube_config)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            # The decoder's message would quote the secret.
            raise ConfigError(f"connection {self.kubernetes_conn_id!r}: kube_config is not a JSON object") from None
        return content

    def _flag(self, extra: dict[str, Any], name: str) -> bool:
        text = str(extra.get(name, "")).strip().lower()
        if text not in _TRUE | _FALSE:
            raise ConfigError(f"connection {self.kubernetes_conn_id!r}: {name} must be true or false")
        return text in _TRUE
