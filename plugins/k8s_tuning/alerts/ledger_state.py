"""What a ledger's lines add up to: the open incidents, what each channel was notified of, what is pending. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from k8s_tuning.alerts.ledger_line import LedgerLine, read_block
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.reason import CLOSING, DECIDED, DELIVERED, Result
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.stages.target_identity import same_target
from k8s_tuning.storage.jsonl import BrokenLines

# Hundreds of thousands of lines are compared with these.
_TEST, _ACKNOWLEDGED = Status.TEST, Status.ACKNOWLEDGED


@dataclass
class ChannelState:
    """What one channel of one receiver was notified of one incident.

    `notified_at`: when a firing was last delivered, None while none was. `notified_*`: what it said;
    `notified_reasons` are all that any said of this incident. `pending`: the decided notice that no attempt has
    delivered yet; `tried`: one has failed. `closed`: nothing more goes to the channel: resolved, or nothing to
    resolve. `ref`: what the channel itself keeps of the incident.
    """

    receiver: str
    channel: str
    notified_at: str | None = None
    notified_run: str = ""
    notified_severity: IncidentSeverity | None = None
    notified_reasons: set[str] = field(default_factory=set)
    notified_failing: int = 0
    pending: LedgerLine | None = None
    tried: bool = False
    closed: bool = False
    ref: dict[str, str] = field(default_factory=dict)


@dataclass
class IncidentState:
    """One incident as the ledger remembers it. `severity_since`: when it took its present severity."""

    id: str
    namespace: str
    selector: str
    target: str | None
    started_at: str
    source: str
    severity: IncidentSeverity
    severity_since: str
    record_at: str = ""
    quiet_seconds: float = 0
    is_open: bool = True
    over_at: str = ""
    acknowledged: str | None = None
    incident: dict[str, Any] = field(default_factory=dict)
    cluster: str | None = None
    channels: dict[tuple[str, str], ChannelState] = field(default_factory=dict)

    def is_of(self, namespace: str, selector: str, target: str | None, cluster: str | None) -> bool:
        """Whether this is an incident of that target."""
        same_place = (self.namespace, self.selector) == (namespace, selector)
        return same_place and same_target((self.target, self.cluster), (target, cluster))

    def channel(self, receiver: str, channel: str) -> ChannelState:
        """The facts of one channel, made where there are none."""
        found = self.channels.get((receiver, channel))
        if found is None:
            found = self.channels[receiver, channel] = ChannelState(receiver, channel)
        return found

    @property
    def settled(self) -> bool:
        """Whether nothing is left to say of it to anybody."""
        return not self.is_open and all(
            facts.closed or (facts.notified_at is None and facts.pending is None) for facts in self.channels.values()
        )


@dataclass
class LedgerState:
    """The incidents that last, or of which something is still to be said."""

    dry_run: bool = False
    incidents: dict[str, IncidentState] = field(default_factory=dict)

    def open_incident(
        self, namespace: str, selector: str, target: str | None = None, cluster: str | None = None
    ) -> IncidentState | None:
        """The incident of one target that lasts."""
        identity = namespace, selector, target, cluster
        found = (facts for facts in self.incidents.values() if facts.is_open and facts.is_of(*identity))
        # One that names the cluster before one of a version that knew none.
        return min(found, key=lambda facts: facts.cluster != cluster, default=None)

    def add(self, line: LedgerLine) -> None:
        """Take in one more line."""
        if line.dry_run and not self.dry_run:
            return
        status = line.status
        if status is _TEST:
            return
        facts = self.incidents.get(line.incident_id)
        if status is _ACKNOWLEDGED:
            if facts is not None:
                facts.acknowledged = line.at
            return
        if line.outcome in DECIDED:
            facts = self._decided(facts, line)
        elif facts is not None:
            _attempted(facts, line)
        if facts is not None and not facts.is_open and facts.settled:
            del self.incidents[facts.id]

    def _decided(self, facts: IncidentState | None, line: LedgerLine) -> IncidentState:
        if facts is None:
            facts = self.incidents[line.incident_id] = IncidentState(
                line.incident_id,
                line.namespace,
                line.selector,
                line.target,
                line.started_at,
                line.source,
                line.severity,
                line.at,
            )
        if line.severity != facts.severity:
            facts.severity, facts.severity_since = line.severity, line.at
        facts.is_open = line.is_open
        facts.record_at = line.record_at or facts.record_at
        facts.quiet_seconds = line.quiet_seconds
        facts.over_at = line.over_at
        facts.incident = line.incident if isinstance(line.incident, dict) else facts.incident
        facts.cluster = line.cluster or facts.cluster
        facts.target = line.target or facts.target
        if not line.channel:
            return facts
        channel = facts.channel(line.receiver, line.channel)
        if line.outcome == Result.PENDING:
            channel.pending, channel.tried, channel.closed = line, False, False
        elif line.decision in CLOSING:
            channel.closed, channel.pending = True, None
        return facts


@dataclass
class LedgerStates:
    """Both views of one ledger: `real`, for which what was only shown counts for nothing, and `shown`."""

    real: LedgerState = field(default_factory=LedgerState)
    shown: LedgerState = field(default_factory=lambda: LedgerState(dry_run=True))

    def add(self, line: LedgerLine) -> None:
        """Take in one more line."""
        self.real.add(line)
        self.shown.add(line)


# Raised where a state of the version before would be read wrongly.
STATE_VERSION = 2


def add_block(states: LedgerStates, block: bytes, begin: int, broken: BrokenLines) -> None:
    """Add whole lines that begin at byte `begin`."""
    for line, _, _ in read_block(block, begin, broken):
        states.add(line)


def _attempted(facts: IncidentState, line: LedgerLine) -> None:
    channel = facts.channel(line.receiver, line.channel)
    pending = channel.pending
    if line.outcome not in DELIVERED:
        if pending is not None and pending.notice_id == line.notice_id and line.outcome == Result.FAILED:
            channel.tried = True
        return
    if pending is not None and pending.notice_id == line.notice_id:
        channel.pending, channel.tried = None, False
    channel.ref = line.ref or channel.ref
    if line.status is Status.RESOLVED:
        channel.closed = True
    elif line.status is Status.FIRING:
        channel.notified_at, channel.notified_run, channel.notified_severity = line.at, line.run_id, line.severity
        channel.notified_reasons |= set(line.reasons)
        channel.notified_failing = line.failing_jobs
