"""The health page's one door: every answer, from the files of one folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.dashboard import shapes
from k8s_tuning.dashboard.incidents import JoinedIncident, join
from k8s_tuning.dashboard.jobs import jobs_of
from k8s_tuning.dashboard.notices import LedgerIndex
from k8s_tuning.dashboard.runs import pipeline_result, run_name
from k8s_tuning.dashboard.series import HistoryColumns
from k8s_tuning.dashboard.tuning import session_jobs, session_row
from k8s_tuning.errors import ConfigError, StoreError
from k8s_tuning.stages.looks import LookStore, TargetLook
from k8s_tuning.stages.runs import K8sPipelineRunStore
from k8s_tuning.stages.sessions import SessionStore
from k8s_tuning.stages.targets import TargetsConfig, load_targets

STRIP_CELLS = 48
# Of a range with more runs of trouble than this, the newest are taken: 200,000 would take most of a second.
INCIDENTS_AT_MOST = 10_000
# Without targets.yaml: what it says by default.
_STALE_MINUTES = 30.0
_ORDER = ("ERROR", "NEVER", "STALE", "WARN", "OK")


class Dashboard:
    """The page's answers; keep one a process, for it remembers how far it has read. Safe for threads; writes nothing.

    `folder`: where the history, the ledger and all else is; what is not there yet is empty. `targets_file`:
    targets.yaml. Ranges are in seconds since the epoch. StoreError where a file cannot be read.
    """

    def __init__(self, folder: str | Path, targets_file: str | Path) -> None:
        self.folder = Path(folder)
        self._targets_file = Path(targets_file)
        self._history = HistoryColumns(self.folder / "health.jsonl")
        self._ledger = LedgerIndex(self.folder / "alerts-ledger.jsonl")
        self._runs = K8sPipelineRunStore(self.folder / "runs.jsonl")
        self._looks = LookStore(self.folder / "looks")
        self._sessions = SessionStore(self.folder / "sessions")

    def overview(self, range_seconds: float, now: str | None = None) -> shapes.Overview:
        """Every target that targets.yaml names or the history knows, the worst first; strips of the last so long."""
        now = now or timestamps.now()
        config, notes = self._watched()
        stale_minutes = config.stale_after_minutes if config else _STALE_MINUTES
        watched = {(one.namespace, one.label_selector): one.name for one in config.targets} if config else {}
        rows = []
        for key in dict.fromkeys([*watched, *self._history.targets()]):
            row = self._row(*key, now, stale_minutes, range_seconds, notes)
            row.watched = None if config is None else key in watched
            row.name = watched.get(key) or row.name
            rows.append(row)
        notes += self._history.notes()
        rows.sort(key=lambda row: (_ORDER.index(row.status), row.name or "", row.namespace, row.selector))
        return shapes.Overview(
            now=now, range_seconds=int(range_seconds), stale_after_minutes=stale_minutes, rows=rows, notes=notes
        )

    def target(
        self, namespace: str, selector: str, range_seconds: float, now: str | None = None
    ) -> shapes.OverviewRow | None:
        """One target's row of the overview; None for one that nobody names and that has no record."""
        rows = self.overview(range_seconds, now).rows
        return next((row for row in rows if (row.namespace, row.selector) == (namespace, selector)), None)

    def knows(self, namespace: str, selector: str) -> bool:
        """Whether targets.yaml names the target, or the history has a record of it."""
        config, _ = self._watched()
        named = [(one.namespace, one.label_selector) for one in config.targets] if config else []
        return (namespace, selector) in named or (namespace, selector) in self._history.targets()

    def series(self, namespace: str, selector: str, since: float, until: float, points: int = 600) -> shapes.Series:
        """Health and Job counts over time, at most so many points; no ERROR is lost between them."""
        config, _ = self._watched()
        stale_minutes = config.stale_after_minutes if config else _STALE_MINUTES
        return self._history.series(namespace, selector, since, until, points, stale_minutes * 60)

    def incidents(
        self, namespace: str, selector: str, since: float, until: float, limit: int = 50, offset: int = 0
    ) -> shapes.Incidents:
        """The incidents that touch the range, newest first."""
        joined = self._joined(namespace, selector, since, until)
        look = self._look(namespace, selector, [])
        page = [self._incident(one, namespace, selector, look) for one in joined[offset : offset + limit]]
        return shapes.Incidents(total=len(joined), items=page)

    def records(
        self, namespace: str, selector: str, since: float, until: float, limit: int = 50, offset: int = 0
    ) -> shapes.Records:
        """The records of the range, newest first."""
        return self._history.records(namespace, selector, since, until, limit, offset)

    def jobs(self, namespace: str, selector: str, **choice: Any) -> shapes.Jobs:
        """The Jobs of the target's newest snapshot; `choice` as in jobs.jobs_of. InputError for an unknown one."""
        return jobs_of(self._looks.read(namespace, selector), **choice)

    def sessions(self, q: str | None = None, limit: int = 50, offset: int = 0) -> shapes.Sessions:
        """Sessions with these letters in their id or namespace, newest first."""
        notes: list[str] = []
        found = [
            one
            for one in self._sessions.list(notes.append)
            if not q or q.casefold() in f"{one.namespace}/{one.session_id}".casefold()
        ]
        return shapes.Sessions(
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
    ) -> shapes.Session | None:
        """One session with its Jobs; None where there is none. InputError for an unknown `sort` or `order`."""
        found = self._sessions.read(namespace, session_id)
        if found is None:
            return None
        jobs = session_jobs(found, q=q, sort=sort, order=order)
        told = self._ledger.of_run(found.run_id) if found.run_id else []
        return shapes.Session(
            row=session_row(found),
            total=len(found.jobs),
            matching=len(jobs),
            jobs=jobs[offset : offset + limit],
            notices=[_brief(row) for row in told if row.notice_id],
        )

    def alerts(self, **choice: Any) -> shapes.Alerts:
        """Entries of the ledger, newest first; `choice` as in notices.LedgerIndex.alerts."""
        return self._ledger.alerts(**choice)

    def alert(self, ref: str) -> shapes.Alert | None:
        """One entry of the ledger whole; None where there is none (any more)."""
        return self._ledger.alert(ref)

    def run(self, dag_id: str, run_id: str) -> shapes.Run:
        """Everything that one DAG run left behind; empty lists for a run of another DAG."""
        name = run_name(dag_id, run_id)
        result = next((one for one in reversed(self._runs.recent(10_000)) if one.run_id == name), None)
        notes: list[str] = []
        return shapes.Run(
            run=shapes.RunRef(dag_id=dag_id, run_id=run_id),
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

    def _look(self, namespace: str, selector: str, notes: list[str]) -> TargetLook | None:
        # A damaged look costs the causes and the Jobs, not the page.
        try:
            return self._looks.read(namespace, selector)
        except StoreError as error:
            notes.append(str(error))
            return None

    def _row(
        self, namespace: str, selector: str, now: str, stale_minutes: float, range_seconds: float, notes: list[str]
    ) -> shapes.OverviewRow:
        until = timestamps.to_datetime(now).timestamp()
        newest = self._history.records(namespace, selector, -math.inf, math.inf, 1, 0).items
        last = newest[0] if newest else None
        age = timestamps.seconds_between(last.at, now) if last else None
        is_stale = age is not None and abs(age) > stale_minutes * 60
        if last is not None and age is not None and is_stale and age < 0:
            notes.append(f"{namespace} {selector}: its newest record is dated {last.at}, still to come; set the clocks")
        look = self._look(namespace, selector, notes)
        names = self._history.names(namespace, selector)
        return shapes.OverviewRow(
            name=(last.target if last else None) or (names[-1] if names else None),
            former_names=names[:-1],
            namespace=namespace,
            selector=selector,
            watched=None,
            status="NEVER" if last is None else "STALE" if is_stale else last.health,
            last_health=last.health if last else None,
            since=self._history.since(namespace, selector),
            jobs_ok=last.jobs_ok if last else None,
            jobs_warn=last.jobs_warn if last else None,
            jobs_error=last.jobs_error if last else None,
            cause=_cause(look, last.at) if last else None,
            reasons=last.reasons if last else {},
            monitor_errors=last.monitor_errors if last else [],
            last_at=last.at if last else None,
            age_seconds=age,
            run=last.run if last else None,
            open_incident=self._open_incident(namespace, selector, last, look),
            last_notice=self._ledger.last_notice(namespace, selector),
            strip=self._history.strip(namespace, selector, until - range_seconds, until, STRIP_CELLS),
        )

    def _open_incident(
        self, namespace: str, selector: str, last: shapes.Record | None, look: TargetLook | None
    ) -> shapes.Incident | None:
        if last is None:
            return None
        at = timestamps.to_datetime(last.at).timestamp()
        lasting = [one for one in self._joined(namespace, selector, at, math.inf) if one.is_open]
        return self._incident(lasting[0], namespace, selector, look) if lasting else None

    def _joined(self, namespace: str, selector: str, since: float, until: float) -> list[JoinedIncident]:
        return join(
            self._history.episodes(namespace, selector, since, until, newest=INCIDENTS_AT_MOST),
            self._ledger.incidents(namespace, selector, since, until),
        )

    def _incident(self, one: JoinedIncident, namespace: str, selector: str, look: TargetLook | None) -> shapes.Incident:
        first = self._history.record_at(one.episodes[0].first) if one.episodes else None
        worst = max(one.episodes, key=lambda episode: episode.worst == "ERROR", default=None)
        telling = self._history.record_at(worst.worst_record) if worst else None
        cause = (_cause(look, telling.at) if telling else None) or (one.told.cause if one.told else None)
        return shapes.Incident(
            id=one.told.id if one.told else None,
            namespace=namespace,
            selector=selector,
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


def _brief(row: shapes.AlertRow) -> shapes.NoticeBrief:
    return shapes.NoticeBrief(
        notice_id=row.notice_id or "",
        receiver=row.receiver,
        channel=row.channel,
        status=row.status,
        outcome=row.outcome,
        decided_at=row.decided_at,
        done_at=row.done_at,
        dry_run=row.dry_run,
    )
