"""The health page's one door: every answer, from the files of one folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.errors import ConfigError, StoreError
from k8s_tuning.queries import view_models
from k8s_tuning.queries.history_index import HistoryIndex
from k8s_tuning.queries.incidents import JoinedIncident, join
from k8s_tuning.queries.jobs import jobs_of
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.queries.runs import pipeline_result, run_name
from k8s_tuning.queries.sessions import session_jobs, session_row
from k8s_tuning.stages.history.latest import LookStore, TargetLook
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunStore
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.stages.targets import STALE_AFTER_MINUTES, TargetsConfig, is_stale, load_targets

STRIP_CELLS = 48
# Of a range with more runs of trouble than this, the newest are taken: 200,000 would take most of a second.
INCIDENTS_AT_MOST = 10_000
_ORDER = ("ERROR", "NEVER", "STALE", "WARN", "OK", "IDLE")


class Dashboard:
    """The page's answers; keep one a process, for it remembers how far it has read. Safe for threads; writes nothing.

    `folder`: where the history, the ledger and all else is; what is not there yet is empty. `targets_file`:
    targets.yaml. Ranges are in seconds since the epoch. StoreError where a file cannot be read.
    """

    def __init__(self, folder: str | Path, targets_file: str | Path) -> None:
        self.folder = Path(folder)
        self._targets_file = Path(targets_file)
        self._history = HistoryIndex(self.folder / "health.jsonl")
        self._ledger = LedgerIndex(self.folder / "alerts-ledger.jsonl")
        self._runs = K8sPipelineRunStore(self.folder / "runs.jsonl")
        self._looks = LookStore(self.folder / "looks")
        self._sessions = SessionStore(self.folder / "sessions")

    def overview(self, range_seconds: float, now: str | None = None) -> view_models.Overview:
        """Every target that targets.yaml names or the history knows, the worst first; strips of the last so long."""
        now = now or timestamps.now()
        config, notes = self._watched()
        stale_minutes = config.stale_after_minutes if config else STALE_AFTER_MINUTES
        rows = []
        watched = set()
        for one in config.targets if config else []:
            found = self._history.find(one.namespace, one.label_selector, one.name, one.cluster)
            watched |= {(found.namespace, found.selector, found.cluster)} if found else set()
            row = self._row(found or one.identity(), now, stale_minutes, range_seconds, notes)
            row.watched, row.name = True, one.name
            rows.append(row)
        for other in self._history.identities():
            if (other.namespace, other.selector, other.cluster) not in watched:
                row = self._row(other, now, stale_minutes, range_seconds, notes)
                row.watched = None if config is None else False
                rows.append(row)
        notes += self._history.notes()
        rows.sort(
            key=lambda row: (_ORDER.index(row.status), row.name or "", row.namespace, row.selector, row.cluster or "")
        )
        return view_models.Overview(
            now=now, range_seconds=int(range_seconds), stale_after_minutes=stale_minutes, rows=rows, notes=notes
        )

    def target(
        self,
        namespace: str,
        selector: str,
        range_seconds: float,
        now: str | None = None,
        *,
        cluster: str | None = None,
    ) -> view_models.OverviewRow | None:
        """One target's row of the overview; None for one that nobody names and that has no record.

        Without a `cluster`, the first that has this namespace and selector.
        """
        rows = [
            row
            for row in self.overview(range_seconds, now).rows
            if (row.namespace, row.selector) == (namespace, selector) and cluster in (None, row.cluster)
        ]
        return next(iter(sorted(rows, key=lambda row: (row.cluster is not None, row.cluster or ""))), None)

    def knows(self, namespace: str, selector: str, cluster: str | None = None) -> bool:
        """Whether targets.yaml names the target, or the history has a record of it."""
        config, _ = self._watched()
        known = [
            *((one.namespace, one.label_selector, one.cluster) for one in (config.targets if config else [])),
            *((one.namespace, one.selector, one.cluster) for one in self._history.identities()),
        ]
        return any(found[:2] == (namespace, selector) and cluster in (None, found[2]) for found in known)

    def series(
        self,
        namespace: str,
        selector: str,
        since: float,
        until: float,
        points: int = 600,
        *,
        cluster: str | None = None,
    ) -> view_models.Series:
        """Health and Job counts over time, at most so many points; no ERROR is lost between them."""
        config, _ = self._watched()
        stale_minutes = config.stale_after_minutes if config else STALE_AFTER_MINUTES
        return self._history.series(namespace, selector, since, until, points, stale_minutes * 60, cluster=cluster)

    def incidents(
        self,
        namespace: str,
        selector: str,
        since: float,
        until: float,
        limit: int = 50,
        offset: int = 0,
        *,
        cluster: str | None = None,
    ) -> view_models.Incidents:
        """The incidents that touch the range, newest first."""
        where = self._identity(namespace, selector, cluster)
        joined = self._joined(where, since, until)
        look = self._look(where, [])
        page = [self._incident(one, where, look) for one in joined[offset : offset + limit]]
        return view_models.Incidents(total=len(joined), items=page)

    def records(
        self,
        namespace: str,
        selector: str,
        since: float,
        until: float,
        limit: int = 50,
        offset: int = 0,
        *,
        cluster: str | None = None,
    ) -> view_models.Records:
        """The records of the range, newest first."""
        return self._history.records(namespace, selector, since, until, limit, offset, cluster=cluster)

    def jobs(self, namespace: str, selector: str, *, cluster: str | None = None, **choice: Any) -> view_models.Jobs:
        """The Jobs of the target's newest snapshot; `choice` as in jobs.jobs_of. InputError for an unknown one."""
        where = self._identity(namespace, selector, cluster)
        return jobs_of(self._looks.read(namespace, selector, where.name, where.cluster), **choice)

    def sessions(self, q: str | None = None, limit: int = 50, offset: int = 0) -> view_models.Sessions:
        """Sessions with these letters in their id or namespace, newest first."""
        notes: list[str] = []
        found = [
            one
            for one in self._sessions.list(notes.append)
            if not q or q.casefold() in f"{one.namespace}/{one.session_id}".casefold()
        ]
        return view_models.Sessions(
            total=len(found), items=[session_row(one) for one in found[offset : offset + limit]], notes=notes
        )

    def session(
        self,
        namespace: str,
        session_id: str,
        q: str | None = None,
        sort: str = "name",
        order: str = "asc",
        limit: int = 50,
        offset: int = 0,
    ) -> view_models.Session | None:
        """One session with its Jobs; None where there is none. InputError for an unknown `sort` or `order`."""
        found = self._sessions.read(namespace, session_id)
        if found is None:
            return None
        jobs = session_jobs(found, q=q, sort=sort, order=order)
        told = self._ledger.of_run(found.run_id) if found.run_id else []
        return view_models.Session(
            row=session_row(found),
            total=len(found.jobs),
            matching=len(jobs),
            jobs=jobs[offset : offset + limit],
            notices=[_brief(row) for row in told if row.notice_id],
        )

    def alerts(self, **choice: Any) -> view_models.Alerts:
        """Entries of the ledger, newest first; `choice` as in notices.LedgerIndex.alerts."""
        return self._ledger.alerts(**choice)

    def alert(self, ref: str) -> view_models.Alert | None:
        """One entry of the ledger whole; None where there is none (any more)."""
        return self._ledger.alert(ref)

    def run(self, dag_id: str, run_id: str) -> view_models.Run:
        """Everything that one DAG run left behind; empty lists for a run of another DAG."""
        name = run_name(dag_id, run_id)
        result = next((one for one in reversed(self._runs.recent(10_000)) if one.run_id == name), None)
        notes: list[str] = []
        return view_models.Run(
            run=view_models.RunRef(dag_id=dag_id, run_id=run_id),
            records=self._history.of_run(name),
            sessions=[session_row(one) for one in self._sessions.list(notes.append) if one.run_id == name],
            alerts=self._ledger.of_run(name),
            result=pipeline_result(result) if result else None,
            notes=notes,
        )

    def _watched(self) -> tuple[TargetsConfig | None, list[str]]:
        try:
            return load_targets(self._targets_file), []
        except ConfigError as error:
            return None, [f"{error}; which targets are watched is not known here"]

    def _identity(self, namespace: str, selector: str, cluster: str | None) -> TargetIdentity:
        found = self._history.find(namespace, selector, None, cluster)
        return found or TargetIdentity(namespace, selector, cluster=cluster)

    def _look(self, where: TargetIdentity, notes: list[str]) -> TargetLook | None:
        # A damaged look costs the causes and the Jobs, not the page.
        try:
            return self._looks.read(where.namespace, where.selector, where.name, where.cluster)
        except StoreError as error:
            notes.append(str(error))
            return None

    def _row(
        self, where: TargetIdentity, now: str, stale_minutes: float, range_seconds: float, notes: list[str]
    ) -> view_models.OverviewRow:
        namespace, selector, cluster = where.namespace, where.selector, where.cluster
        until = timestamps.to_datetime(now).timestamp()
        newest = self._history.records(namespace, selector, -math.inf, math.inf, 1, 0, cluster=cluster).items
        last = newest[0] if newest else None
        age = timestamps.seconds_between(last.at, now) if last else None
        stale = last is not None and is_stale(age, stale_minutes)
        if last is not None and age is not None and stale and age < 0:
            notes.append(f"{namespace} {selector}: its newest record is dated {last.at}, still to come; set the clocks")
        look = self._look(where, notes)
        names = self._history.names(namespace, selector, cluster=cluster)
        return view_models.OverviewRow(
            name=(last.target if last else None) or (names[-1] if names else None),
            former_names=names[:-1],
            cluster=cluster,
            namespace=namespace,
            selector=selector,
            watched=None,
            status="NEVER" if last is None else "STALE" if stale else "IDLE" if last.idle else last.health,
            last_health=last.health if last else None,
            since=self._history.since(namespace, selector, cluster=cluster),
            jobs_ok=last.jobs_ok if last else None,
            jobs_warn=last.jobs_warn if last else None,
            jobs_error=last.jobs_error if last else None,
            cause=_cause(look, last.at) if last else None,
            reasons=last.reasons if last else {},
            monitor_errors=last.monitor_errors if last else [],
            last_at=last.at if last else None,
            age_seconds=age,
            run=last.run if last else None,
            open_incident=self._open_incident(where, last, look),
            last_notice=self._ledger.last_notice(namespace, selector, where.name, cluster),
            strip=self._history.strip(namespace, selector, until - range_seconds, until, STRIP_CELLS, cluster=cluster),
        )

    def _open_incident(
        self, where: TargetIdentity, last: view_models.Record | None, look: TargetLook | None
    ) -> view_models.Incident | None:
        if last is None:
            return None
        at = timestamps.to_datetime(last.at).timestamp()
        lasting = [one for one in self._joined(where, at, math.inf) if one.is_open]
        return self._incident(lasting[0], where, look) if lasting else None

    def _joined(self, where: TargetIdentity, since: float, until: float) -> list[JoinedIncident]:
        key = where.namespace, where.selector
        return join(
            self._history.episodes(*key, since, until, newest=INCIDENTS_AT_MOST, cluster=where.cluster),
            self._ledger.incidents(*key, since, until, where.name, where.cluster),
        )

    def _incident(self, one: JoinedIncident, where: TargetIdentity, look: TargetLook | None) -> view_models.Incident:
        first = self._history.record_at(one.episodes[0].first) if one.episodes else None
        worst = max(one.episodes, key=lambda episode: episode.worst == "ERROR", default=None)
        telling = self._history.record_at(worst.worst_record) if worst else None
        cause = (_cause(look, telling.at) if telling else None) or (one.told.cause if one.told else None)
        return view_models.Incident(
            id=one.told.id if one.told else None,
            namespace=where.namespace,
            selector=where.selector,
            cluster=where.cluster,
            target=(one.told.target if one.told else None) or (first.target if first else None),
            started_at=one.started_at,
            ended_at=one.ended_at,
            is_open=one.is_open,
            severity=one.severity,
            worst=one.worst,
            cause=cause,
            reasons=(one.told.reasons if one.told else {}) or (telling.reasons if telling else {}),
            records=sum(episode.records for episode in one.episodes),
            run=first.run if first else None,
            notices=one.told.notices if one.told else [],
        )


def _cause(look: TargetLook | None, at: str) -> str | None:
    """The probable cause of the worst Job, where the look is the one that the record is of."""
    if look is None or look.timestamp != at:
        return None
    failing = [job for job in look.jobs if job.cause and job.health != "OK"]
    return next((job.cause for job in sorted(failing, key=lambda job: job.health != "ERROR")), None)


def _brief(row: view_models.AlertRow) -> view_models.NoticeBrief:
    return view_models.NoticeBrief(
        notice_id=row.notice_id or "",
        receiver=row.receiver,
        channel=row.channel,
        status=row.status,
        outcome=row.outcome,
        decided_at=row.decided_at,
        done_at=row.done_at,
        dry_run=row.dry_run,
    )
