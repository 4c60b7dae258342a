"""What of a ledger's lines stays in memory: an entry a message to a channel or a decision against one; incidents."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.reason import Reason, Result
from k8s_tuning.queries.view_models import AlertRow, NoticeBrief, RunRef
from k8s_tuning.stages.alert.incident import IncidentSeverity


class Place(NamedTuple):
    """Where a line stands in the file, in bytes."""

    offset: int
    length: int


class Subject(NamedTuple):
    """A target, as a line names it."""

    namespace: str
    selector: str
    target: str | None
    cluster: str | None = None

    @property
    def label(self) -> str:
        """Its name; NAMESPACE/SELECTOR where it has none."""
        return self.target or f"{self.namespace}/{self.selector}"


class Entry(msgspec.Struct, eq=False, gc=False):
    """One message to one channel (all lines of one `notice_id`), or one decision against one (no `notice_id`).

    What was decided is its first line's word; with several incidents, that of the most severe. `attempt`: what became
    of the newest attempt, empty where there was none. `pending`: for how many incidents it is still to
    go out. `dry_run`: no real line is among them; the first that comes makes the entry a real one, whose dry runs are
    history.
    """

    decided_at: str
    run_id: str
    receiver: str
    channel: str
    status: str
    severity: str
    decision: str
    why: str
    source: str
    dry_run: bool
    notice_id: str
    outcome: str
    subjects: tuple[Subject, ...]
    incident_ids: tuple[str, ...]
    places: tuple[Place, ...]
    done_at: str | None = None
    attempts: int = 0
    answer: str = ""
    attempt: str = ""
    pending: int = 0
    was_pending: bool = False

    @classmethod
    def of(cls, line: LedgerLine, at: str, subject: Subject, place: Place, same: Callable[[str], str]) -> Entry:
        """The entry that a line begins. `at`: the line's, as all have it; `same` gives one text for all equal ones."""
        return cls(
            at, same(line.run_id), same(line.receiver), same(line.channel), line.status.value, line.severity.value,
            same(line.decision), same(line.why), same(line.source), line.dry_run, line.notice_id, same(line.outcome),
            (subject,), (same(line.incident_id),), (place,),
        )  # fmt: skip

    def become_real(self, first: LedgerLine, at: str, same: Callable[[str], str]) -> None:
        """Count for nothing what only dry runs said; `first`: the first real line."""
        real = Entry.of(first, at, self.subjects[0], self.places[0], same)
        for name in ("decided_at", "severity", "decision", "why", "dry_run", "outcome", "done_at", "attempts", "answer",
                     "attempt", "was_pending"):  # fmt: skip
            setattr(self, name, getattr(real, name))

    @property
    def ref(self) -> str:
        """The notice's id. Else where the line stands, with a mark of what it says: retention moves lines."""
        if self.notice_id:
            return self.notice_id
        mark = zlib.crc32("\0".join((self.decided_at, *self.incident_ids, self.label)).encode("utf-8", "replace"))
        return f"@{self.places[0].offset}-{mark:08x}"

    @property
    def label(self) -> str:
        """RECEIVER/CHANNEL; the receiver alone where it has no channels, empty where nobody was to be notified."""
        return f"{self.receiver}/{self.channel}" if self.channel else self.receiver

    @property
    def is_quiet(self) -> bool:
        """A decision against a message. Not so where a message was given up, or where a person took the incident."""
        return not self.notice_id and self.decision != Reason.RECEIVER_GONE and self.status != Status.ACKNOWLEDGED

    def settle(self) -> None:
        """Say what became of it: what is pending and what was tried have changed."""
        if self.pending:
            self.outcome = Result.FAILED if self.attempt == Result.FAILED else Result.PENDING
        elif self.attempt and not (self.attempt == Result.FAILED and self.was_pending):
            self.outcome = self.attempt
        elif self.was_pending:
            self.outcome = Result.SUPERSEDED

    def words(self) -> str:
        """All its texts, to be searched in."""
        subjects = " ".join(
            f"{one.target or ''} {one.cluster or ''} {one.namespace} {one.selector}" for one in self.subjects
        )
        decided = f"{self.label} {self.decision} {self.why} {self.status} {self.severity} {self.run_id}"
        return f"{subjects} {decided} {self.answer} {self.notice_id} {' '.join(self.incident_ids)}"

    def row(self) -> AlertRow:
        """As lists show it; of several targets, the first."""
        subject, run = self.subjects[0], RunRef.named(self.run_id)
        return AlertRow.of(self, notice_id=self.notice_id or None, run=run, **subject._asdict())

    def brief(self) -> NoticeBrief:
        """As a target and an incident show it."""
        return NoticeBrief.of(self)


class _Event(msgspec.Struct, gc=False):
    type: str
    reason: str
    message: str
    involved_name: str = ""


class _Incident(msgspec.Struct, gc=False):
    recent_events: list[_Event] = []


class NotifiedIncident(msgspec.Struct, eq=False):
    """One incident. `severity`: the worst of all lines. `reasons`: each with the most Jobs that a line gave it.

    `is_open`, `over_at`: the newest decision's word; a dry run's only while there is no real one. `cause`: the newest
    Kubernetes warning that was kept with it. `place`: the newest line that holds the whole of it. `notices`: by their
    ids, in the order of their first lines.
    """

    id: str
    started_at: str
    source: str
    severity: IncidentSeverity
    dry_run: bool
    is_open: bool = True
    over_at: str | None = None
    target: str | None = None
    cause: str | None = None
    reasons: dict[str, int] = {}
    place: Place | None = None
    notices: dict[str, Entry] = {}

    def add(self, target: str | None, severity: IncidentSeverity, reasons: dict[str, int]) -> None:
        """What any line says of it."""
        self.target = target or self.target
        if severity != self.severity and severity.rank > self.severity.rank:
            self.severity = severity
        for reason, count in reasons.items():
            if count > self.reasons.get(reason, 0):
                self.reasons[reason] = count

    def describe(self, incident: dict[str, Any], place: Place) -> None:
        """The incident itself, as JSON, as one line holds it."""
        self.place = place
        try:
            events = msgspec.convert(incident, _Incident).recent_events
        except msgspec.MsgspecError:
            return
        for event in reversed(events):
            if event.type == "Warning":
                about = f" ({event.involved_name})" if event.involved_name else ""
                self.cause = f"{event.reason}: {' '.join(event.message.split())}{about}"
                break
