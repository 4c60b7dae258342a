"""What the metrics keep of the history, the runs and the ledger: small states, a record at a time. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from k8s_tuning.errors import InputError
from k8s_tuning.stages.health import HealthLevel
from k8s_tuning.timestamps import to_datetime

_LEVELS = frozenset(level.value for level in HealthLevel)


@dataclass
class Target:
    """The newest health record of one namespace and selector, and since when its health has not been OK."""

    name: str | None
    namespace: str
    selector: str
    health: str
    at: str
    jobs: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    monitor_errors: int = 0
    ill_since: str | None = None


Targets = dict[tuple[str, str], Target]


def add_health(targets: Targets, record: dict[str, Any]) -> None:
    """Take in one line of the history; a line that is no health record changes nothing."""
    namespace, selector, health = record.get("namespace"), record.get("selector"), record.get("overall_health")
    at = record.get("timestamp")
    if not (isinstance(namespace, str) and isinstance(selector, str) and isinstance(at, str) and health in _LEVELS):
        return
    counts = [record.get(name) for name in ("jobs_ok", "jobs_warn", "jobs_error")]
    if not all(isinstance(count, int) for count in counts):
        return
    before = targets.get((namespace, selector))
    ill_since = None
    if health != HealthLevel.OK:
        ill_since = before.ill_since if before and before.ill_since else at
    errors = record.get("monitor_errors")
    name = record.get("target")
    targets[namespace, selector] = Target(
        name=name if isinstance(name, str) else None,
        namespace=namespace,
        selector=selector,
        health=health,
        at=at,
        jobs={level.value: count for level, count in zip(HealthLevel, counts, strict=True) if isinstance(count, int)},
        reasons=_counts(record.get("reasons")),
        monitor_errors=len(errors) if isinstance(errors, list) else 0,
        ill_since=ill_since,
    )


@dataclass
class Runs:
    """Finished pipeline runs by exit code, and the newest one."""

    by_exit_code: Counter[int] = field(default_factory=Counter)
    last_at: str | None = None
    last_exit_code: int | None = None
    last_stage_seconds: dict[str, float] = field(default_factory=dict)


def add_run(runs: Runs, record: dict[str, Any]) -> None:
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


def unix_seconds(timestamp: str) -> float | None:
    """A record's timestamp as seconds since 1970; None where it is not one."""
    try:
        return to_datetime(timestamp).timestamp()
    except InputError:
        return None


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    return {str(name): count for name, count in value.items() if isinstance(count, int)}
