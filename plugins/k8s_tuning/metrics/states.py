"""What the metrics keep of the runs and the ledger: small states, a record at a time. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from k8s_tuning.errors import InputError
from k8s_tuning.timestamps import to_datetime


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
