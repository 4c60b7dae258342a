"""What connections of the Slack, PagerDuty, SMTP and HTTP providers hold."""

import json

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from k8s_tuning.errors import ConfigError
from k8s_tuning.hooks.channels import resolve_connection

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
        pytest.param({"conn_type": "http", "host": "x.example"}, "http://x.example", id="http, as HttpHook has it"),
        pytest.param(
            {"conn_type": "http", "host": "https://x.example/a", "port": 81}, "https://x.example:81/a", id="port"
        ),
        pytest.param({"conn_type": "http", "host": "fd00::1", "port": 81}, "http://[fd00::1]:81", id="IPv6"),
        pytest.param({"conn_type": "http"}, None, id="no host"),
        pytest.param(
            {"conn_type": "pagerduty_events", "host": "events.eu.pagerduty.com"},
            "https://events.eu.pagerduty.com", id="others speak https",
        ),
        pytest.param(
            {"conn_type": "slack", "extra": {"base_url": "https://slack-gov.com/api/"}},
            "https://slack-gov.com/api/", id="slack's base_url",
        ),
        pytest.param(
            {"conn_type": "slack", "extra": {"base_url": "", "extra__slack__base_url": "https://x.example"}},
            "https://x.example", id="slack's base_url of old",
        ),
        pytest.param({"conn_type": "pagerduty_events", "password": "routing"}, None, id="pagerduty has none"),
    ],
)  # fmt: skip
def test_a_connections_url(secret, connection, url):
    assert secret(**connection).url == url


def test_a_webhook_with_its_url_in_the_password_is_signed_by_its_extra(secret):
    found = secret(conn_type="http", password="https://x.example/h", extra={"signing_secret": "sign", "headers": {}})
    assert (found.password, found.extra) == ("sign", {"headers": {}})


SLACK = [
    {"password": HOOK},
    {"password": f" {HOOK}\n"},
    {"password": "T0/B0/s3cr3t"},
    {"password": "/T0/B0/s3cr3t"},
    {"password": "T0/B0/s3cr3t", "host": "127.0.0.1:80/services", "schema": "http"},
    {"password": "T0/B0/s3cr3t", "host": "https://x.example/services/"},
    {"password": "T0/B0/s3cr3t", "host": "https://x.example", "port": 81},
    {"password": "T0/B0/s3cr3t", "extra": {"proxy": "http://p:1"}},
    {"password": "T0/B0/s3cr3t", "extra": {"proxy": "", "extra__slackwebhook__proxy": "http://p:1"}},
    {"password": "T0/B0/s3cr3t", "extra": {"proxy": "http://a:1", "extra__slackwebhook__proxy": "http://p:1"}},
]


@pytest.mark.filterwarnings("ignore:Conflicting params")
@pytest.mark.parametrize("fields", SLACK, ids=[json.dumps(fields)[:60] for fields in SLACK])
def test_a_slack_webhook_is_what_the_providers_hook_makes_of_it(secret, fields):
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    found = secret(conn_type="slackwebhook", **fields)
    client = SlackWebhookHook(slack_webhook_conn_id="mine").client
    assert (found.url, found.proxy) == (client.url, client.proxy)


HTTP = [
    {"host": "x.example"},
    {"host": "x.example", "schema": "https"},
    {"host": "x.example", "port": 8443, "schema": "https"},
    {"host": "x.example/path"},
    {"host": "http://x.example"},
    {"host": "https://x.example/path", "schema": "http"},
    {"host": "https://x.example", "port": 8443},
]


@pytest.mark.parametrize("fields", HTTP, ids=[json.dumps(fields) for fields in HTTP])
def test_an_http_connections_url_is_what_the_providers_hook_makes_of_it(secret, fields):
    from airflow.providers.http.hooks.http import HttpHook

    found = secret(conn_type="http", **fields)
    hook = HttpHook(http_conn_id="mine")
    hook.get_conn()
    assert found.url == hook.base_url


@pytest.mark.parametrize(
    ("extra", "proxy"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"proxy": "http://p:1"}, "http://p:1", id="text"),
        pytest.param({"proxies": {"https": "http://p:1"}}, "http://p:1", id="by scheme"),
        pytest.param({"proxy": "p:1"}, "http://p:1", id="without a scheme"),
    ],
)
def test_an_http_connection_may_name_its_proxy(secret, extra, proxy):
    assert secret(conn_type="http", host="x.example", extra=extra).proxy == proxy


@pytest.mark.parametrize("extra", [{"proxy": 5}, {"proxies": {"https": ["p"]}}])
def test_a_proxy_that_is_no_text_is_refused(secret, extra):
    with pytest.raises(ConfigError, match="neither a text nor a mapping"):
        secret(conn_type="http", host="x.example", extra=extra)


@pytest.mark.parametrize("conn_type", ["slackwebhook", "http", "smtp", "pagerduty", "slack"])
def test_an_extra_that_cannot_be_read_is_no_empty_one(monkeypatch, conn_type):
    broken = Connection(conn_id="mine", conn_type=conn_type, password="T/B/X", extra='{"signing_secret": "s3cr3t"')
    monkeypatch.setattr("airflow.sdk.BaseHook.get_connection", lambda _: broken)
    with pytest.raises(ConfigError, match="'mine': its extra is not JSON") as refused:
        resolve_connection("mine")
    assert "s3cr3t" not in str(refused.value)


def test_an_airflow_that_cannot_be_asked_has_not_said_that_nothing_is_defined(monkeypatch):
    def unreachable(_conn_id):
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))

    monkeypatch.setattr("airflow.sdk.BaseHook.get_connection", unreachable)
    with pytest.raises(ConfigError, match="could not be read from Airflow; try again"):
        resolve_connection("mine")


def test_pagerdutys_own_connection_keeps_its_routing_key_beside_the_api_token(secret):
    found = secret(conn_type="pagerduty", password="api-token", extra={"routing_key": "r0uting"})
    assert found.extra["routing_key"] == "r0uting"


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
