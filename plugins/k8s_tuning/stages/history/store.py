"""D34 history: one line a health check, in a JSONL file on a shared volume."""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from k8s_tuning import plain_values, timestamps
from k8s_tuning.choices import made_of
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.printable import start_of
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, count_levels, count_reasons, failing_jobs
from k8s_tuning.stages.history import retention
from k8s_tuning.stages.history.record import RECORD, K8sHealthHistoryRecord, instant, read_line
from k8s_tuning.stages.history.repeats import finding, recorded_already
from k8s_tuning.stages.history.retention import RetentionPolicy, RetentionResult
from k8s_tuning.stages.history.state import STATE_VERSION, HistoryState, TargetHistory, read_state, summary_of
from k8s_tuning.stages.target_identity import TargetIndex
from k8s_tuning.storage.append_log import AppendLog, Kind
from k8s_tuning.storage.jsonl import BrokenLines, encode
from k8s_tuning.storage.tail import TailReader

__all__ = [
    "K8sHealthHistoryRecord",
    "K8sHealthHistoryStore",
    "RetentionPolicy",
    "RetentionResult",
    "TargetHistory",
    "generate_history_summary_text",
    "generate_history_text",
    "generate_record_text",
]

log = logging.getLogger(__name__)

# Each time the file has grown by this much, the append that did it brings the checkpoint up, so that no reader ever
# has more than this to catch up with.
_CHECKPOINT_EVERY_BYTES = 4 * 1024 * 1024
_WIDEST_ERROR = 60  # in a table; --json has all of it


class K8sHealthHistoryStore:
    """The history in one file, of any number of targets (cluster, namespace and selector). Safe for many processes.

    StoreError where the file cannot be read or written, InputError where it would be written and is no history. Lines
    that are no record are skipped, and logged with their place.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._log = AppendLog(self.path, Kind("history", frozenset({"timestamp", "overall_health"})))
        self._reader = TailReader(self.path, HistoryState, HistoryState.add_block, version=STATE_VERSION)
        self._lock = threading.Lock()

    def append(
        self,
        snapshot: K8sHealthSnapshot,
        *,
        run_id: str | None = None,
        target: str | None = None,
        keep_snapshot: bool = False,
    ) -> K8sHealthHistoryRecord:
        """Record one health check, durably.

        With a `run_id`, a target is recorded once for each finding of a run: a repeat that finds the same changes
        nothing and returns the record that is there; one that finds something else is recorded. `keep_snapshot` puts
        the whole snapshot into `raw_snapshot`, where it fits into a line.
        """
        at = instant(snapshot.timestamp)
        if at is None:
            raise InputError(f"{snapshot.timestamp!r} is not a timestamp; write one as 2025-11-16T10:00:00Z")
        counts = count_levels(snapshot.jobs_health) if snapshot.jobs_listed else {}
        record = made_of(
            K8sHealthHistoryRecord,
            snapshot,
            timestamp=at,
            jobs_ok=counts.get("OK"),
            jobs_warn=counts.get("WARN"),
            jobs_error=counts.get("ERROR"),
            run_id=run_id,
            target=target,
            reasons=count_reasons(snapshot.jobs_health),
            monitor_errors=list(snapshot.errors),
            look=finding(snapshot),
            failing_jobs=failing_jobs(snapshot.jobs_health),
        )
        values = asdict(record)
        if keep_snapshot:
            values = _with_snapshot(values, snapshot)
        repeat = partial(recorded_already, values) if run_id is not None else None
        stored, _ = self._log.append(values, unless=repeat)
        data = encode(stored)
        self._keep_checkpoint(len(data))
        line = read_line(data)
        return line.record() if line else record

    def check(self) -> None:
        """Whether `append` would write there, before anything is done: InputError where the file is no history."""
        self._log.check()

    def _keep_checkpoint(self, written: int) -> None:
        try:
            size = self.path.stat().st_size
            if size // _CHECKPOINT_EVERY_BYTES != (size - written) // _CHECKPOINT_EVERY_BYTES:
                self._read()
        except (OSError, StoreError) as error:
            # The record is on disk. The checkpoint only saves reading; the next reader makes it anew.
            log.debug("%s: no checkpoint was made: %s", self.path, error)

    def load_recent(
        self,
        limit: int = 50,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        of: TargetHistory | None = None,
    ) -> list[K8sHealthHistoryRecord]:
        """The last `limit` records, oldest first, read from the end of the file.

        `namespace`, `selector`: only such; `of`: only this target's, which `find` gave.
        """
        if limit < 0:
            raise InputError(f"limit: {limit} is negative")
        index = self._index() if of is not None else TargetIndex(TargetHistory)
        wanted = index.find(of.namespace, of.selector, of.name, of.cluster) if of is not None else None
        broken = BrokenLines(self.path)
        found = (
            line.record()
            for line in broken.read(self._log.lines_newest_first(broken), read_line, RECORD)
            if (of is None or index.find(*line.identity()) is wanted)
            and namespace in (None, line.namespace)
            and selector in (None, line.selector)
        )
        recent = list(islice(found, limit))
        broken.sum_up()
        return recent[::-1]

    def summarize(
        self, window: int | None = None, *, namespace: str | None = None, selector: str | None = None
    ) -> dict[str, Any]:
        """Counts by health and the newest record, over the last `window` records or, without one, over all.

        What is not known, because there is no record, is None.
        """
        if window is not None:
            recent = self.load_recent(window, namespace=namespace, selector=selector)
            levels = [record.overall_health for record in recent]
            ok, warn, error = (levels.count(level) for level in HealthLevel)
            return summary_of(ok, warn, error, recent[-1] if recent else None)
        state = self._read()
        chosen = [
            target
            for target in state.targets
            if namespace in (None, target.namespace) and selector in (None, target.selector)
        ]
        if namespace is None and selector is None:
            last = state.last
        elif len(chosen) == 1:
            last = chosen[0].last
        else:
            last = next(iter(self.load_recent(1, namespace=namespace, selector=selector)), None)
        return summary_of(
            sum(target.ok for target in chosen),
            sum(target.warn for target in chosen),
            sum(target.error for target in chosen),
            last,
        )

    def targets(self) -> list[TargetHistory]:
        """Every target's counts and present state, over the whole file; by namespace, selector and cluster."""
        return sorted(self._index(), key=lambda target: (target.namespace, target.selector, target.cluster or ""))

    def find(
        self, namespace: str, selector: str, *, target: str | None = None, cluster: str | None = None
    ) -> TargetHistory | None:
        """The target that records with this name and cluster are of; None where there is no record of it.

        InputError where neither is given and several have that namespace and selector.
        """
        index = self._index()
        alike = index.alike(namespace, selector)
        if len(alike) > 1 and target is None and cluster is None:
            known = ", ".join(f"{one.name or 'unnamed'} on {one.cluster or 'an unnamed cluster'}" for one in alike)
            raise InputError(
                f"{self.path}: {len(alike)} targets have namespace {namespace!r} and selector {selector!r} ({known}); "
                "say which: its name, or its cluster"
            )
        return index.find(namespace, selector, target, cluster)

    def _index(self) -> TargetIndex[TargetHistory]:
        return self._read().index()

    def _read(self) -> HistoryState:
        with self._lock:
            return read_state(self._reader)

    def open_run(
        self, namespace: str, selector: str, *, target: str | None = None, cluster: str | None = None
    ) -> list[K8sHealthHistoryRecord]:
        """What an incident rests on, oldest first: the first record of the unbroken non-OK run, the record before the
        newest (the last OK one, where the newest is the first), and the newest. Empty while the newest is OK.

        However long the run is, these are at most three records, without raw snapshots.
        """
        found = self.find(namespace, selector, target=target, cluster=cluster)
        if found is None or found.last is None or found.open_since is None:
            return []
        newest = [found.previous, found.last]
        records = newest if found.open_since in newest else [found.open_since, *newest]
        return [record for record in records if record is not None]

    def prune(self, policy: RetentionPolicy, now: str | None = None) -> RetentionResult:
        """Drop what is past the limits (`retention.prune` says what stays in spite of them); readers see either the
        old file or the new one. `now`: a timestamp, the present where it is left out.
        """
        result = retention.prune(self._log, policy, now or timestamps.now())
        if result.total_dropped:
            self._read()
        return result


def generate_record_text(record: K8sHealthHistoryRecord, path: str | Path) -> str:
    """What recording prints."""
    lines = [
        f"Namespace: {record.namespace}",
        f"Selector: {record.selector}",
        f"Timestamp: {record.timestamp}",
        f"Overall health: {record.overall_health}",
        f"Jobs: {_counts(record.jobs_ok, record.jobs_warn, record.jobs_error)}",
    ]
    if record.reasons:
        lines.append(f"Reasons: {_reasons(record.reasons)}")
    lines += [f"  ! {error}" for error in record.monitor_errors]
    return "\n".join([*lines, f"History file: {path}"]) + "\n"


def generate_history_text(records: list[K8sHealthHistoryRecord]) -> str:
    """A table of records, as given."""
    if not records:
        return "No records.\n"
    rows = [("TIMESTAMP", "NAMESPACE", "SELECTOR", "HEALTH", "OK", "WARN", "ERROR", "REASONS")]
    for record in records:
        ok, warn, error = (
            "?" if count is None else str(count) for count in (record.jobs_ok, record.jobs_warn, record.jobs_error)
        )
        unread = (start_of(error, _WIDEST_ERROR) for error in record.monitor_errors)
        unknown = "" if record.jobs_listed else "Jobs not known"
        why = "; ".join(filter(None, [unknown, _reasons(record.reasons), *unread]))
        rows.append(
            (record.timestamp, record.namespace, record.selector, str(record.overall_health), ok, warn, error, why)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def generate_history_summary_text(summary: dict[str, Any]) -> str:
    """The summary as `summarize` returns it."""
    lines = [
        f"Total records: {summary['total_records']}",
        f"OK: {summary['ok_count']}",
        f"WARN: {summary['warn_count']}",
        f"ERROR: {summary['error_count']}",
    ]
    if summary["last_timestamp"] is None:
        return "\n".join([*lines, "Last record: none"]) + "\n"
    counts = _counts(*(summary[f"last_jobs_{level.lower()}"] for level in HealthLevel))
    last = f"Last record: {summary['last_timestamp']} {summary['last_overall_health']} (jobs: {counts})"
    return "\n".join([*lines, last]) + "\n"


def _with_snapshot(values: dict[str, Any], snapshot: K8sHealthSnapshot) -> dict[str, Any]:
    whole = values | {"raw_snapshot": plain_values.dump(snapshot)}
    try:
        encode(whole)
    except InputError as error:
        log.warning("recorded without the snapshot of %s: %s", snapshot.namespace, error)
        return values
    return whole


def _counts(ok: int | None, warn: int | None, error: int | None) -> str:
    return "not known, they could not be listed" if ok is None else f"OK {ok}, WARN {warn}, ERROR {error}"


def _reasons(reasons: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in reasons.items())
