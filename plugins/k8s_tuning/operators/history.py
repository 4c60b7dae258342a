"""D34's history as tasks: record one look, and the nightly summary with its clean-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Context

from k8s_tuning import plain_values, timestamps
from k8s_tuning.addresses import overview_address
from k8s_tuning.cluster import selectors
from k8s_tuning.operators.stage import StageOperator, drop_handovers, page_of, run_of, take
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot
from k8s_tuning.stages.history.latest import LOOKS, LookStore, make_look
from k8s_tuning.stages.history.retention import RetentionPolicy
from k8s_tuning.stages.history.store import (
    K8sHealthHistoryStore,
    generate_history_summary_text,
    generate_history_text,
    generate_record_text,
)
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunStore
from k8s_tuning.stages.sessions.store import SESSIONS, SessionStore
from k8s_tuning.stages.targets import load_targets
from k8s_tuning.storage import places
from k8s_tuning.storage.leftovers import JOBS, drop_drafts, drop_old


class RecordHistoryOperator(StageOperator):
    """Appends the health to `history_file`, once a DAG run, target and finding; returns the record.

    The log shows the target's last `history_limit` records. For the health page the whole look is kept in `looks/`
    beside that file, with what `snapshot` and `events` hold (what MonitorJobsOperator and CollectEventsOperator
    returned), and what the snapshot tells of tuning sessions in `sessions_dir` (`sessions/` beside the history).
    """

    template_fields = ("health", "snapshot", "events", "history_file", "target", "history_limit", "sessions_dir")

    def __init__(
        self,
        *,
        health: Any,
        history_file: str,
        snapshot: Any = None,
        events: Any = None,
        target: str | None = None,
        history_limit: int | str = 1,
        sessions_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.history_limit = history_limit
        self.health = health
        self.snapshot = snapshot
        self.events = events
        self.history_file = history_file
        self.target = target
        self.sessions_dir = sessions_dir or str(places.history_dir() / SESSIONS)

    def run_stage(self, context: Context) -> Any:
        """Append, then keep the look."""
        store = K8sHealthHistoryStore(self.history_file)
        health = take(K8sHealthSnapshot, self.health)
        self.health_page = page_of(health.namespace, health.selector, health.cluster)
        record = store.append(health, run_id=run_of(context), target=self.target or None)
        self.report(generate_record_text(record, self.history_file))
        self._keep_look(health, run_of(context))
        found = store.find(record.namespace, record.selector, target=record.target, cluster=record.cluster)
        recent = store.load_recent(int(self.history_limit), of=found)
        self.report(generate_history_text(recent))
        return plain_values.dump(record)

    def _keep_look(self, health: K8sHealthSnapshot, run_id: str) -> None:
        snapshot = take(K8sMonitorSnapshot, self.snapshot) if self.snapshot else None
        events = take(K8sEventSnapshot, self.events) if self.events else None
        looks = LookStore(Path(self.history_file).with_name(LOOKS))
        if not looks.keep(make_look(health, snapshot, events, run_id, self.target or None)):
            self.report("A newer look at this target is kept already.")
        if snapshot is not None:
            selects = selectors.parse(snapshot.selector).matches
            SessionStore(self.sessions_dir).looked(snapshot, selects, run_id, health)


class ReportHistoryOperator(StageOperator):
    """Logs each target's summary, then lets go of what is past the retention of `targets_file`.

    That is: records of the history older than `max_age_days`, or not among their target's newest `max_records`; lines
    of the ledger, looks (in `looks/` beside the history), tuning sessions (in `sessions_dir`), finished runs, and the
    files of runs (manifests in `jobs/`, what tasks handed over), older than that.
    """

    template_fields = ("history_file", "targets_file", "ledger_file", "sessions_dir")

    def __init__(
        self, *, history_file: str, targets_file: str, ledger_file: str, sessions_dir: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.history_file = history_file
        self.targets_file = targets_file
        self.ledger_file = ledger_file
        self.sessions_dir = sessions_dir or str(places.history_dir() / SESSIONS)

    def run_stage(self, context: Context) -> Any:
        """Summarize, then prune."""
        self.health_page = overview_address()
        store = K8sHealthHistoryStore(self.history_file)
        summaries = []
        for target in store.targets():
            summary = target.summary()
            cluster = f" on {target.cluster}" if target.cluster else ""
            self.report(
                f"Target {target.namespace} {target.selector}{cluster}\n{generate_history_summary_text(summary)}"
            )
            where = {"namespace": target.namespace, "selector": target.selector, "cluster": target.cluster}
            summaries.append({**where, **summary})
        if not summaries:
            self.report(f"Nothing has been recorded in {self.history_file} yet.")
        return {"targets": summaries, **self._prune(store)}

    def _prune(self, store: K8sHealthHistoryStore) -> dict[str, int]:
        from k8s_tuning.alerts import Ledger

        retention, now = load_targets(self.targets_file).retention, timestamps.now()
        days = retention.max_age_days
        records = store.prune(RetentionPolicy(days, retention.max_records)).total_dropped
        lines = Ledger(self.ledger_file).prune(days, now)
        looks = LookStore(Path(self.history_file).with_name(LOOKS)).prune(days, now)
        sessions = SessionStore(self.sessions_dir).prune(days, now)
        runs = K8sPipelineRunStore(Path(self.history_file).with_name("runs.jsonl")).prune(days, now)
        beside, at = Path(self.history_file).parent, timestamps.to_datetime(now).timestamp()
        files = drop_handovers(days) + drop_old(beside / JOBS, days, at) + drop_drafts(beside, at)
        self.report(
            f"Retention dropped {records} record(s), {lines} line(s) of the ledger, {looks} look(s), "
            f"{sessions} tuning session(s), {runs} run(s), {files} file(s) of runs."
        )
        return {
            "dropped_records": records,
            "dropped_lines": lines,
            "dropped_looks": looks,
            "dropped_sessions": sessions,
            "dropped_files": files,
            "dropped_runs": runs,
        }
