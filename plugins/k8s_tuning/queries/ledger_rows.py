"""What a ledger adds up to for the page: its entries, and its incidents."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from k8s_tuning.alerts.ledger_line import LedgerLine, read_block
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.reason import CLOSING, DECIDED, DELIVERED, Result
from k8s_tuning.errors import InputError
from k8s_tuning.queries.ledger_entries import Entry, NotifiedIncident, Place, Subject
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex
from k8s_tuning.storage.jsonl import BrokenLines
from k8s_tuning.timestamps import to_datetime, to_text


@dataclass
class NotifiedTarget(TargetIdentity):
    """What the ledger has of one target."""

    last_notice: Entry | None = None
    incidents: list[NotifiedIncident] = field(default_factory=list)


class LedgerRows:
    """Every entry in the order of its first line.

    `loud`: those that are not quiet. `by_target`: each target's. `subjects`: the targets, as lines name them.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.loud: list[Entry] = []
        self.notices: dict[str, Entry] = {}
        self.incidents: dict[str, NotifiedIncident] = {}
        self.by_target = TargetIndex(NotifiedTarget)
        self.targets: set[str] = set()
        self.channels: set[str] = set()
        self.decisions: set[str] = set()
        # Of each incident for each channel, as LedgerState has it; dry runs apart (the key's last part).
        self._pending: dict[tuple[str, str, str, bool], Entry] = {}
        self._texts: dict[str, str] = {}
        self._time = cache(lambda text: to_text(to_datetime(text)))
        self.subjects: dict[tuple[str, str, str | None, str | None], Subject] = {}

    def outcomes(self) -> list[str]:
        """Every outcome that an entry has now, sorted."""
        quiet = {Result.NOT_SENT} if len(self.entries) > len(self.loud) else set()
        return sorted({one.outcome for one in self.loud} | quiet)

    def add(self, line: LedgerLine, place: Place) -> None:
        """Take in one more line. InputError, and nothing is taken in, where it names a time that is none."""
        at, started_at = self._time(line.at), self._time(line.started_at)
        over_at = self._time(line.over_at) if line.over_at else None
        entry = self.notices.get(line.notice_id) if line.notice_id else None
        if entry is None:
            entry = self._begin(line, at, place)
        else:
            self._go_on(entry, line, at, place)
        if line.status is not Status.TEST:
            self._add_incident(line, place, entry, started_at, over_at)
        if line.notice_id and line.dry_run == entry.dry_run:
            self._note(entry, line, at)
        elif line.decision in CLOSING and line.status is not Status.TEST:
            key = (line.incident_id, line.receiver, line.channel, line.dry_run)
            self._release(key, self._pending.get(key))

    def _begin(self, line: LedgerLine, at: str, place: Place) -> Entry:
        entry = Entry.of(line, at, self._subject(line), place, self._same)
        self.entries.append(entry)
        if not entry.is_quiet:
            self.loud.append(entry)
        if entry.notice_id:
            self.notices[entry.notice_id] = entry
            self.by_target.of(*entry.subjects[0]).last_notice = entry
        self.channels.add(entry.label)
        self.decisions.add(entry.decision)
        return entry

    def _go_on(self, entry: Entry, line: LedgerLine, at: str, place: Place) -> None:
        entry.places += (place,)
        subject = self._subject(line)
        if subject not in entry.subjects:
            entry.subjects += (subject,)
            known = self.by_target.of(*subject)
            if known.last_notice is None or known.last_notice.places[0] < entry.places[0]:
                known.last_notice = entry
        if entry.dry_run and not line.dry_run:
            for incident_id in entry.incident_ids:
                self._release((incident_id, entry.receiver, entry.channel, True), entry)
            entry.become_real(line, at, self._same)
            self.decisions.add(entry.decision)
        if line.incident_id not in entry.incident_ids:
            entry.incident_ids += (self._same(line.incident_id),)

    def _note(self, entry: Entry, line: LedgerLine, at: str) -> None:
        """What a notice's line says of what is pending, and of what became of it."""
        key = (line.incident_id, line.receiver, line.channel, line.dry_run)
        if line.outcome == Result.PENDING:
            former = self._pending.get(key)
            if former is not entry and line.status in (Status.FIRING, Status.RESOLVED):
                self._release(key, former)
                self._pending[key] = entry
                entry.pending += 1
                entry.was_pending = True
        elif line.outcome != Result.FAILED or entry.attempt not in DELIVERED:
            entry.attempt, entry.answer = self._same(line.outcome), self._same(line.answer)
            entry.done_at, entry.attempts = at, line.attempts
            if line.outcome in DELIVERED:
                self._release(key, entry)
        entry.settle()

    def _release(self, key: tuple[str, str, str, bool], entry: Entry | None) -> None:
        """That entry is not pending there any more."""
        if entry is not None and self._pending.get(key) is entry:
            del self._pending[key]
            entry.pending -= 1
            entry.settle()

    def _add_incident(self, line: LedgerLine, place: Place, entry: Entry, started_at: str, over_at: str | None) -> None:
        incident = self.incidents.get(line.incident_id)
        if incident is None:
            incident = NotifiedIncident(entry.incident_ids[-1], started_at, entry.source, line.severity, line.dry_run)
            self.incidents[incident.id] = incident
            self.by_target.of(line.namespace, line.selector, line.target, line.cluster).incidents.append(incident)
        is_decision = line.outcome in DECIDED and line.status is not Status.ACKNOWLEDGED
        if is_decision and (incident.dry_run or not line.dry_run):
            incident.is_open, incident.over_at = line.is_open, over_at
        incident.dry_run = incident.dry_run and line.dry_run
        incident.add(line.target, line.severity, line.reasons)
        if isinstance(line.incident, dict):
            incident.describe(line.incident, place)
        if entry.notice_id:
            incident.notices[entry.notice_id] = entry

    def _subject(self, line: LedgerLine) -> Subject:
        key = line.namespace, line.selector, line.target, line.cluster
        known = self.subjects.get(key)
        if known is None:
            known = self.subjects[key] = Subject(*key)
            self.targets.add(known.label)
        return known

    def _same(self, text: str) -> str:
        # One text for all that are equal: lines are many, and what they say are few different things.
        return self._texts.setdefault(text, text)


def add_block(rows: LedgerRows, block: bytes, begin: int, broken: BrokenLines) -> None:
    """Add whole lines that begin at byte `begin`."""
    for line, offset, length in read_block(block, begin, broken):
        try:
            rows.add(line, Place(offset, length))
        except InputError:
            broken.note(offset, "not a line of the ledger")
