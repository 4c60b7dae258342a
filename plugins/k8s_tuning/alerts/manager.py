"""D35's face: one channel, one incident, no ledger. The pipeline's own alerting goes through `plan_notices`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from k8s_tuning import timestamps, unforeseen
from k8s_tuning.alerts.channels import CHANNELS
from k8s_tuning.alerts.config import MAX_TIMEOUT_SECONDS, AlertingConfig
from k8s_tuning.alerts.credentials import ChannelSecret, check_url
from k8s_tuning.alerts.deliver import deliver_notice
from k8s_tuning.alerts.notice import Notice, NoticeItem, Outcome, Status, notice_id
from k8s_tuning.alerts.reason import Reason, Result
from k8s_tuning.errors import ConfigError, TuningError
from k8s_tuning.stages.alert.incident import (
    K8sAlertPayload,
    K8sIncident,
    build_alert_payload,
    build_incident,
    incident_id,
)
from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord

log = logging.getLogger(__name__)

CHANNEL_TYPES = ("console", "slack_webhook", "generic_webhook")


@dataclass
class AlertChannelConfig:
    """Where alerts go: `channel_type` console, slack_webhook or generic_webhook. Nothing leaves while `dry_run`."""

    channel_type: str = "console"
    webhook_url: str | None = field(default=None, repr=False)
    timeout_seconds: float = 5
    dry_run: bool = True

    def __post_init__(self) -> None:
        """ConfigError for an unknown channel, a URL that cannot be used, a timeout out of range."""
        if self.channel_type not in CHANNEL_TYPES:
            raise ConfigError(f"unknown channel {self.channel_type!r}; known are {', '.join(CHANNEL_TYPES)}")
        if not isinstance(self.timeout_seconds, int | float) or not 0 < self.timeout_seconds <= MAX_TIMEOUT_SECONDS:
            raise ConfigError(f"timeout: {self.timeout_seconds!r} is not above 0 and up to {MAX_TIMEOUT_SECONDS:g} s")
        if self.webhook_url is not None:
            check_url(self.webhook_url, f"the webhook URL of channel {self.channel_type}")
        elif CHANNELS[self.channel_type].needs_connection and not self.dry_run:
            raise ConfigError(f"channel {self.channel_type} needs a webhook URL to send to; a dry run does without")


class K8sAlertManager:
    """Incident, words, dispatch.

    `out` is where a dry run shows its payload; `last_outcome` says more than dispatch's bool.
    """

    def __init__(
        self,
        channel_config: AlertChannelConfig | None = None,
        *,
        out: Callable[[str], object] | None = None,
        now: Callable[[], str] = timestamps.now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.channel_config = channel_config or AlertChannelConfig()
        self.last_outcome: Outcome | None = None
        self._out = out or (lambda text: sys.stdout.write(text))
        self._now = now
        self._sleep = sleep

    def build_incident_from_history(
        self, history: Sequence[K8sHealthHistoryRecord], recent_events: Sequence[K8sEvent]
    ) -> K8sIncident | None:
        """The incident that the newest record is part of (`history` oldest first); None while it is OK, or empty."""
        return build_incident(history, recent_events, self._now())

    def build_alert_payload(self, incident: K8sIncident) -> K8sAlertPayload:
        """The incident in words."""
        return build_alert_payload(incident)

    def dispatch(self, payload: K8sAlertPayload) -> bool:
        """Show the payload (dry run) or send it; whether that succeeded. A failure is False, never an exception."""
        try:
            with unforeseen.net():
                self.last_outcome = self._deliver(payload)
        except TuningError as error:
            log.warning("the alert was not sent: %s", error)
            self.last_outcome = Outcome(
                "", "", self.channel_config.channel_type, Result.FAILED, 0, str(error), self._now()
            )
        return self.last_outcome.ok

    def _deliver(self, payload: K8sAlertPayload) -> Outcome:
        given = self.channel_config
        secret = ChannelSecret(url=given.webhook_url)
        outcome = deliver_notice(
            AlertingConfig.webhook(given.channel_type, given.timeout_seconds),
            notice_of(payload, given.channel_type, self._now()),
            lambda _: secret,
            None,
            dry_run=given.dry_run,
            now=self._now,
            sleep=self._sleep,
        )
        if outcome.shown:
            self._out(outcome.shown)
        return outcome


def notice_of(payload: K8sAlertPayload, channel: str, now: str) -> Notice:
    """One payload as a message to one channel. What it lacks of an incident's identity is made from what it has."""
    raw = payload.raw_incident
    started_at = str(payload.metadata.get("started_at") or raw.get("started_at") or now)
    known = str(payload.metadata.get("incident_id") or raw.get("id") or "")
    target, reasons = raw.get("target"), raw.get("reasons")
    item = NoticeItem(
        payload=payload,
        decision=Reason.FIRST,
        why="asked for",
        incident_id=known or incident_id(payload.namespace, payload.selector, started_at),
        started_at=started_at,
        target=target if isinstance(target, str) else None,
        reasons=dict(reasons) if isinstance(reasons, Mapping) else {},
    )
    identity = notice_id(item.incident_id, channel, now)
    return Notice(
        identity, now, now, channel, channel, Status.FIRING, payload.title, payload.text, payload.severity, [item]
    )
