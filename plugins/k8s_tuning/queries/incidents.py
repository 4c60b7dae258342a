"""Incidents as the page shows them: the ledger's, joined with the runs of non-OK records in the history. Pure.

The two differ on purpose. The ledger holds an incident open over a short recovery (`resolve_after`), so that one of its
incidents may span several runs of non-OK records; and a run that no alert planning has seen is in no ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from k8s_tuning.queries.notices import LedgerIncident
from k8s_tuning.queries.series import Episode
from k8s_tuning.queries.view_models import Level
from k8s_tuning.stages.alert.incident import IncidentSeverity

_ENDLESS = "9999-12-31T23:59:59Z"


@dataclass
class JoinedIncident:
    """One incident: what the ledger says of it (None where it says nothing), and its runs of records, oldest first."""

    notified: LedgerIncident | None
    episodes: list[Episode] = field(default_factory=list)

    @property
    def started_at(self) -> str:
        """When it began."""
        starts = [episode.started_at for episode in self.episodes[:1]]
        return min([*starts, self.notified.started_at] if self.notified else starts)

    @property
    def is_open(self) -> bool:
        """Whether it lasts: the ledger's word, where it has one."""
        return self.notified.is_open if self.notified else self.episodes[-1].ended_at is None

    @property
    def ended_at(self) -> str | None:
        """When it ended; None while it lasts."""
        if self.is_open:
            return None
        if self.notified and self.notified.over_at:
            return self.notified.over_at
        return self.episodes[-1].ended_at if self.episodes else self.started_at

    @property
    def worst(self) -> Level:
        """The worst health recorded in it; where retention has dropped the records, what the severity stands for."""
        levels = [episode.worst for episode in self.episodes]
        if levels:
            return "ERROR" if "ERROR" in levels else "WARN"
        return "ERROR" if self.notified and self.notified.severity == IncidentSeverity.CRITICAL else "WARN"

    @property
    def severity(self) -> str:
        """The worst of what the ledger says and of what was recorded."""
        if self.worst == "ERROR":
            return IncidentSeverity.CRITICAL.value
        return self.notified.severity if self.notified else IncidentSeverity.WARN.value


def join(episodes: Sequence[Episode], notified: Sequence[LedgerIncident]) -> list[JoinedIncident]:
    """Every incident once, newest first. A run of records belongs to the ledger's incident in whose time it began."""
    known = sorted((JoinedIncident(one) for one in notified), key=lambda one: one.started_at)
    alone = []
    position = 0
    for episode in sorted(episodes, key=lambda one: one.started_at):
        while position + 1 < len(known) and known[position + 1].started_at <= episode.started_at:
            position += 1
        owner = known[position] if known and _holds(known[position].notified, episode) else None
        if owner is not None:
            owner.episodes.append(episode)
        else:
            alone.append(JoinedIncident(None, [episode]))
    return sorted([*known, *alone], key=lambda one: one.started_at, reverse=True)


def _holds(notified: LedgerIncident | None, episode: Episode) -> bool:
    if notified is None:
        return False
    end = _ENDLESS if notified.is_open else (notified.over_at or notified.started_at)
    return notified.started_at <= episode.started_at <= end
