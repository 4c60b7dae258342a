"""How much history is kept: which records are past the limits, and which stay in spite of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from k8s_tuning.errors import InputError
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.record import read_line
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex
from k8s_tuning.storage.append_log import AppendLog
from k8s_tuning.timestamps import seconds_known

_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class RetentionPolicy:
    """`max_age_days`: by a record's timestamp. `max_records`: the newest so many of each target. None: no limit."""

    max_age_days: float | None = None
    max_records: int | None = None

    def __post_init__(self) -> None:
        if self.max_age_days is not None and not self.max_age_days > 0:
            raise InputError(f"max_age_days: {self.max_age_days!r} is not a number of days above 0")
        if self.max_records is not None and self.max_records < 1:
            raise InputError(f"max_records: {self.max_records!r} is below 1; every target keeps its newest record")


@dataclass
class RetentionResult:
    """What was kept and dropped (all 0 without a limit).

    `dropped`: records by target (namespace and selector). `broken`: lines that are no record; they stay.
    """

    kept: int = 0
    dropped_by_age: int = 0
    dropped_by_count: int = 0
    broken: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def total_dropped(self) -> int:
        """Records dropped for either reason."""
        return self.dropped_by_age + self.dropped_by_count


@dataclass
class _KeptTarget(TargetIdentity):
    total: int = 0
    newest_at: int = -1
    ok_at: int | None = None  # its newest OK record
    open_at: int | None = None  # the first of the unbroken non-OK run at its end


def prune(log: AppendLog, policy: RetentionPolicy, now: str) -> RetentionResult:
    """Drop the records past either limit; the file is replaced only where there are any. Others append meanwhile.

    Three records of a target stay whatever the limits: its newest; the first of a run of non-OK records that still
    lasts, on which the incident's id and start rest; and its newest OK one, without which that run could join an
    earlier one (a clock that was set back makes it look old). What is no record stays as it is.
    """
    result = RetentionResult()
    if policy.max_age_days is None and policy.max_records is None:
        return result

    def past(end: int) -> Iterator[tuple[int, int]]:
        nonlocal result
        result = RetentionResult()
        yield from _past(log, policy, now, end, result)

    log.leave_out(past)
    return result


def _past(
    log: AppendLog, policy: RetentionPolicy, now: str, end: int, result: RetentionResult
) -> Iterator[tuple[int, int]]:
    targets = _survey(log, end)
    seen: dict[int, int] = {}
    for offset, raw in log.lines(end=end):
        line = read_line(raw)
        if line is None:
            result.broken += bool(raw.strip())
            continue
        target = targets.of(*line.identity())
        key = id(target)
        seen[key] = seen.get(key, 0) + 1
        newer = target.total - seen[key]
        if offset not in (target.newest_at, target.ok_at, target.open_at):
            over = policy.max_records is not None and newer >= policy.max_records
            if over or _is_old(line.timestamp, policy.max_age_days, now):
                result.dropped_by_count += over
                result.dropped_by_age += not over
                name = f"{line.namespace} {line.selector}"
                result.dropped[name] = result.dropped.get(name, 0) + 1
                yield offset, offset + len(raw) + 1
                continue
        result.kept += 1


def _survey(log: AppendLog, end: int) -> TargetIndex[_KeptTarget]:
    targets = TargetIndex(_KeptTarget)
    for offset, raw in log.lines(end=end):
        line = read_line(raw)
        if line is None:
            continue
        target = targets.of(*line.identity())
        target.total += 1
        target.newest_at = offset
        if line.overall_health is HealthLevel.OK:
            target.ok_at, target.open_at = offset, None
        elif target.open_at is None:
            target.open_at = offset
    return targets


def _is_old(timestamp: str, max_age_days: float | None, now: str) -> bool:
    age = seconds_known(timestamp, now)
    return max_age_days is not None and age is not None and age > max_age_days * _DAY_SECONDS
