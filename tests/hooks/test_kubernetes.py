"""Which cluster a connection of the cncf-kubernetes provider stands for."""

import asyncio
import json

import pytest

from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.kubernetes import KubernetesAccessHook

SECRET = "t0ken-s3cr3t"
KUBE_CONFIG = {"users": [{"name": "me", "user": {"token": SECRET}}]}


def define(monkeypatch, extra, name="kubernetes_default"):
    connection = {"conn_type": "kubernetes", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


@pytest.mark.parametrize(
    ("extra", "access"),
    [
        pytest.param({}, ClusterAccess(), id="empty"),
        pytest.param({"kube_config_path": "/k"}, ClusterAccess(kubeconfig="/k"), id="path"),
        pytest.param({"extra__kubernetes__kube_config_path": "/k"}, ClusterAccess(kubeconfig="/k"), id="old prefix"),
        pytest.param({"kube_config": KUBE_CONFIG}, ClusterAccess(content=KUBE_CONFIG), id="content"),
        pytest.param({"kube_config": json.dumps(KUBE_CONFIG)}, ClusterAccess(content=KUBE_CONFIG), id="as text"),
        pytest.param({"in_cluster": True}, ClusterAccess(in_cluster=True), id="in the cluster"),
        pytest.param({"in_cluster": "False"}, ClusterAccess(), id="not in the cluster"),
        pytest.param({"cluster_context": "dev"}, ClusterAccess(context="dev"), id="context"),
        pytest.param({"disable_verify_ssl": "true"}, ClusterAccess(skip_tls_verify=True), id="no TLS check"),
    ],
)  # fmt: skip
def test_every_field_of_the_provider_counts(monkeypatch, extra, access):
    define(monkeypatch, extra)
    assert KubernetesAccessHook().access() == access
    assert KubernetesAccessHook().get_conn() == access
    assert asyncio.run(KubernetesAccessHook().aaccess()) == access


def test_what_a_task_names_goes_before_the_connections_own(monkeypatch):
    define(monkeypatch, {"kube_config_path": "/theirs", "cluster_context": "theirs"})
    assert KubernetesAccessHook(context="mine").access() == ClusterAccess(kubeconfig="/theirs", context="mine")
    assert KubernetesAccessHook(kubeconfig="/mine").access() == ClusterAccess(kubeconfig="/mine")


def test_a_default_that_nobody_defined_means_what_kubectl_would_take(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", raising=False)
    assert KubernetesAccessHook().access() == ClusterAccess()
    assert KubernetesAccessHook("", "", "").kubeconfig is None


def test_another_connection_that_nobody_defined_is_named():
    with pytest.raises(ConfigError, match="connection 'kubernetes_prod' is not defined; add it in Airflow"):
        KubernetesAccessHook("kubernetes_prod").access()
    with pytest.raises(ConfigError, match="connection 'kubernetes_prod' is not defined"):
        asyncio.run(KubernetesAccessHook("kubernetes_prod").aaccess())


@pytest.mark.parametrize("content", [f'{{"token": "{SECRET}"', f'["{SECRET}"]', f'"{SECRET}"'])
def test_a_kube_config_that_is_no_json_object_is_refused_and_not_quoted(monkeypatch, content):
    define(monkeypatch, {"kube_config": content})
    with pytest.raises(ConfigError, match="kube_config is not a JSON object") as refused:
        KubernetesAccessHook().access()
    assert SECRET not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("flag", ["in_cluster", "disable_verify_ssl"])
def test_a_flag_that_is_neither_is_refused(monkeypatch, flag):
    define(monkeypatch, {flag: "maybe"})
    with pytest.raises(ConfigError, match=f"{flag} must be true or false"):
        KubernetesAccessHook().access()


def test_an_access_shows_no_secret(monkeypatch):
    define(monkeypatch, {"kube_config": KUBE_CONFIG})
    assert SECRET not in repr(KubernetesAccessHook().access())


def test_a_connection_is_read_once_more_where_the_access_asks_for_it(monkeypatch):
    """After a 401: somebody may have renewed the token in it meanwhile."""
    define(monkeypatch, {"kube_config": KUBE_CONFIG})
    access = KubernetesAccessHook().access()
    renewed = {"users": [{"name": "me", "user": {"token": "renewed"}}]}
    define(monkeypatch, {"kube_config": renewed})
    assert asyncio.run(access.reread()).content == renewed
    assert KubernetesAccessHook(kubeconfig="/mine").access().reread is None
