"""What goes to one channel of one receiver, and what became of it. Plain values, never a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any

from pydantic import Field

from k8s_tuning.alerts.reason import Reason, Result
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sAlertPayload


class Status(StrEnum):
    """What a notice says of its incidents."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    TEST = "test"


@dataclass
class NoticeItem:
    """One incident in a notice: its words, and why it is in here.

    `notified_severity`: what the channel was last notified of, None where it was not yet. `ref`: what the
    channel itself keeps of the incident (Slack: the first message's channel and ts). `target`, `reasons`: as in
    K8sIncident.
    """

    payload: K8sAlertPayload
    decision: Reason
    why: str
    incident_id: str
    started_at: str
    target: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    notified_severity: Annotated[IncidentSeverity | None, Field(alias="told_severity")] = None
    ref: dict[str, str] = field(default_factory=dict)


@dataclass
class Notice:
    """One message to one channel. `repeat_seconds`: how soon it comes again while its incidents last."""

    id: str
    run_id: str
    planned_at: str
    receiver: str
    channel: str
    status: Status
    title: str
    text: str
    severity: IncidentSeverity
    items: list[NoticeItem]
    repeat_seconds: float = 0


@dataclass
class Sent:
    """A receiver's answer to what it took. `ref`: what to keep of it for later notices of the same incident."""

    answer: str
    ref: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What became of a notice.

    `attempts`: requests made, retries included. `answer`: the receiver's words, or why it failed.
    `retryable`: a failed one may go through later. `shown`: in a dry run, the bytes that would go, secrets masked.
    """

    notice_id: str
    receiver: str
    channel: str
    outcome: Result
    attempts: int
    answer: str
    at: str
    retryable: bool = False
    shown: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is left to do for this notice."""
        return self.outcome.ok


def notice_id(*parts: Any) -> str:
    """Sixteen hex digits of what identifies a notice."""
    return sha256("\0".join(str(part) for part in parts).encode("utf-8", "replace")).hexdigest()[:16]
