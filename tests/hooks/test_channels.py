"""Channels by name, and what connections of the Slack, PagerDuty, SMTP and HTTP providers hold."""

import json

import pytest
from tests.airflow_runs import ROOT

from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.channels import Channel, resolve_connection

HOOK = "https://hooks.slack.com/services/T0/B0/s3cr3t"


@pytest.fixture
def secret(monkeypatch):
    def define_and_resolve(**connection):
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(connection))
        return resolve_connection("mine")

    return define_and_resolve


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        pytest.param({"conn_type": "slackwebhook", "password": HOOK}, HOOK, id="slack, whole URL"),
        pytest.param(
            {"conn_type": "slackwebhook", "host": "hooks.slack.com/services", "password": "T0/B0/s3cr3t"},
            HOOK, id="slack, token",
        ),
        pytest.param({"conn_type": "http", "password": "https://x.example/hook"}, "https://x.example/hook", id="http"),
        pytest.param(
            {"conn_type": "http", "host": "x.example", "port": 81, "schema": "http"}, "http://x.example:81", id="host"
        ),
        pytest.param({"conn_type": "http", "host": "https://x.example/a"}, "https://x.example/a", id="URL as host"),
        pytest.param({"conn_type": "http", "host": "x.example"}, "https://x.example", id="https unless it says so"),
        pytest.param({"conn_type": "pagerduty_events", "password": "routing"}, None, id="pagerduty has none"),
    ],
)  # fmt: skip
def test_a_connections_url(secret, connection, url):
    assert secret(**connection).url == url


def test_a_webhook_with_its_url_in_the_password_is_signed_by_its_extra(secret):
    found = secret(conn_type="http", password="https://x.example/h", extra={"signing_secret": "sign", "headers": {}})
    assert (found.password, found.extra) == ("sign", {"headers": {}})


def test_pagerdutys_routing_key_is_the_password(secret):
    assert secret(conn_type="pagerduty_events", password="r0uting").password == "r0uting"


def test_smtp_keeps_host_port_login_and_settings(secret):
    found = secret(
        conn_type="smtp", host="mail.example", port=587, login="me", password="pw", extra={"disable_tls": True}
    )
    kept = (found.host, found.port, found.login, found.password, found.extra)
    assert kept == ("mail.example", 587, "me", "pw", {"disable_tls": True})


@pytest.mark.parametrize("conn_type", ["slackwebhook", "http", "smtp", "pagerduty_events"])
def test_no_secret_is_in_a_repr(secret, conn_type):
    found = secret(conn_type=conn_type, host="h.example", login="l0gin", password=HOOK, extra={"token": "x-s3cr3t"})
    assert not [text for text in ("s3cr3t", "l0gin", "hooks.slack") if text in repr(found)]


def test_a_slack_connection_without_a_token_is_refused(secret):
    with pytest.raises(ConfigError, match="'mine' has no password"):
        secret(conn_type="slackwebhook")


def test_a_connection_that_nobody_defined_is_named():
    with pytest.raises(ConfigError, match="connection 'nobodys' is not defined"):
        resolve_connection("nobodys")


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        pytest.param(Channel("pigeon"), "unknown channel 'pigeon'; known are console", id="unknown"),
        pytest.param(Channel("slack_webhook"), "needs channel_conn_id", id="no connection"),
        pytest.param(Channel("email", "smtp", "routes.yaml"), "give it a receiver in routes.yaml", id="mail"),
        pytest.param(Channel("routes", config_file="/none.yaml"), "/none.yaml", id="no such file"),
    ],
)  # fmt: skip
def test_a_channel_that_cannot_work_is_refused(channel, said):
    with pytest.raises(ConfigError) as refused:
        channel.alerting()
    assert said in str(refused.value)


def test_a_channel_stands_for_one_receiver_or_for_the_routes():
    assert list(Channel("console").alerting().receivers) == ["console"]
    assert Channel("routes", config_file=str(ROOT / "include/configs/alerting.yaml")).alerting().receivers
