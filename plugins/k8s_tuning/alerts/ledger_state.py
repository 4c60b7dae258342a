"""What a ledger's lines add up to: the open incidents, what each channel has been told of them, what is owed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from k8s_tuning.alerts.ledger_line import DECIDED, OWED, LedgerLine, read_block
from k8s_tuning.alerts.notice import Status
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.stages.target_identity import same_target
from k8s_tuning.storage.jsonl import BrokenLines
from k8s_tuning.storage.tail import AddBlock, Checkpoint

# Hundreds of thousands of lines are compared with these.
_TEST, _ACKNOWLEDGED = Status.TEST, Status.ACKNOWLEDGED


@dataclass
class ChannelFacts:
    """What one channel of one receiver knows of one incident.

    `told_at`: when a firing was last delivered, None while none was. `told_*`: what it said; `told_reasons` is all that
    it ever said of this incident. `owed`: the decided notice that no attempt has delivered yet; `tried`: one has
    failed. `closed`: the channel is through with the incident: resolved, or nothing to resolve.
    """

    receiver: str
    channel: str
    told_at: str | None = None
    told_run: str = ""
    told_severity: IncidentSeverity | None = None
    told_reasons: set[str] = field(default_factory=set)
    told_ill: int = 0
    owed: LedgerLine | None = None
    tried: bool = False
    closed: bool = False
    ref: dict[str, str] = field(default_factory=dict)


@dataclass
class IncidentFacts:
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
    channels: dict[tuple[str, str], ChannelFacts] = field(default_factory=dict)

    def is_of(self, namespace: str, selector: str, target: str | None, cluster: str | None) -> bool:
        """Whether this is an incident of that target."""
        same_place = (self.namespace, self.selector) == (namespace, selector)
        return same_place and same_target((self.target, self.cluster), (target, cluster))

    def channel(self, receiver: str, channel: str) -> ChannelFacts:
        """The facts of one channel, made where there are none."""
        found = self.channels.get((receiver, channel))
        if found is None:
            found = self.channels[receiver, channel] = ChannelFacts(receiver, channel)
        return found

    @property
    def settled(self) -> bool:
        """Whether nothing is left to say of it to anybody."""
        return not self.is_open and all(
            facts.closed or (facts.told_at is None and facts.owed is None) for facts in self.channels.values()
        )


@dataclass
class LedgerState:
    """The incidents that last, or of which something is still to be said."""

    dry_run: bool = False
    incidents: dict[str, IncidentFacts] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[LedgerLine], *, dry_run: bool = False) -> LedgerState:
        """The state after all these lines."""
        state = cls(dry_run)
        for line in lines:
            state.add(line)
        return state

    def open_incident(
        self, namespace: str, selector: str, target: str | None = None, cluster: str | None = None
    ) -> IncidentFacts | None:
        """The incident of one target that lasts."""
        found = [
            facts
            for facts in self.incidents.values()
            if facts.is_open and facts.is_of(namespace, selector, target, cluster)
        ]
        # One that names the cluster before one of a version that knew none.
        return next(iter(sorted(found, key=lambda facts: facts.cluster != cluster)), None)

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

    def _decided(self, facts: IncidentFacts | None, line: LedgerLine) -> IncidentFacts:
        if facts is None:
            facts = self.incidents[line.incident_id] = IncidentFacts(
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
        if line.outcome == OWED:
            channel.owed, channel.tried, channel.closed = line, False, False
        elif line.decision in CLOSING:
            channel.closed, channel.owed = True, None
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
CHECKPOINT = Checkpoint(LedgerStates, version=1)


def add_block(broken: BrokenLines) -> AddBlock[LedgerStates]:
    """Takes whole lines in."""

    def add(states: LedgerStates, block: bytes, begin: int) -> None:
        for line, _, _ in read_block(block, begin, broken):
            states.add(line)

    return add


# Decisions after which nothing more is said to a channel of an incident that is over.
CLOSING = ("over", "resolve_off", "receiver_gone")


def _attempted(facts: IncidentFacts, line: LedgerLine) -> None:
    channel = facts.channel(line.receiver, line.channel)
    owed = channel.owed
    if line.outcome not in ("sent", "dry_run"):
        if owed is not None and owed.notice_id == line.notice_id and line.outcome == "failed":
            channel.tried = True
        return
    if owed is not None and owed.notice_id == line.notice_id:
        channel.owed, channel.tried = None, False
    channel.ref = line.ref or channel.ref
    if line.status is Status.RESOLVED:
        channel.closed = True
    elif line.status is Status.FIRING:
        channel.told_at, channel.told_run, channel.told_severity = line.at, line.run_id, line.severity
        channel.told_reasons |= set(line.reasons)
        channel.told_ill = line.ill_jobs
