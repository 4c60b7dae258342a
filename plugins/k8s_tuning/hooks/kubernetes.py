"""The cncf-kubernetes provider's connections (type `kubernetes`, the same fields) as a ClusterAccess.

The provider's own hook is not used: it imports two Kubernetes clients, 2.5 seconds that every task would pay. The
cluster's room is imported on use, here and in the operators: DAG files import them, and are parsed every few seconds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.fields import aextra_of, extra_of, field_of, is_undefined, text_of

if TYPE_CHECKING:
    from k8s_tuning.cluster.connection import ClusterAccess

_TRUE = {"true", "1", "yes", "on", "t", "y"}
_FALSE = {"false", "0", "no", "off", "f", "n", "", "none"}


class KubernetesAccessHook(BaseHook):
    """Which cluster a connection id stands for.

    `kubeconfig` (a path) and `context` go before the connection's own. A connection that names no cluster, and a
    `kubernetes_default` that nobody defined, mean what they mean to the provider: in-cluster inside a pod, else
    $KUBECONFIG or ~/.kube/config. Where a field names one, these are never taken in its stead; a context without a
    kubeconfig is looked for in the files.
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
        connection = None if self.kubeconfig else self._found()
        return self._access(extra_of(connection) if connection else {})

    async def aaccess(self) -> ClusterAccess:
        """The same inside the triggerer's event loop."""
        connection = None if self.kubeconfig else await self._afound()
        return self._access(await aextra_of(connection) if connection else {})

    def get_conn(self) -> ClusterAccess:
        """The access: Airflow's name for it."""
        return self.access()

    def _found(self) -> Connection | None:
        try:
            return self.get_connection(self.kubernetes_conn_id)
        except (AirflowNotFoundException, AirflowRuntimeError) as error:
            if not is_undefined(error):
                raise
            self._check_undefined()
            return None

    async def _afound(self) -> Connection | None:
        try:
            return await self.aget_connection(self.kubernetes_conn_id)
        except (AirflowNotFoundException, AirflowRuntimeError) as error:
            if not is_undefined(error):
                raise
            self._check_undefined()
            return None

    def _check_undefined(self) -> None:
        if self.kubernetes_conn_id != self.default_conn_name:
            raise ConfigError(
                f"connection {self.kubernetes_conn_id!r} is not defined; add it in Airflow (type Kubernetes), "
                f"or use {self.default_conn_name!r}"
            )

    def _access(self, extra: dict[str, Any]) -> ClusterAccess:
        from k8s_tuning.cluster.connection import ClusterAccess
        from k8s_tuning.cluster.kubeconfig import is_inside_pod

        if self.kubeconfig:
            return ClusterAccess(kubeconfig=self.kubeconfig, context=self.context)
        in_cluster = self._flag(extra, "in_cluster")
        # The provider does not look at a context in-cluster; one that a task names must not be ignored.
        context = self.context or (None if in_cluster else self._text(extra, "cluster_context"))
        path, content = self._text(extra, "kube_config_path"), self._content(extra)
        names_none = path is None and content is None and context is None
        return ClusterAccess(
            kubeconfig=path,
            content=content,
            context=context,
            in_cluster=in_cluster or (names_none and is_inside_pod()),
            skip_tls_verify=self._flag(extra, "disable_verify_ssl"),
            # In a thread: one way for tasks and for the triggerer, each with an event loop of its own.
            reread=lambda: asyncio.to_thread(self.access),
        )

    def _text(self, extra: dict[str, Any], name: str) -> str | None:
        return text_of(extra, self.conn_type, name, self.kubernetes_conn_id)

    def _content(self, extra: dict[str, Any]) -> dict[str, Any] | None:
        content = field_of(extra, self.conn_type, "kube_config")
        if isinstance(content, str):
            try:
                content = yamlfile.parse(content, "kube_config", yamlfile.Dialect.KUBECTL)
            except ConfigError:
                content = False
        elif content is None:
            return None
        if not isinstance(content, dict):
            # The parser's message would quote the secret.
            raise ConfigError(
                f"connection {self.kubernetes_conn_id!r}: kube_config is not a JSON object or a YAML mapping"
            ) from None
        return content

    def _flag(self, extra: dict[str, Any], name: str) -> bool:
        value = field_of(extra, self.conn_type, name)
        text = "" if value is None else str(value).strip().lower()
        if text not in _TRUE | _FALSE:
            raise ConfigError(f"connection {self.kubernetes_conn_id!r}: {name} must be true or false")
        return text in _TRUE
