"""Airflow connections as accesses and secrets. The connections come from the environment, as Airflow reads them."""

import asyncio
import json

import pytest

from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.channels import Channel, resolve_connection
from k8s_tuning.hooks.kubernetes import KubernetesAccessHook


@pytest.fixture
def connection(monkeypatch):
    """Defines a connection of the test's."""

    def define(conn_id, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return define


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"kube_config_path": "/x/config"}, {"kubeconfig": "/x/config"}),
        ({"kube_config": json.dumps({"kind": "Config"})}, {"content": {"kind": "Config"}}),
        ({"kube_config": {"kind": "Config"}}, {"content": {"kind": "Config"}}),
        ({"in_cluster": True}, {"in_cluster": True}),
        ({"in_cluster": "False"}, {"in_cluster": False}),
        ({"cluster_context": "prod", "disable_verify_ssl": "true"}, {"context": "prod", "skip_tls_verify": True}),
        ({"extra__kubernetes__cluster_context": "old"}, {"context": "old"}),
    ],
)
def test_the_providers_fields_mean_what_they_mean_to_the_provider(connection, extra, expected):
    connection("k1", conn_type="kubernetes", extra=extra)
    access = KubernetesAccessHook("k1").access()
    assert {name: getattr(access, name) for name in expected} == expected
    assert asyncio.run(KubernetesAccessHook("k1").aaccess()) == access


def test_the_tasks_own_kubeconfig_and_context_come_first(connection):
    connection("k1", conn_type="kubernetes", extra={"kube_config_path": "/x", "cluster_context": "a"})
    assert KubernetesAccessHook("k1", context="b").access().context == "b"
    assert KubernetesAccessHook("k1", "/y", "c").access().kubeconfig == "/y"


def test_an_undefined_default_is_as_kubectl_finds_it_and_another_one_an_error():
    assert KubernetesAccessHook().access().kubeconfig is None
    with pytest.raises(ConfigError, match="'k9' is not defined"):
        KubernetesAccessHook("k9").access()


@pytest.mark.parametrize(
    "extra", [{"kube_config": "{s3cr3t"}, {"in_cluster": "s3cr3t"}], ids=lambda extra: next(iter(extra))
)
def test_a_field_that_cannot_be_used_is_named_and_not_quoted(connection, extra):
    connection("k1", conn_type="kubernetes", extra=extra)
    with pytest.raises(ConfigError, match=next(iter(extra))) as refused:
        KubernetesAccessHook("k1").access()
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "url", "password"),
    [
        ({"conn_type": "slackwebhook", "password": "T/B/X"}, "https://hooks.slack.com/services/T/B/X", None),
        ({"conn_type": "http", "password": "https://h/x?t=1"}, "https://h/x?t=1", None),
        ({"conn_type": "http", "password": "https://h/x", "extra": {"signing_secret": "k"}}, "https://h/x", "k"),
        ({"conn_type": "http", "host": "h", "port": 8443, "password": "key"}, "https://h:8443", "key"),
        ({"conn_type": "pagerduty_events", "password": "routing-key"}, None, "routing-key"),
    ],
)
def test_a_channels_secret_comes_from_its_connection_and_is_never_shown(connection, fields, url, password):
    connection("c1", **fields)
    secret = resolve_connection("c1")
    assert (secret.url, secret.password) == (url, password)
    assert fields["password"] not in repr(secret)


def test_smtp_has_its_host_and_login(connection):
    connection("c1", conn_type="smtp", host="mail", port=587, login="me", password="s3cr3t")
    secret = resolve_connection("c1")
    assert (secret.host, secret.port, secret.login, secret.password) == ("mail", 587, "me", "s3cr3t")


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        (Channel("pigeon"), "unknown channel 'pigeon'"),
        (Channel("slack_webhook"), "needs channel_conn_id"),
        (Channel("slack_api", "c1", "alerting.yaml"), "needs settings"),
        (Channel("routes", config_file="/nowhere.yaml"), "/nowhere.yaml"),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_a_channel_that_cannot_work_is_refused(channel, says):
    with pytest.raises(ConfigError, match=says):
        channel.alerting()


def test_an_undefined_connection_of_a_channel_is_named():
    with pytest.raises(ConfigError, match="'c9' is not defined"):
        resolve_connection("c9")
