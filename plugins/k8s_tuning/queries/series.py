"""One target's rows as a chart's series, as a strip and as runs of records that are not OK. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from k8s_tuning.queries import periods, times
from k8s_tuning.queries.columns import UNKNOWN, Ints, Rows
from k8s_tuning.queries.history_rows import LEVELS
from k8s_tuning.queries.view_models import Level, Series, StripCell
from k8s_tuning.stages.target_identity import TargetIdentity

_SECOND = 1_000_000


class Place(NamedTuple):
    """Where one record stands in the file, and enough of it to recognize it. `at`: microseconds since the epoch."""

    namespace: str
    selector: str
    at: int
    offset: int
    length: int


@dataclass(slots=True)
class Episode:
    """An unbroken run of non-OK records of one target; a silence between two of them does not end it.

    `ended_at`: the time of the first OK record after it; None while there is none. `worst_record`: the one with the
    most Jobs in ERROR, then in WARN. `HistoryIndex.record_at` reads it, and `first`.
    """

    started_at: str
    ended_at: str | None
    worst: Level
    records: int
    first: Place
    worst_record: Place


def places(where: TargetIdentity, rows: Rows) -> list[Place]:
    """Where each of a target's rows stands."""
    columns = zip(rows.at.tolist(), rows.offset.tolist(), rows.length.tolist(), strict=True)
    return [Place(where.namespace, where.selector, *column) for column in columns]


def series(
    where: TargetIdentity, name: str | None, rows: Rows, span: tuple[int, int], points: int, stale_seconds: float
) -> Series:
    """As HistoryIndex.series, of a target's rows within `span` (microseconds since the epoch)."""
    seconds, at, begin = 0, rows.at, np.arange(len(rows))
    if len(rows) > points:
        seconds = periods.round_seconds(int(rows.at[0]), int(rows.at[-1]), points)
        at, begin = periods.aligned(rows, seconds)
    ok, warn, error = (np.add.reduceat(rows.health == level, begin, dtype=np.int64).tolist() for level in range(3))
    worst_rows = rows[periods.worst_rows(rows, begin)]
    return Series(
        namespace=where.namespace,
        selector=where.selector,
        target=name,
        since=times.text(span[0]),
        until=times.text(span[1]),
        seconds=seconds,
        gap_seconds=max(stale_seconds, seconds),
        total_records=len(rows),
        at=(at / _SECOND).tolist(),
        worst=np.maximum.reduceat(rows.health, begin).tolist(),
        records_ok=ok,
        records_warn=warn,
        records_error=error,
        jobs_ok=_known(worst_rows.ok),
        jobs_warn=_known(worst_rows.warn),
        jobs_error=_known(worst_rows.error),
    )


def strip(rows: Rows, span: tuple[int, int], cells: int) -> list[StripCell]:
    """As HistoryIndex.strip, of a target's rows within `span` (microseconds since the epoch)."""
    first, last = span
    edges = [first + (last - first) * cell // cells for cell in range(cells)]
    begin = np.searchsorted(rows.at, np.array(edges, np.int64))
    counts = np.diff(begin, append=len(rows))
    with_records = begin[counts > 0]
    worst = np.maximum.reduceat(rows.health, with_records).tolist()
    most_jobs = np.maximum.reduceat(np.abs(rows.ok + rows.warn + rows.error), with_records).tolist()
    recorded = iter([(LEVELS[level], level == 0 and not jobs) for level, jobs in zip(worst, most_jobs, strict=True)])
    found = []
    for at, records in zip(edges, counts.tolist(), strict=True):
        level, idle = next(recorded) if records else (None, False)
        seconds = round((last - first) / cells / _SECOND)
        found.append(StripCell(at=times.text(at), seconds=seconds, worst=level, records=records, idle=idle))
    return found


def episodes(where: TargetIdentity, rows: Rows, span: tuple[int, int], newest: int | None) -> list[Episode]:
    """As HistoryIndex.episodes, of all rows of a target."""
    begin, end = periods.unbroken(rows)
    over_at = np.append(rows.at, times.NEWEST)[end]
    chosen = slice(int(np.searchsorted(over_at, span[0])), int(np.searchsorted(rows.at[begin], span[1], "right")))
    begin, end, over_at = (column[chosen][-(newest or len(rows)) :] for column in (begin, end, over_at))
    if not len(begin):
        return []
    # The OK runs between them are periods, too: every second one is not OK.
    edges = np.stack((begin, end), axis=1).ravel()[:-1] - begin[0]
    part = rows[slice(int(begin[0]), int(end[-1]))]
    worst = np.maximum.reduceat(part.health, edges)[::2].tolist()
    ended_at: list[str | None] = list(times.texts(over_at))
    if end[-1] == len(rows):
        ended_at[-1] = None
    return list(
        map(
            Episode,
            times.texts(rows.at[begin]),
            ended_at,
            [LEVELS[level] for level in worst],
            (end - begin).tolist(),
            places(where, rows[begin]),
            places(where, part[periods.worst_rows(part, edges)[::2]]),
        )
    )


def _known(counts: Ints) -> list[int | None]:
    return [None if count == UNKNOWN else count for count in counts.tolist()]
