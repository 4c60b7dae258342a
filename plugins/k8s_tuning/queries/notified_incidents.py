"""One incident by the lines of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from k8s_tuning.stages.alert.incident import IncidentSeverity

if TYPE_CHECKING:
    from k8s_tuning.queries.ledger_entries import Entry, Place


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
