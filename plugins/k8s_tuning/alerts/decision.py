"""One decision: one incident, one channel, one reason."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.alerts.incident_update import IncidentUpdate
from k8s_tuning.alerts.ledger_state import ChannelState
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.reason import Reason
from k8s_tuning.alerts.words import firing_payload, resolved_payload
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sAlertPayload


@dataclass(frozen=True)
class Decision:
    """What one channel is to be sent of one incident, or why nothing. `why`: the reason in words.

    `state`: what the ledger has of the channel and the incident. `channel`: None for a receiver without channels, and
    for a channel that the configuration does not have. `repeat_seconds`: how often its receiver is notified.
    `group`: what the messages that become one have in common, None for one that goes alone.
    """

    update: IncidentUpdate
    state: ChannelState
    channel: ChannelConfig | None
    reason: Reason
    why: str
    status: Status = Status.FIRING
    repeat_seconds: float = 0
    group: str | None = None

    @cached_property
    def payload(self) -> K8sAlertPayload:
        """The words of a message."""
        one, known = self.update, self.update.known
        if self.status is Status.RESOLVED and known is not None:
            notified = self.state.notified_severity or known.severity
            return resolved_payload(one.incident, one.over_at or one.record_at, notified, one.source)
        return firing_payload(one.incident, one.source)

    @property
    def severity(self) -> IncidentSeverity:
        """As it is written down: a firing has the update's, all others the incident's own."""
        return self.update.severity if self.status is Status.FIRING else self.update.incident.severity
