"""D34's history as tasks: record one look, and the nightly summary with its clean-up."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning import timestamps, wire
from k8s_tuning.operators.stage import StageOperator, drop_handovers, run_of, take
from k8s_tuning.stages.health import K8sHealthSnapshot
from k8s_tuning.stages.history import (
    K8sHealthHistoryStore,
    generate_history_summary_text,
    generate_history_text,
    generate_record_text,
)
from k8s_tuning.stages.retention import RetentionPolicy
from k8s_tuning.stages.targets import load_targets


class RecordHistoryOperator(StageOperator):
    """Appends the health to `history_file`, once a DAG run and target however often it runs; returns the record.

    The log shows the target's last `history_limit` records.
    """

    template_fields = ("health", "history_file", "target", "history_limit")

    def __init__(
        self, *, health: Any, history_file: str, target: str | None = None, history_limit: int | str = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.history_limit = history_limit
        self.health = health
        self.history_file = history_file
        self.target = target

    def run_stage(self, context: Context) -> Any:
        """Append."""
        store = K8sHealthHistoryStore(self.history_file)
        health = take(K8sHealthSnapshot, self.health)
        record = store.append(health, run_id=run_of(context), target=self.target or None)
        self.report(generate_record_text(record, self.history_file))
        recent = store.load_recent(int(self.history_limit), namespace=record.namespace, selector=record.selector)
        self.report(generate_history_text(recent))
        return wire.dump(record)


class ReportHistoryOperator(StageOperator):
    """Logs each target's summary, then lets go of what is past the retention of `targets_file`.

    That is: records of the history older than `max_age_days`, or not among their target's newest `max_records`; lines
    of the ledger, and files that tasks handed over, older than that.
    """

    template_fields = ("history_file", "targets_file", "ledger_file")

    def __init__(self, *, history_file: str, targets_file: str, ledger_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.history_file = history_file
        self.targets_file = targets_file
        self.ledger_file = ledger_file

    def run_stage(self, context: Context) -> Any:
        """Summarize, then prune."""
        from k8s_tuning.alerts import Ledger

        retention = load_targets(self.targets_file).retention
        store = K8sHealthHistoryStore(self.history_file)
        summaries = []
        for target in store.targets():
            summary = store.summarize(namespace=target.namespace, selector=target.selector)
            self.report(f"Target {target.namespace} {target.selector}\n{generate_history_summary_text(summary)}")
            summaries.append({"namespace": target.namespace, "selector": target.selector, **summary})
        if not summaries:
            self.report(f"Nothing has been recorded in {self.history_file} yet.")
        records = store.prune(RetentionPolicy(retention.max_age_days, retention.max_records)).total_dropped
        lines = Ledger(self.ledger_file).prune(retention.max_age_days, timestamps.now())
        files = drop_handovers(retention.max_age_days)
        self.report(
            f"Retention dropped {records} record(s), {lines} line(s) of the ledger, {files} handed-over file(s)."
        )
        return {"targets": summaries, "dropped_records": records, "dropped_lines": lines, "dropped_files": files}
