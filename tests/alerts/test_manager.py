"""D35's classes, as the stage guide uses them."""

from __future__ import annotations

import pytest
from tests.alerts.observations import NAMESPACE, at, record
from tests.servers import recording_server, status

from k8s_tuning.alerts.manager import AlertChannelConfig, K8sAlertManager
from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.events.snapshot import K8sEvent

HISTORY = [record("O", 0), record("E", 5), record("E", 10)]
EVENT = K8sEvent("Warning", "BackoffLimitExceeded", "한국어 🚨", "Job", "arb-tuning-1", NAMESPACE)


def test_from_history_to_a_dry_run_that_shows_the_payload(capsys: pytest.CaptureFixture[str]) -> None:
    manager = K8sAlertManager(AlertChannelConfig())
    incident = manager.build_incident_from_history(HISTORY, [EVENT])
    assert incident is not None
    assert (incident.started_at, incident.severity) == (at(5), "CRITICAL")
    payload = manager.build_alert_payload(incident)
    assert manager.dispatch(payload) is True
    shown = capsys.readouterr().out
    assert "🚨 K8s Alert: CRITICAL – trading-bots" in shown
    assert "한국어 🚨" in shown
    assert manager.build_incident_from_history([record("O", 0)], []) is None
    assert manager.build_incident_from_history([], []) is None


@pytest.mark.parametrize("channel", ["slack_webhook", "generic_webhook"])
def test_a_dry_run_makes_no_request_and_a_real_one_makes_one(channel: str) -> None:
    with recording_server() as server:
        for dry_run, count in ((True, 0), (False, 1)):
            manager = K8sAlertManager(
                AlertChannelConfig(channel, f"{server.url}/hook/T0KEN", 5, dry_run), out=lambda _: None
            )
            incident = manager.build_incident_from_history(HISTORY, [EVENT])
            assert incident is not None
            assert manager.dispatch(manager.build_alert_payload(incident)) is True
            assert len(server.calls) == count
        (call,) = server.calls
        body = call.json()
        if channel == "generic_webhook":
            assert (body["alert_type"], body["incident"]["id"]) == ("k8s_health", incident.id)
        else:
            assert body["attachments"][0]["color"] == "danger"


def test_a_failure_is_false_and_says_why_without_the_url(caplog: pytest.LogCaptureFixture) -> None:
    with recording_server(status(404, "no_team")) as server:
        config = AlertChannelConfig("slack_webhook", f"{server.url}/T0KEN", 5, False)
        manager = K8sAlertManager(config, sleep=lambda _: None)
        incident = manager.build_incident_from_history(HISTORY, [])
        assert incident is not None
        assert manager.dispatch(manager.build_alert_payload(incident)) is False
        assert manager.last_outcome is not None
        assert "answered 404: no_team" in manager.last_outcome.answer
        assert "T0KEN" not in caplog.text + repr(config) + repr(manager.last_outcome)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"channel_type": "fax"}, "unknown channel 'fax'; known are console, slack_webhook, generic_webhook"),
        ({"channel_type": "slack_webhook", "webhook_url": "https:///T0KEN"}, "without a host"),
        ({"channel_type": "slack_webhook", "webhook_url": "file:///T0KEN"}, "scheme 'file'"),
        ({"channel_type": "slack_webhook", "webhook_url": "T0KEN"}, "no scheme"),
        ({"channel_type": "slack_webhook", "webhook_url": "http://h/T0 KEN"}, "blanks"),
        ({"channel_type": "slack_webhook", "dry_run": False}, "needs a webhook URL"),
        ({"timeout_seconds": 0}, "timeout"),
        ({"timeout_seconds": -1}, "timeout"),
        ({"timeout_seconds": 3600}, "timeout"),
    ],
)
def test_a_channel_that_cannot_work_is_refused_at_once(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        AlertChannelConfig(**values)  # type: ignore[arg-type]
    assert "T0KEN" not in str(caught.value)
