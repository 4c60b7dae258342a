"""The metric families, built afresh for every scrape from the three files."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.stages.alert.incident import incident_id_of, severity_of
from k8s_tuning.stages.health.evaluate import HealthLevel
from k8s_tuning.stages.history.store import K8sHealthHistoryRecord, K8sHealthHistoryStore, TargetHistory
from k8s_tuning.stages.targets import FORGET_AFTER_SECONDS
from k8s_tuning.storage.jsonl import decode
from k8s_tuning.storage.tail import TailReader, by_line

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily, Metric

    from k8s_tuning.alerts.ledger_state import LedgerState
    from k8s_tuning.metrics.ledger_totals import LedgerTotals

log = logging.getLogger(__name__)

# The text format that every Prometheus version reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

State = TypeVar("State")


@dataclass
class Runs:
    """Finished pipeline runs by exit code, and the newest one."""

    by_exit_code: Counter[int] = field(default_factory=Counter)
    last_at: str | None = None
    last_exit_code: int | None = None
    last_stage_seconds: dict[str, float] = field(default_factory=dict)


def _add_run(runs: Runs, record: dict[str, Any]) -> None:
    """Take in one line of the runs' journal; a line that is no run changes nothing."""
    at, code, stages = record.get("timestamp"), record.get("exit_code"), record.get("stage_seconds")
    if not (isinstance(at, str) and isinstance(code, int) and not isinstance(code, bool)):
        return
    runs.by_exit_code[code] += 1
    runs.last_at, runs.last_exit_code = at, code
    runs.last_stage_seconds = {
        stage: float(seconds)
        for stage, seconds in (stages.items() if isinstance(stages, dict) else ())
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    }


class Metrics:
    """The metrics of one set of files; keep one a process, for it remembers how far it has read.

    A file that is not there yet is an empty one. `now`: the present time as a timestamp.
    """

    def __init__(
        self,
        history_file: str | Path,
        ledger_file: str | Path | None = None,
        runs_file: str | Path | None = None,
        now: Callable[[], str] = timestamps.now,
    ) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._history = K8sHealthHistoryStore(history_file)
        self._runs = TailReader(Path(runs_file), Runs, by_line(decode, _add_run)) if runs_file else None
        self._ledger = _ledger(Path(ledger_file)) if ledger_file else None

    def render(self) -> bytes:
        """The metrics in Prometheus' text format, as CONTENT_TYPE says. Never fails for a file that cannot be read."""
        from prometheus_client.exposition import generate_latest

        return generate_latest(self.registry())

    def registry(self) -> CollectorRegistry:
        """A registry of these metrics alone, for prometheus_client's own servers and writers."""
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def describe(self) -> Iterable[Metric]:
        """Nothing: prometheus_client would else scrape once to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client asks for them."""
        with self._lock:
            families = list(self._families())
        yield from families

    def _families(self) -> Iterator[Metric]:
        readable = _gauge("source_readable", "Whether the file behind these metrics can be read.", ("source",))
        targets = self._read("history", self._history.targets, readable)
        totals = self._read("ledger", self._ledger.state, readable) if self._ledger else None
        recent = None if targets is None else self._recent(targets)
        if recent is not None:
            yield from _health(recent)
            yield from _incidents(recent, totals.state if totals else None)
        if self._runs and (runs := self._read("runs", self._runs.state, readable)) is not None:
            yield from _pipeline(runs)
        if totals is not None and not totals.is_empty:
            yield from _notices(totals)
        yield readable

    def _read(self, source: str, read: Callable[[], State], readable: GaugeMetricFamily) -> State | None:
        try:
            state = read()
        except StoreError as error:
            log.warning("no %s metrics: %s", source, error)
            readable.add_metric([source], 0)
            return None
        readable.add_metric([source], 1)
        return state

    def _recent(self, targets: list[TargetHistory]) -> list[tuple[TargetHistory, K8sHealthHistoryRecord, float]]:
        """The targets still known of, each with its newest record and that one's Unix time."""
        oldest = timestamps.to_datetime(self._now()).timestamp() - FORGET_AFTER_SECONDS
        found = []
        for target in targets:
            at = _unix_seconds(target.last.timestamp) if target.last else None
            if target.last and at is not None and at >= oldest:
                found.append((target, target.last, at))
        return found


def _ledger(path: Path) -> TailReader[LedgerTotals]:
    # Here: the alerts' room is heavier than the rest, and nobody without a ledger needs it.
    from k8s_tuning.alerts.ledger_line import read_line
    from k8s_tuning.metrics.ledger_totals import LedgerTotals, add_line

    return TailReader(path, LedgerTotals, by_line(read_line, add_line))


@cache
def _metrics(history_file: str, ledger_file: str | None, runs_file: str | None) -> Metrics:
    return Metrics(history_file, ledger_file, runs_file)


def render(
    history_file: str | Path, ledger_file: str | Path | None = None, runs_file: str | Path | None = None
) -> bytes:
    """The metrics of these files now, in Prometheus' text format (CONTENT_TYPE); cheap when called again and again."""
    return _metrics(str(history_file), *(str(file) if file else None for file in (ledger_file, runs_file))).render()


def _gauge(name: str, help_text: str, labels: tuple[str, ...] = (), value: float | None = None) -> GaugeMetricFamily:
    """With a `value` it is whole; else samples are to be added to it."""
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"k8s_tuning_{name}", help_text, value, labels if value is None else None)


def _add(family: GaugeMetricFamily, labels: dict[str, str], value: float) -> None:
    family.add_sample(family.name, labels, value)


def _health(targets: list[tuple[TargetHistory, K8sHealthHistoryRecord, float]]) -> Iterator[Metric]:
    health = _gauge("target_health", "1 for the level of the target's newest record.")
    jobs = _gauge("jobs", "Jobs of the target's newest record, by health.")
    reasons = _gauge("job_reasons", "Jobs of the target's newest record that have this probable cause.")
    errors = _gauge("monitor_errors", "What the target's newest record says could not be read.")
    newest = _gauge("last_record_timestamp_seconds", "When the target's newest record was made.")
    for target, last, at in targets:
        labels = _labels(target.name, target.cluster, target.namespace, target.selector)
        for level in HealthLevel:
            _add(health, labels | {"level": level.value}, int(last.overall_health is level))
        # Where something could not be read, the counts are of the rest: not this target's.
        if not last.monitor_errors:
            for level, count in zip(HealthLevel, (last.jobs_ok, last.jobs_warn, last.jobs_error), strict=True):
                if count is not None:
                    _add(jobs, labels | {"health": level.value}, count)
        for reason, count in sorted(last.reasons.items()):
            _add(reasons, labels | {"reason": reason}, count)
        _add(errors, labels, len(last.monitor_errors))
        _add(newest, labels, at)
    yield from (health, jobs, reasons, errors, newest)


def _labels(name: str | None, cluster: str | None, namespace: str, selector: str) -> dict[str, str]:
    labels = {"target": name or "", "namespace": namespace, "selector": selector}
    return labels | ({"cluster": cluster} if cluster else {})


def _incidents(
    targets: list[tuple[TargetHistory, K8sHealthHistoryRecord, float]], ledger: LedgerState | None
) -> Iterator[Metric]:
    """Of failing targets by the history, with the id and start that the ledger has; all others by the ledger."""
    incidents = _gauge("open_incident", "1 for each incident that is open.")
    started = _gauge("open_incident_start_timestamp_seconds", "When the open incident began.")
    found = [
        (_labels(one.target, one.cluster, one.namespace, one.selector), one.id, one.severity, one.started_at)
        for one in (ledger.incidents.values() if ledger else ())
        if one.is_open and one.source != "health"
    ]
    for target, last, _ in targets:
        severity = severity_of(last.overall_health)
        if target.open_since and severity:
            where = target.namespace, target.selector, target.name, target.cluster
            known = ledger.open_incident(*where) if ledger else None
            began = known.started_at if known else target.open_since.timestamp
            labels = _labels(target.name, target.cluster, target.namespace, target.selector)
            found.append((labels, known.id if known else incident_id_of(target.open_since), severity, began))
    for labels, incident, severity, began in found:
        _add(incidents, labels | {"incident": incident, "severity": severity.value}, 1)
        if (since := _unix_seconds(began)) is not None:
            _add(started, labels | {"incident": incident}, since)
    yield from (incidents, started)


def _notices(totals: LedgerTotals) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    labels = ("channel", "receiver", "outcome", "cause")
    count = CounterMetricFamily("k8s_tuning_notices", "Own notices, by what became of them.", labels=labels)
    for key, number in sorted(totals.notices.items()):
        count.add_metric(key, number)
    yield count
    yield _gauge("notices_owed", "Notices that were decided and not delivered yet.", value=totals.pending)


def _pipeline(runs: Runs) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    count = CounterMetricFamily("k8s_tuning_pipeline_runs", "Finished runs, by exit code.", labels=["exit_code"])
    for code, number in sorted(runs.by_exit_code.items()):
        count.add_metric([str(code)], number)
    yield count
    at = _unix_seconds(runs.last_at) if runs.last_at else None
    if at is None or runs.last_exit_code is None:
        return
    yield _gauge("pipeline_last_run_timestamp_seconds", "When the newest pipeline run ended.", value=at)
    yield _gauge("pipeline_last_run_exit_code", "Exit code of the newest pipeline run.", value=runs.last_exit_code)
    stages = _gauge("stage_duration_seconds", "How long each stage of the newest pipeline run took.", ("stage",))
    for stage, seconds in runs.last_stage_seconds.items():
        stages.add_metric([stage], seconds)
    yield stages


def _unix_seconds(timestamp: str) -> float | None:
    """A record's timestamp as seconds since 1970; None where it is not one."""
    try:
        return timestamps.to_datetime(timestamp).timestamp()
    except InputError:
        return None
