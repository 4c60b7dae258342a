"""D34's history as tasks: record one check, and the nightly summary with its clean-up."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning import plain_values, timestamps
from k8s_tuning.addresses import overview_address
from k8s_tuning.operators.bundles import page_of
from k8s_tuning.operators.stage import StageOperator, from_xcom, run_of
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot
from k8s_tuning.stages.history.store import (
    K8sHealthHistoryStore,
    generate_history_summary_text,
    generate_history_text,
    generate_record_text,
)
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.targets import load_targets
from k8s_tuning.storage.state_dir import StateDir


class RecordHistoryOperator(StageOperator):
    """Appends the health to the history, once a DAG run, target and finding; returns the record.

    The log shows the target's last `history_limit` records. `snapshot` and `events`: what MonitorJobsOperator and
    CollectEventsOperator returned; for the health page the whole is kept, and what it shows of tuning sessions.
    """

    template_fields = ("health", "snapshot", "events", "target", "history_limit")

    def __init__(
        self,
        *,
        health: Any,
        snapshot: Any = None,
        events: Any = None,
        target: str | None = None,
        history_limit: int | str = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.history_limit = history_limit
        self.health = health
        self.snapshot = snapshot
        self.events = events
        self.target = target

    def run_stage(self, context: Context) -> Any:
        from k8s_tuning.usecases.check_target import record_check

        state = StateDir.default()
        health = from_xcom(K8sHealthSnapshot, self.health)
        self.health_page = page_of(health.namespace, health.selector, health.cluster)
        snapshot = from_xcom(K8sMonitorSnapshot, self.snapshot) if self.snapshot else None
        events = from_xcom(K8sEventSnapshot, self.events) if self.events else None
        record, is_newest = record_check(
            state, health, snapshot, events, run_id=run_of(context), target=self.target or None
        )
        self.report(generate_record_text(record, str(state.history)))
        if not is_newest:
            self.report("A newer snapshot of this target is kept already.")
        store = K8sHealthHistoryStore(state.history)
        found = store.find(record.namespace, record.selector, target=record.target, cluster=record.cluster)
        self.report(generate_history_text(store.load_recent(int(self.history_limit), of=found)))
        return plain_values.dump(record)


class ReportHistoryOperator(StageOperator):
    """Logs each target's summary, then drops what is past the retention of `targets_file` (`usecases.prune`)."""

    template_fields = ("targets_file",)

    def __init__(self, *, targets_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.targets_file = targets_file

    def run_stage(self, context: Context) -> Any:
        self.health_page = overview_address()
        from k8s_tuning.usecases.prune import policy_of, prune

        state = StateDir.default()
        summaries = []
        for target in K8sHealthHistoryStore(state.history).targets():
            summary = target.summary()
            cluster = f" on {target.cluster}" if target.cluster else ""
            self.report(
                f"Target {target.namespace} {target.selector}{cluster}\n{generate_history_summary_text(summary)}"
            )
            where = {"namespace": target.namespace, "selector": target.selector, "cluster": target.cluster}
            summaries.append({**where, **summary})
        if not summaries:
            self.report(f"Nothing has been recorded in {state.history} yet.")
        dropped = prune(state, policy_of(load_targets(self.targets_file).retention), timestamps.now())
        self.report(
            f"Retention dropped {dropped.records} record(s), {dropped.ledger_lines} line(s) of the ledger, "
            f"{dropped.looks} look(s), {dropped.sessions} tuning session(s), {dropped.runs} run(s), "
            f"{dropped.files} file(s) of runs."
        )
        counts = {"dropped_records": dropped.records, "dropped_lines": dropped.ledger_lines}
        counts |= {f"dropped_{what}": getattr(dropped, what) for what in ("looks", "sessions", "files", "runs")}
        return {"targets": summaries, **counts}
