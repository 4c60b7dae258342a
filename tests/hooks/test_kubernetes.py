"""Which cluster a connection of the cncf-kubernetes provider stands for."""

import asyncio
import json

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.cluster import kubeconfig
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.fields import field_of
from k8s_tuning.hooks.kubernetes import KubernetesAccessHook

SECRET = "t0ken-s3cr3t"
OLD = "extra__kubernetes__"
YAML = f"users:\n- name: me\n  user:\n    token: {'t0ken-s3cr3t'}\n"
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
        pytest.param({"kube_config": YAML}, ClusterAccess(content=KUBE_CONFIG), id="as YAML"),
        pytest.param({f"{OLD}kube_config": YAML}, ClusterAccess(content=KUBE_CONFIG), id="as YAML, old prefix"),
        pytest.param({"in_cluster": True, "cluster_context": "x"}, ClusterAccess(in_cluster=True), id="no context"),
        pytest.param(
            {"kube_config_path": "/k", f"{OLD}kube_config_path": "/old"}, ClusterAccess(kubeconfig="/k"), id="plain"
        ),
        pytest.param(
            {"kube_config_path": "/k", f"{OLD}kube_config_path": ""}, ClusterAccess(kubeconfig="/k"), id="old one empty"
        ),
        pytest.param(
            {f"{OLD}kube_config_path": "/k", "kube_config_path": ""}, ClusterAccess(kubeconfig="/k"), id="not plain"
        ),
        pytest.param(
            {f"{OLD}kube_config_path": "/k", "kube_config_path": None}, ClusterAccess(kubeconfig="/k"), id="not null"
        ),
        pytest.param({"in_cluster": False, f"{OLD}in_cluster": True}, ClusterAccess(), id="plain false is not empty"),
        pytest.param(
            {f"{OLD}{name}": "" for name in ("in_cluster", "kube_config", "cluster_context")}
            | {f"{OLD}kube_config_path": "/k", f"{OLD}namespace": "default"},
            ClusterAccess(kubeconfig="/k"), id="a form of Airflow 2.2",
        ),
        pytest.param(
            {"disable_tcp_keepalive": True, "xcom_sidecar_container_image": "alpine", "namespace": "x"},
            ClusterAccess(), id="fields of other operators",
        ),
    ],
)  # fmt: skip
def test_every_field_of_the_provider_counts(monkeypatch, extra, access):
    define(monkeypatch, extra)
    assert KubernetesAccessHook().access() == access
    assert KubernetesAccessHook().get_conn() == access


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


@pytest.mark.parametrize(
    "content",
    [
        f'{{"token": "{SECRET}"',
        f'["{SECRET}"]',
        f'"{SECRET}"',
        f"a: b: {SECRET}",
        SECRET,
        " ",
        "# nothing",
        5,
        [SECRET],
    ],
)
def test_a_kube_config_that_is_no_mapping_is_refused_and_not_quoted(monkeypatch, content):
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


@pytest.fixture
def another_cluster(monkeypatch, tmp_path):
    """What the environment would give: a cluster that no field names."""
    path = tmp_path / "another"
    cluster = {"name": "c", "cluster": {"server": "https://another.example"}}
    context = {"name": "x", "context": {"cluster": "c"}}
    path.write_text(json.dumps({"current-context": "x", "clusters": [cluster], "contexts": [context]}))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.mark.usefixtures("another_cluster")
@pytest.mark.parametrize(
    ("extra", "words"),
    [
        pytest.param({"kube_config_path": "/nowhere/config"}, "/nowhere/config", id="a file that is not there"),
        pytest.param({"kube_config_path": " "}, "kubeconfig", id="a blank path"),
        pytest.param({"kube_config_path": ["/k"]}, "kube_config_path is not a text", id="a list"),
        pytest.param({"kube_config": "{}"}, "no current-context", id="an empty object"),
        pytest.param({"kube_config": {}}, "no current-context", id="an empty mapping"),
        pytest.param({"kube_config": "--- # nothing"}, "kube_config is not", id="an empty document"),
        pytest.param({"in_cluster": True}, "no cluster to talk to", id="in-cluster, outside of a pod"),
        pytest.param({"in_cluster": "True"}, "no cluster to talk to", id="as a URI has it"),
        pytest.param({"cluster_context": "prod"}, "no context 'prod'", id="a context that is not there"),
        pytest.param({"cluster_context": 5}, "cluster_context is not a text", id="a number"),
        pytest.param({"kube_config_path": "/k", "in_cluster": True}, "not several", id="two at once"),
        pytest.param({"kube_config_path": "/k", "kube_config": KUBE_CONFIG}, "not several", id="file and content"),
    ],
)
def test_the_environments_cluster_is_never_taken_for_one_that_a_field_names(monkeypatch, extra, words):
    define(monkeypatch, extra)
    with pytest.raises(ConfigError, match=words):
        KubernetesAccessHook().access().target()


@pytest.mark.usefixtures("another_cluster")
@pytest.mark.parametrize("extra", ["{broken", "[1]", '"text"', "5"])
def test_an_extra_that_cannot_be_read_is_no_empty_one(monkeypatch, extra):
    """Airflow itself logs it, and goes on without."""
    broken = Connection(conn_id="kubernetes_default", conn_type="kubernetes", extra=extra)
    monkeypatch.setattr("airflow.sdk.BaseHook.get_connection", lambda *_: broken)
    with pytest.raises(ConfigError, match="'kubernetes_default': its extra is not"):
        KubernetesAccessHook().access()


@pytest.mark.usefixtures("another_cluster")
def test_an_airflow_that_cannot_be_asked_has_not_said_that_nothing_is_defined(monkeypatch):
    def unreachable(*_):
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))

    monkeypatch.setattr("airflow.sdk.BaseHook.get_connection", unreachable)
    with pytest.raises(AirflowRuntimeError):
        KubernetesAccessHook().access()


@pytest.mark.parametrize("extra", [None, {}, {"namespace": "x"}, {f"{OLD}kube_config_path": ""}])
def test_a_connection_without_a_cluster_means_in_cluster_inside_a_pod(monkeypatch, tmp_path, another_cluster, extra):
    """As the provider has it: before $KUBECONFIG. A context is looked for in the files, where contexts are."""
    if extra is not None:
        define(monkeypatch, extra)
    assert KubernetesAccessHook().access().target().cluster.server == "https://another.example"
    for name, text in (("token", "t"), ("ca.crt", ""), ("namespace", "x")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert KubernetesAccessHook().access().target().cluster.server == "https://10.96.0.1:443"
    assert KubernetesAccessHook(context="x").access().target().cluster.server == "https://another.example"
    assert (
        KubernetesAccessHook(kubeconfig=str(another_cluster)).access().target().cluster.server
        == "https://another.example"
    )


FIELDS = st.sampled_from(["", None, "/k", "/other", False, True])


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["kube_config_path", f"{OLD}kube_config_path", "namespace"]), FIELDS))
def test_a_field_is_what_the_provider_reads_unless_its_plain_name_is_empty(extra):
    """There the provider takes the environment's cluster, though a field names one."""
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

    provider = KubernetesHook()
    provider.conn_extras = extra
    ours, theirs = field_of(extra, "kubernetes", "kube_config_path"), provider._get_field("kube_config_path")
    if extra.get("kube_config_path", "x") in (None, ""):
        assert ours == (extra.get(f"{OLD}kube_config_path") or ours)
    else:
        assert (ours or None) == theirs
