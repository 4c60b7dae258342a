"""The one entrance to the queries over one folder: overview, targets, tuning sessions, alerts, DAG runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.errors import ConfigError
from k8s_tuning.queries import job_models, view_models
from k8s_tuning.queries.history_index import HistoryIndex
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.queries.sessions import session_jobs, session_row
from k8s_tuning.queries.target import Files, TargetQueries
from k8s_tuning.stages.history.latest import LatestStore
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.stages.targets import STALE_AFTER_MINUTES, TargetsConfig, load_targets
from k8s_tuning.storage.state_dir import StateDir

# The worst first.
STATUSES = ("ERROR", "NEVER", "STALE", "WARN", "OK", "IDLE")


class HealthQueries:
    """What page, JSON API and Airflow's tabs ask; keep one a process, for it remembers how far it has read.

    `folder`: where the history, the ledger and all else is; what is not there yet is empty. `targets_file`:
    targets.yaml. `ledger` answers for alerts. Safe for threads; writes nothing. StoreError where a file cannot be read.
    """

    def __init__(self, folder: str | Path, targets_file: str | Path) -> None:
        self.folder = Path(folder)
        state = StateDir(self.folder)
        self.ledger = LedgerIndex(state.ledger)
        self._targets_file = Path(targets_file)
        self._history = HistoryIndex(state.history)
        self._files = Files(self._history, self.ledger, LatestStore(state.latest))
        self._runs = K8sPipelineRunStore(state.runs)
        self._sessions = SessionStore(state.sessions)

    def overview(self, range_seconds: float, now: str | None = None) -> view_models.Overview:
        """Every target that targets.yaml names or the history knows, the worst first; strips of the last so long."""
        now = now or timestamps.now()
        config, notes = self._watched()
        rows = [one.row(range_seconds, now, notes) for one in self._targets(config)]
        rows.sort(
            key=lambda row: (STATUSES.index(row.status), row.name or "", row.namespace, row.selector, row.cluster or "")
        )
        return view_models.Overview(
            now=now,
            range_seconds=int(range_seconds),
            stale_after_minutes=_stale_after(config),
            rows=rows,
            notes=notes + self._history.notes(),
        )

    def target(self, namespace: str, selector: str, cluster: str | None = None) -> TargetQueries:
        """One target, as an address names it: of several clusters' without a `cluster`, the one that records without
        one are of, else the first that was recorded. It is not `is_known` where nobody names it and it has no record.
        """
        config, _ = self._watched()
        found = [one for one in self._targets(config) if one.is_at(namespace, selector, cluster)]
        if not found:
            where = TargetIdentity(namespace, selector, cluster=cluster)
            return TargetQueries(self._files, where, None, None, _stale_after(config), is_known=False)
        recorded = self._history.find(namespace, selector, None, cluster)
        return next((one for one in found if recorded and one.where.cluster == recorded.cluster), found[0])

    def sessions(self, q: str | None = None, limit: int = 50, offset: int = 0) -> job_models.Sessions:
        """Sessions with these letters in their id or namespace, newest first."""
        notes: list[str] = []
        found = [
            one
            for one in self._sessions.list(notes.append)
            if not q or q.casefold() in f"{one.namespace}/{one.session_id}".casefold()
        ]
        items = [session_row(one) for one in found[offset : offset + limit]]
        return job_models.Sessions(total=len(found), items=items, notes=notes)

    def session(
        self, namespace: str, session_id: str, limit: int = 50, offset: int = 0, **choice: Any
    ) -> job_models.Session | None:
        """One session with its Jobs, `choice` as in sessions.session_jobs; None where there is none. InputError for an
        unknown `sort` or `order`.
        """
        found = self._sessions.read(namespace, session_id)
        if found is None:
            return None
        jobs = session_jobs(found, **choice)
        alerts = self.ledger.of_run(found.run_id) if found.run_id else []
        return job_models.Session(
            row=session_row(found),
            total=len(found.jobs),
            matching=len(jobs),
            jobs=jobs[offset : offset + limit],
            notices=[view_models.NoticeBrief.of(row) for row in alerts if row.notice_id],
        )

    def run(self, dag_id: str, run_id: str) -> job_models.Run:
        """Everything that one DAG run left behind; empty lists for a run of another DAG."""
        name = f"{dag_id}/{run_id}"
        result = next((one for one in reversed(self._runs.recent(10_000)) if one.run_id == name), None)
        notes: list[str] = []
        return job_models.Run(
            run=view_models.RunRef(dag_id=dag_id, run_id=run_id),
            records=self._history.of_run(name),
            sessions=[session_row(one) for one in self._sessions.list(notes.append) if one.run_id == name],
            alerts=self.ledger.of_run(name),
            result=_pipeline_result(result) if result else None,
            notes=notes,
        )

    def _watched(self) -> tuple[TargetsConfig | None, list[str]]:
        try:
            return load_targets(self._targets_file), []
        except ConfigError as error:
            return None, [f"{error}; which targets are watched is not known here"]

    def _targets(self, config: TargetsConfig | None) -> list[TargetQueries]:
        """Those that targets.yaml names, then the others that the history has."""
        stale_after = _stale_after(config)
        found = []
        for one in config.targets if config else []:
            where = self._history.find(one.namespace, one.label_selector, one.name, one.cluster) or one.identity()
            found.append(TargetQueries(self._files, where, one, True, stale_after))
        named = {(one.where.namespace, one.where.selector, one.where.cluster) for one in found}
        is_watched = None if config is None else False
        return found + [
            TargetQueries(self._files, where, None, is_watched, stale_after)
            for where in self._history.identities()
            if (where.namespace, where.selector, where.cluster) not in named
        ]


def _stale_after(config: TargetsConfig | None) -> float:
    return config.stale_after_minutes if config else STALE_AFTER_MINUTES


def _pipeline_result(record: K8sPipelineRunRecord) -> job_models.PipelineResult:
    health = record.health_status.value if record.health_status else None
    return job_models.PipelineResult.of(record, ended_at=record.timestamp, health=health)
