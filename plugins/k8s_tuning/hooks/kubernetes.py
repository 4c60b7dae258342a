"""The cncf-kubernetes provider's connections (type `kubernetes`, the same fields) as a ClusterAccess.

The provider's own hook is not used: it imports two Kubernetes clients, 2.5 seconds that every task would pay. The
cluster's room is imported on use, here and in the operators: DAG files import them, and are parsed every few seconds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.fields import extra_of, field_of, find_connection, text_of

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
        """The access; ConfigError where the connection is missing or its fields contradict each other.

        It asks Airflow and waits for the answer: in an event loop, call it in a thread.
        """
        from k8s_tuning.cluster.connection import ClusterAccess
        from k8s_tuning.cluster.kubeconfig import is_inside_pod

        if self.kubeconfig:
            return ClusterAccess(kubeconfig=self.kubeconfig, context=self.context)
        extra = self._extra()
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
            reread=lambda: asyncio.to_thread(self.access),
        )

    get_conn = access

    def _extra(self) -> dict[str, Any]:
        connection = find_connection(self.kubernetes_conn_id)
        if connection is not None:
            return extra_of(connection)
        if self.kubernetes_conn_id != self.default_conn_name:
            raise ConfigError(
                f"connection {self.kubernetes_conn_id!r} is not defined; add it in Airflow (type Kubernetes), "
                f"or use {self.default_conn_name!r}"
            )
        return {}

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
