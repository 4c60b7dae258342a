"""`k8s-tuning alert doctor` names the broken link, whichever it is, on real servers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.loop.stack import Stack, free_port, get, wait

from k8s_tuning import timestamps
from k8s_tuning.cli import alert_doctor
from k8s_tuning.storage.append_log import AppendLog

pytestmark = pytest.mark.servers


def _record(stack: Stack, health: str = "OK") -> None:
    line = {
        "timestamp": timestamps.now(),
        "namespace": "trading-bots-dev",
        "selector": "app=x",
        "overall_health": health,
    }
    AppendLog(stack.history).append({**line, "jobs_ok": 1, "jobs_warn": 0, "jobs_error": 0})


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole chain, scraped and with its Watchdog arrived."""
    stack = Stack.prepare(tmp_path_factory.mktemp("doctor"))
    try:
        _record(stack)
        stack.start()
        wait(lambda: stack.query("k8s_tuning_source_readable"), "Prometheus has scraped")
        wait(lambda: stack.alerts("dev", "Watchdog"), "Watchdog has arrived")
        wait(
            lambda: get(f"{stack.urls['prometheus']}/api/v1/alertmanagers")["data"]["activeAlertmanagers"], "discovery"
        )
        yield stack
    finally:
        stack.stop()
        stack.receivers.stop()


def _doctor(stack: Stack, *arguments: str, **urls: str) -> int:
    parser = argparse.ArgumentParser()
    alert_doctor.register(parser.add_subparsers())
    addresses = {"prometheus": stack.urls["prometheus"], "alertmanager": stack.urls["dev"], **urls}
    flags = [f"--{name}={url}" for name, url in addresses.items()]
    args = parser.parse_args(["doctor", *flags, *arguments])
    return int(args.run(args))


def test_a_healthy_chain_holds_and_the_test_alert_arrives(healthy: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Every link ok, the receiver named, the message there."""
    metrics = f"{healthy.urls['metrics']}/metrics"
    for _ in range(2):  # as the runbook has it: before a restart and after it
        assert _doctor(healthy, "--send", "--namespace=trading-bots-dev", metrics=metrics) == 0
    said = capsys.readouterr().out
    assert "BROKEN" not in said
    assert "the test alert takes slack-alerts-dev" in said
    assert "delivered by slack" in said
    assert healthy.receivers.got("/slack-alerts/dev")[0]["attachments"][0]["title"] == "[FIRING][DEV] K8sTuningSmoke"


def test_without_send_nothing_is_posted(healthy: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Looking is the default."""
    before = len(healthy.receivers.requests)
    assert _doctor(healthy) == 0
    assert "unknown  delivery" in capsys.readouterr().out
    assert len(healthy.receivers.requests) == before


@pytest.mark.parametrize(
    ("name", "link", "said"),
    [
        ("prometheus", "prometheus", "does not answer (ConnectError)"),
        ("alertmanager", "alertmanager", "does not answer (ConnectError)"),
        ("metrics", "metrics", "does not answer (ConnectError)"),
    ],
)
def test_a_server_that_is_down_is_the_broken_link(
    healthy: Stack, capsys: pytest.CaptureFixture[str], name: str, link: str, said: str
) -> None:
    """Nothing listens there; and no secret of the address is reported."""
    url = f"http://user:hunter2@127.0.0.1:{free_port()}/secret-path"
    assert _doctor(healthy, **{name: url}) == 1
    out = capsys.readouterr().out
    assert f"The broken link: {link}." in out
    assert said in out
    assert "hunter2" not in out
    assert "secret-path" not in out


def test_a_namespace_that_no_route_takes_is_the_broken_link(healthy: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Receiver `null` is notified of it, which is nobody."""
    assert _doctor(healthy, "--send", "--namespace=somebody-else") == 1
    out = capsys.readouterr().out
    assert "The broken link: route." in out
    assert "takes null" in out


def test_an_endpoint_that_is_no_metrics_endpoint_is_the_broken_link(
    healthy: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prometheus' own metrics are not the pipeline's."""
    assert _doctor(healthy, metrics=f"{healthy.urls['prometheus']}/metrics") == 1
    assert "The broken link: metrics." in capsys.readouterr().out


def test_an_alertmanager_that_prometheus_does_not_know_is_found(
    healthy: Stack, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its configuration is right, but no alert comes: Watchdog is missing."""
    lonely = Stack.prepare(tmp_path)
    try:
        lonely.processes["dev"].start()
        assert _doctor(healthy, alertmanager=lonely.urls["dev"]) == 1
    finally:
        lonely.stop()
        lonely.receivers.stop()
    assert "The broken link: watchdog." in capsys.readouterr().out


def test_a_receiver_that_fails_is_the_broken_link(healthy: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Notified of the trial itself, and by the counter ever after."""
    healthy.receivers.broken.add("/slack-alerts/dev")
    try:
        assert _doctor(healthy, "--send", "--namespace=other-bots-dev", "--json") == 1
    finally:
        healthy.receivers.broken.clear()
    assert '"the notification by slack failed"' in capsys.readouterr().out
    assert _doctor(healthy) == 1
    assert "The broken link: notifications." in capsys.readouterr().out
