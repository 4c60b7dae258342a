"""What the page asks of one target: its present state; its health, incidents, records and Jobs over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.errors import StoreError
from k8s_tuning.queries.history_index import HistoryIndex
from k8s_tuning.queries.incidents import JoinedIncident, join
from k8s_tuning.queries.job_models import Jobs
from k8s_tuning.queries.jobs import jobs_of
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.queries.view_models import Incident, Incidents, OverviewRow, Record, Records, Series
from k8s_tuning.stages.history.latest import LatestSnapshot, LatestStore
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.stages.targets import STALE_AFTER_MINUTES, WatchedTarget, is_stale

STRIP_CELLS = 48
# Of a range with more runs of failing records than this, the newest are taken: 200,000 would take most of a second.
INCIDENTS_AT_MOST = 10_000


@dataclass(frozen=True)
class Files:
    """What is recorded of targets, each as an index that remembers how far it has read."""

    history: HistoryIndex
    ledger: LedgerIndex
    snapshots: LatestStore


@dataclass(frozen=True)
class TargetQueries:
    """One target. Ranges are in seconds since the epoch; StoreError where a file cannot be read.

    `where`: as the history knows it. `watched`: as targets.yaml names it; None where it does not. `is_watched`: None
    where that file cannot be read. `is_known`: whether targets.yaml or the history has it.
    """

    files: Files
    where: TargetIdentity
    watched: WatchedTarget | None = None
    is_watched: bool | None = None
    stale_after_minutes: float = STALE_AFTER_MINUTES
    is_known: bool = True

    def is_at(self, namespace: str, selector: str, cluster: str | None) -> bool:
        """Whether an address that says this means this target; one that says no cluster means any."""
        clusters = (None, self.where.cluster, self.watched.cluster if self.watched else None)
        return (self.where.namespace, self.where.selector) == (namespace, selector) and cluster in clusters

    def row(self, range_seconds: float, now: str, notes: list[str]) -> OverviewRow:
        """Its row of the overview. What could not be read is added to `notes`."""
        where, history = self.where, self.files.history
        until = timestamps.to_datetime(now).timestamp()
        last = next(iter(self.records(-math.inf, math.inf, 1).items), None)
        age = timestamps.seconds_between(last.at, now) if last else None
        stale = last is not None and is_stale(age, self.stale_after_minutes)
        if last is not None and age is not None and stale and age < 0:
            notes.append(
                f"{where.namespace} {where.selector}: its newest record is dated {last.at}, still to come; "
                "set the clocks"
            )
        snapshot = self._snapshot(notes)
        names = history.names(where)
        recorded_name = (last.target if last else None) or (names[-1] if names else None)
        return OverviewRow(
            name=self.watched.name if self.watched else recorded_name,
            former_names=names[:-1],
            cluster=where.cluster,
            namespace=where.namespace,
            selector=where.selector,
            watched=self.is_watched,
            status="NEVER" if last is None else "STALE" if stale else "IDLE" if last.idle else last.health,
            last_health=last.health if last else None,
            since=history.since(where),
            jobs_ok=last.jobs_ok if last else None,
            jobs_warn=last.jobs_warn if last else None,
            jobs_error=last.jobs_error if last else None,
            cause=_cause(snapshot, last.at) if last else None,
            reasons=last.reasons if last else {},
            monitor_errors=last.monitor_errors if last else [],
            last_at=last.at if last else None,
            age_seconds=age,
            run=last.run if last else None,
            open_incident=self._open_incident(last, snapshot),
            last_notice=self.files.ledger.last_notice(where),
            strip=history.strip(where, until - range_seconds, until, STRIP_CELLS),
        )

    def series(self, since: float, until: float, points: int = 600) -> Series:
        """Health and Job counts over time, at most so many points; no ERROR is lost between them."""
        return self.files.history.series(self.where, since, until, points, self.stale_after_minutes * 60)

    def records(self, since: float, until: float, limit: int = 50, offset: int = 0) -> Records:
        """The records of the range, newest first."""
        return self.files.history.records(self.where, since, until, limit, offset)

    def incidents(self, since: float, until: float, limit: int = 50, offset: int = 0) -> Incidents:
        """The incidents that touch the range, newest first."""
        joined = self._joined(since, until)
        snapshot = self._snapshot([])
        page = [self._incident(one, snapshot) for one in joined[offset : offset + limit]]
        return Incidents(total=len(joined), items=page)

    def jobs(self, **choice: Any) -> Jobs:
        """The Jobs of its newest snapshot; `choice` as in jobs.jobs_of. InputError for an unknown one."""
        return jobs_of(self._read_snapshot(), **choice)

    def _read_snapshot(self) -> LatestSnapshot | None:
        where = self.where
        return self.files.snapshots.read(where.namespace, where.selector, where.name, where.cluster)

    def _snapshot(self, notes: list[str]) -> LatestSnapshot | None:
        # A damaged snapshot costs the causes and the Jobs, not the page.
        try:
            return self._read_snapshot()
        except StoreError as error:
            notes.append(str(error))
            return None

    def _open_incident(self, last: Record | None, snapshot: LatestSnapshot | None) -> Incident | None:
        if last is None:
            return None
        lasting = [one for one in self._joined(timestamps.to_datetime(last.at).timestamp(), math.inf) if one.is_open]
        return self._incident(lasting[0], snapshot) if lasting else None

    def _joined(self, since: float, until: float) -> list[JoinedIncident]:
        where = self.where
        return join(
            self.files.history.episodes(where, since, until, newest=INCIDENTS_AT_MOST),
            self.files.ledger.incidents(where, since, until),
        )

    def _incident(self, one: JoinedIncident, snapshot: LatestSnapshot | None) -> Incident:
        history, notified = self.files.history, one.notified
        first = history.record_at(one.episodes[0].first) if one.episodes else None
        worst = max(one.episodes, key=lambda episode: episode.worst == "ERROR", default=None)
        worst_record = history.record_at(worst.worst_record) if worst else None
        recorded_cause = _cause(snapshot, worst_record.at) if worst_record else None
        return Incident.of(
            one,
            id=notified.id if notified else None,
            namespace=self.where.namespace,
            selector=self.where.selector,
            cluster=self.where.cluster,
            target=(notified.target if notified else None) or (first.target if first else None),
            cause=recorded_cause or (notified.cause if notified else None),
            reasons=(notified.reasons if notified else {}) or (worst_record.reasons if worst_record else {}),
            records=sum(episode.records for episode in one.episodes),
            run=first.run if first else None,
            notices=notified.notices if notified else [],
        )


def _cause(snapshot: LatestSnapshot | None, at: str) -> str | None:
    """The probable cause of the worst Job, where the snapshot is the one that the record is of."""
    if snapshot is None or snapshot.timestamp != at:
        return None
    failing = [job for job in snapshot.jobs if job.cause and job.health != "OK"]
    return next((job.cause for job in sorted(failing, key=lambda job: job.health != "ERROR")), None)
