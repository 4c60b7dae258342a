"""How a channel's request gets there: proxies, certificates, and no credentials but the connection's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.alerts.channels.conftest import TOKEN, Rig, make_rig
from tests.alerts.observations import notice
from tests.authorities import Authority
from tests.cluster.api_double import serving
from tests.servers import RecordingServer, free_port, recording_server

from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.posting import post
from k8s_tuning.cli import main
from k8s_tuning.errors import DeliveryError

NAMESAKE = "http://receiver.invalid"


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ~/.netrc that knows every host, as people have it for another system."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login another password systems\ndefault login another password systems\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


@pytest.fixture
def proxy() -> Iterator[RecordingServer]:
    with recording_server() as server:
        yield server


@pytest.mark.usefixtures("netrc")
def test_no_credentials_of_a_netrc_file_are_sent(http_rig: Rig) -> None:
    """They are another system's, and beside a bearer token they broke the request."""
    assert http_rig.deliver(notice()).outcome == "sent"
    assert http_rig.server is not None
    sent = [call.headers.get("authorization", "") for call in http_rig.server.calls]
    own = {"slack_api": f"Bearer {TOKEN}", "alertmanager": "Basic "}.get(http_rig.channel.type)
    assert all(value.startswith(own) if own else value == "" for value in sent)
    assert not any("YW5vdGhlc" in value for value in sent)  # "anothe…" in base64


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_the_environments_proxy_counts_as_for_the_cluster(
    variable: str, proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOST:PORT without a scheme too; ~/.netrc knows nothing of the proxy either."""
    monkeypatch.setenv(variable, proxy.url.removeprefix("http://"))
    post(f"{NAMESAKE}/hook", b"{}", {}, ChannelSecret(), 5)
    assert proxy.calls[0].headers["host"] == "receiver.invalid"
    assert "proxy-authorization" not in proxy.calls[0].headers
    assert "authorization" not in proxy.calls[0].headers


def test_a_receiver_on_loopback_is_never_proxied(http_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{free_port()}")
    assert http_rig.deliver(notice()).outcome == "sent"


def test_a_proxy_that_a_connection_names_goes_first(proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    post(f"{NAMESAKE}/hook", b"{}", {}, ChannelSecret(proxy=proxy.url.replace("//", "//me:pw@")), 5)
    assert proxy.calls[0].headers["proxy-authorization"] == "Basic bWU6cHc="


def test_a_proxy_that_is_down_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("HTTP_PROXY", f"me:s3cr3t@127.0.0.1:{port}")
    with pytest.raises(DeliveryError, match=f"its proxy 127.0.0.1:{port} cannot be connected to") as failed:
        post(f"{NAMESAKE}/hook", b"{}", {}, ChannelSecret(), 5)
    assert failed.value.retryable
    assert "s3cr3t" not in str(failed.value)


@pytest.mark.usefixtures("netrc")
def test_the_doctor_takes_the_same_way(
    proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    monkeypatch.setenv("NO_PROXY", "alertmanager.invalid")
    main(
        [
            "alert",
            "doctor",
            "--prometheus",
            "http://prometheus.invalid",
            "--alertmanager",
            "http://alertmanager.invalid",
        ]
    )
    hosts = {call.headers["host"] for call in proxy.calls}
    assert hosts == {"prometheus.invalid"}
    assert not any("authorization" in call.headers for call in proxy.calls)
    capsys.readouterr()


def test_a_receivers_certificate_is_judged_as_alertmanager_judges_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's authority without the extensions of RFC 5280, by $SSL_CERT_FILE."""
    authority = Authority.make("company", plain=True)
    leaf = authority.server(["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path / "ca.pem")))
    with serving(leaf.context(tmp_path)) as receiver:
        assert post(receiver.url, b"{}", {}, ChannelSecret(), 5).status == 200
    monkeypatch.delenv("SSL_CERT_FILE")
    with serving(leaf.context(tmp_path)) as receiver, pytest.raises(DeliveryError, match="not trusted"):
        post(receiver.url, b"{}", {}, ChannelSecret(), 5)


@pytest.mark.parametrize("kind", ["slack_webhook", "slack_api", "generic_webhook", "pagerduty", "alertmanager"])
def test_a_connections_proxy_is_each_channels(kind: str, proxy: RecordingServer) -> None:
    with make_rig(kind) as rig:
        proxied = ChannelSecret(url=f"{NAMESAKE}/hook", password=TOKEN, proxy=proxy.url)
        rig.deliver(notice(), resolve=lambda _: proxied)
        assert {call.headers["host"] for call in proxy.calls} == {"receiver.invalid"}
        assert rig.received() == []


def test_pagerdutys_routing_key_goes_before_the_api_token() -> None:
    """As its provider's own hook has them: the password is the token of another API."""
    with make_rig("pagerduty") as rig:
        assert rig.server is not None
        own = ChannelSecret(url=rig.server.url, password="api-token", extra={"routing_key": "r0uting\n"})
        assert rig.deliver(notice(), resolve=lambda _: own).outcome == "sent"
        assert rig.server.calls[0].json()["routing_key"] == "r0uting"


@pytest.mark.parametrize(("kind", "name"), [("slack_api", "bot token"), ("pagerduty", "routing key")])
def test_a_token_is_stripped_and_refused_by_name_where_white_space_is_inside(kind: str, name: str) -> None:
    with make_rig(kind) as rig:
        assert rig.server is not None
        around = ChannelSecret(url=f" {rig.server.url}\n", password=f" {TOKEN}\n")
        assert rig.deliver(notice(), resolve=lambda _: around).outcome == "sent"
        sent = rig.server.calls[0]
        assert sent.headers.get("authorization") == f"Bearer {TOKEN}" or sent.json()["routing_key"] == TOKEN
        inside = ChannelSecret(url=rig.server.url, password="s3c r3t")
        outcome = rig.deliver(notice(), resolve=lambda _: inside)
        assert f"its {name} has white space inside" in outcome.answer
        assert "s3c" not in outcome.answer
