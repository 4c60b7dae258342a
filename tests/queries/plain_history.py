"""The history asked by time, the plainest way: a list of dicts, read anew from the whole file each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from k8s_tuning.errors import InputError
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord, read_line
from k8s_tuning.timestamps import to_datetime, to_text

LEVELS = ("OK", "WARN", "ERROR")


@dataclass
class Timed:
    """A record, and when it was made: seconds since the epoch."""

    at: float
    record: K8sHealthHistoryRecord

    @property
    def rank(self) -> int:
        return LEVELS.index(self.record.overall_health)

    @property
    def badness(self) -> tuple[int, int]:
        """A record that knows no counts has the fewest."""
        error, warn = self.record.jobs_error, self.record.jobs_warn
        return (-1, -1) if error is None or warn is None else (error, warn)


def read(path: Path, key: tuple[str, str] | None = None) -> list[Timed]:
    """A target's records (all targets' where none is named) in the order of time; of one time, in the file's order."""
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    records = [line.record() for raw in whole if (line := read_line(raw)) is not None]
    timed = [Timed(at, record) for record in records if (at := seconds(record.timestamp)) is not None]
    return sorted(
        (one for one in timed if key in (None, (one.record.namespace, one.record.selector))), key=lambda one: one.at
    )


def seconds(text: str) -> float | None:
    try:
        return to_datetime(text).timestamp()
    except InputError:
        return None


def text(at: float) -> str:
    return to_text(datetime.fromtimestamp(at, UTC))


def within(records: Iterable[Timed], since: float, until: float) -> list[Timed]:
    return [one for one in records if since <= one.at <= until]


def worst(records: list[Timed]) -> Timed:
    """The most Jobs in ERROR, then in WARN; the newest of such."""
    most = max(one.badness for one in records)
    return [one for one in records if one.badness == most][-1]


def episodes(records: list[Timed], since: float, until: float) -> list[dict[str, Any]]:
    runs = [list(run) for _, run in groupby(records, key=lambda one: one.rank > 0)]
    found = []
    for run, following in pairwise([*runs, []]):
        ended = following[0].at if following else None
        if run[0].rank and run[0].at <= until and (ended is None or ended >= since):
            found.append(
                {
                    "started_at": text(run[0].at),
                    "ended_at": None if ended is None else text(ended),
                    "worst": LEVELS[max(one.rank for one in run)],
                    "records": len(run),
                    "first": run[0],
                    "worst_record": worst(run),
                }
            )
    return found
