"""Our Alertmanager channel against a real one: it accepts the alert, routes it, and is notified that it is over."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.alerts.channels.conftest import Rig
from tests.alerts.observations import incident, notice
from tests.servers import RecordingServer, free_port, recording_server, wait_until

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.notice import Notice, Status
from k8s_tuning.stages.alert.incident import IncidentSeverity

pytestmark = pytest.mark.servers

CONFIG = """
route:
  receiver: hook
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs: [{{url: '{url}', send_resolved: true}}]
"""


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[tuple[str, RecordingServer]]:
    """A real Alertmanager, and the receiver behind it."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("Alertmanager is missing: apt-get install prometheus-alertmanager")
    with recording_server() as hook:
        (tmp_path / "alertmanager.yaml").write_text(CONFIG.format(url=hook.url))
        url = f"http://127.0.0.1:{free_port()}"
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    program,
                    f"--config.file={tmp_path}/alertmanager.yaml",
                    f"--storage.path={tmp_path}/data",
                    f"--web.listen-address={url.removeprefix('http://')}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(lambda: _answers(f"{url}/-/ready"))
            yield url, hook
        finally:
            process.terminate()
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _alerts(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


def _notified(hook: RecordingServer, state: str, severity: str) -> list[dict[str, Any]]:
    alerts = [alert for call in list(hook.calls) for alert in call.json()["alerts"]]
    return [alert for alert in alerts if (alert["status"], alert["labels"]["severity"]) == (state, severity)]


def _now(planned: Notice) -> Notice:
    return replace(planned, planned_at=timestamps.now())


def test_a_real_alertmanager_tells_of_the_incident_and_of_its_end(alertmanager: tuple[str, RecordingServer]) -> None:
    """Raised from WARN to CRITICAL, the former alert ends; Korean and emoji arrive at the receiver behind it."""
    url, hook = alertmanager
    rig = Rig(ChannelConfig("channel", "alertmanager", "c"), ChannelSecret(url=url), list, lambda _: None)
    warn = incident(severity=IncidentSeverity.WARN, selector="app.kubernetes.io/name=봇,tier=x")
    assert rig.deliver(_now(notice(warn))).outcome == "sent"
    (alert,) = wait_until(lambda: _notified(hook, "firing", "warning"))
    assert alert["labels"]["app_kubernetes_io_name"] == "봇"
    assert "이모지 🚨👩‍🚀" in alert["annotations"]["description"]

    raised = notice(replace(warn, severity=IncidentSeverity.CRITICAL), notified=IncidentSeverity.WARN)
    assert rig.deliver(_now(raised)).outcome == "sent"
    wait_until(lambda: _notified(hook, "firing", "critical") and _notified(hook, "resolved", "warning"))
    assert [alert["labels"]["severity"] for alert in _alerts(url)] == ["critical"]

    over = notice(warn, status=Status.RESOLVED, notified=IncidentSeverity.CRITICAL)
    assert rig.deliver(_now(over)).outcome == "sent"
    wait_until(lambda: _notified(hook, "resolved", "critical"))
    assert _alerts(url) == []


def test_what_a_real_alertmanager_refuses_is_said(alertmanager: tuple[str, RecordingServer]) -> None:
    """Another path on the same server: its own words, and no second try."""
    url, _ = alertmanager
    rig = Rig(ChannelConfig("channel", "alertmanager", "c"), ChannelSecret(url=f"{url}/nowhere"), list, lambda _: None)
    outcome = rig.deliver(_now(notice()))
    assert (outcome.outcome, outcome.attempts) == ("failed", 1)
    assert "answered 40" in outcome.answer
