"""The loop closed: a Job that dies reaches the right person, in production and not in dev, and its recovery too.

Sandbox → `k8s-tuning record` → metrics endpoint → Prometheus → Alertmanager → a server in place of Slack and PagerDuty.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.clusters import job_manifest
from tests.loop.stack import Stack, post, run_cli, wait

from k8s_tuning_sandbox import Sandbox

pytestmark = pytest.mark.servers

NAMESPACE = "trading-bots"
PAGER, SLACK = "/pagerduty/production", "/slack-alerts/production"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack.prepare(tmp_path, rules_of="production")
    try:
        yield made
    finally:
        made.stop()
        made.receivers.stop()


@pytest.fixture
def bots() -> Iterator[Sandbox]:
    rules = [{"match": "*-oom", "outcome": "oom", "seconds": 0}, {"match": "*-stuck", "outcome": "image-pull"}]
    with Sandbox(rules, namespaces=[NAMESPACE]) as sandbox:
        yield sandbox


def _kubectl(sandbox: Sandbox, *arguments: str, stdin: str | None = None) -> str:
    command = ["kubectl", "--kubeconfig", str(sandbox.kubeconfig), "-n", NAMESPACE, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


def _record(sandbox: Sandbox, history: Path) -> int:
    cluster = ["--kubeconfig", str(sandbox.kubeconfig)]
    return run_cli("record", "-n", NAMESPACE, "--history-file", str(history), "--target", "bots", *cluster)


def test_a_dying_job_reaches_the_right_receiver_and_its_recovery_too(stack: Stack, bots: Sandbox) -> None:
    """Page, restart of everything, recovery, a warning to Slack, and a receiver that fails: one story, in order."""
    got = stack.receivers.got
    # A worker dies of OOM.
    _kubectl(bots, "apply", "-f", "-", stdin=json.dumps(job_manifest("arb-tuning-oom")))
    wait(lambda: '"Failed"' in _kubectl(bots, "get", "job", "arb-tuning-oom", "-o", "json"), "the Job has failed")
    assert _record(bots, stack.history) == 2
    stack.start()
    (page,) = wait(lambda: got(PAGER), "production is paged")
    assert (page["event_action"], page["routing_key"]) == ("trigger", "key-of-production")
    assert page["payload"]["summary"] == ("[PROD] K8sTuningTargetUnhealthy – Tuning Jobs in trading-bots are in ERROR")
    text = page["payload"]["custom_details"]["text"]
    for line in (
        "*Namespace:* trading-bots",
        "*Severity:* critical",
        "oom_killed (1)",
        "*Started:* 20",
        "*Runbook:* https",
    ):
        assert line in text
    # dev's Alertmanager has the alert, too, and notifies nobody.
    wait(lambda: stack.alerts("dev", "K8sTuningTargetUnhealthy"), "dev's Alertmanager knows the alert")
    assert {path for path, _ in stack.receivers.requests} == {PAGER}

    # Everything restarts; the alert still stands and nobody is paged twice.
    stack.restart()
    wait(lambda: stack.alerts("production", "K8sTuningTargetUnhealthy"), "the alert is back after the restart")

    # The dead Job is cleared away: the page resolves, by its own key.
    _kubectl(bots, "delete", "job", "arb-tuning-oom")
    assert _record(bots, stack.history) == 0
    resolved = wait(lambda: [event for event in got(PAGER) if event["event_action"] == "resolve"], "the page resolves")
    assert [event["dedup_key"] for event in resolved] == [page["dedup_key"]]
    assert [event["event_action"] for event in got(PAGER)] == ["trigger", "resolve"]

    # A pod that can't pull its image yet is a warning: Slack, not the pager.
    _kubectl(bots, "apply", "-f", "-", stdin=json.dumps(job_manifest("arb-tuning-stuck")))
    wait(lambda: "ImagePullBackOff" in _kubectl(bots, "get", "pods", "-o", "json"), "the pull fails")
    assert _record(bots, stack.history) == 0
    (warning,) = wait(lambda: got(SLACK), "Slack is notified")
    message = warning["attachments"][0]
    assert warning["channel"] == "#alerts-prod"
    assert (message["title"], message["color"]) == ("[FIRING][PROD] K8sTuningTargetUnhealthy", "warning")
    for line in (
        "*Namespace:* trading-bots",
        "*Severity:* warning",
        "*Summary:* ",
        "*Description:* ",
        "*Started:* 20",
    ):
        assert line in message["text"]
    assert message["title_link"].startswith("http")

    # Slack's webhook is revoked just when the recovery is to be reported: our own rule pages about it.
    stack.receivers.broken.add(SLACK)
    _kubectl(bots, "delete", "job", "arb-tuning-stuck")
    assert _record(bots, stack.history) == 0
    failed = 'alertmanager_notifications_failed_total{integration="slack"} > 0'
    wait(lambda: stack.query(failed), "Alertmanager counts the failure")
    wait(
        lambda: [event for event in got(PAGER) if "K8sTuningAlertmanagerFailing" in event["payload"]["summary"]],
        "production is paged about Slack",
    )
    # Slack works again: what it missed is reported.
    stack.receivers.broken.clear()
    wait(
        lambda: (
            "[RESOLVED][PROD] K8sTuningTargetUnhealthy" in [body["attachments"][0]["title"] for body in got(SLACK)[-1:]]
        ),
        "Slack is notified of the recovery",
    )
    assert {path for path, _ in stack.receivers.requests} == {PAGER, SLACK}, "something reached dev"


def test_alerts_posted_by_hand_take_their_routes(stack: Stack) -> None:
    """A direct POST to Alertmanager: production's page, a muted warning beside it, the catch-all, and nobody."""
    for environment in ("dev", "production"):
        stack.processes[environment].start()
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    base = {"alertname": "Smoke", "service": "k8s-tuning", "namespace": "trading-bots"}
    critical, warning = {**base, "severity": "critical"}, {**base, "severity": "warning"}
    other = {**base, "alertname": "Other"}
    watchdog = {**base, "alertname": "Watchdog", "severity": "info"}
    stranger = {**critical, "namespace": "somebody-else"}

    def send(*labels: dict[str, str]) -> None:
        for environment in ("dev", "production"):
            post(f"{stack.urls[environment]}/api/v2/alerts", [{"labels": label, "endsAt": end} for label in labels])

    got = stack.receivers.got
    send(critical)
    wait(lambda: got("/pagerduty/production"), "production is paged")
    # With the critical one there, its warning is muted; what has no severity is the low channel's.
    send(warning, watchdog, stranger, other)
    (low,) = wait(lambda: got("/slack-low/production"), "the low channel is notified")
    assert low["attachments"][0]["title"] == "[FIRING][PROD] Other"
    assert low["channel"] == "#alerts-prod-low"
    assert {path for path, _ in stack.receivers.requests} == {"/pagerduty/production", "/slack-low/production"}
    assert got("/pagerduty/production")[0]["routing_key"] == "key-of-production"


def test_a_critical_alert_of_dev_goes_to_slack_at_once_and_pages_nobody(stack: Stack) -> None:
    """Only production has a pager; here there is not even a key for one."""
    for environment in ("dev", "production"):
        stack.processes[environment].start()
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    labels = {"alertname": "Smoke", "service": "k8s-tuning", "namespace": "trading-bots-dev", "severity": "critical"}
    for environment in ("dev", "production"):
        post(f"{stack.urls[environment]}/api/v2/alerts", [{"labels": labels, "endsAt": end}])
    (message,) = wait(lambda: stack.receivers.got("/slack-alerts/dev"), "dev's Slack channel is notified")
    assert message["attachments"][0]["title"] == "[FIRING][DEV] Smoke"
    assert {path for path, _ in stack.receivers.requests} == {"/slack-alerts/dev"}
