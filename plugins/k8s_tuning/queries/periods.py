"""Rows summed up over periods of time, and cut into runs of the same health. Pure."""

from __future__ import annotations

import numpy as np

from k8s_tuning.errors import InputError
from k8s_tuning.queries.columns import Indices, Ints, Rows

_SECOND = 1_000_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
ROUND_SECONDS = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)),
)


def round_seconds(first: int, last: int, points: int) -> int:
    """The shortest round length of which at most `points` cover both times, each begun at a multiple of it in UTC.

    InputError for fewer than 2: two times may lie on either side of a multiple of any length.
    """
    if points < 2:
        raise InputError(f"points: {points} is below 2")
    return next(
        seconds for seconds in ROUND_SECONDS if last // (seconds * _SECOND) - first // (seconds * _SECOND) + 1 <= points
    )


def aligned(rows: Rows, seconds: int) -> tuple[Ints, Indices]:
    """When each period of so many seconds that has rows begins, in microseconds, and the place of its first row."""
    step = seconds * _SECOND
    edges = np.arange(rows.at[0] // step, rows.at[-1] // step + 1) * step
    begin = np.searchsorted(rows.at, edges)
    is_held = np.diff(begin, append=len(rows)) > 0
    return edges[is_held], begin[is_held]


def worst_rows(rows: Rows, begin: Indices) -> Indices:
    """The place of each period's record with the most Jobs in ERROR, then in WARN; the newest of such.

    `begin`: the place of each period's first row; it reaches to the next one's.
    """
    lengths = np.diff(begin, append=len(rows))
    most = np.maximum.reduceat(rows.error, begin)
    left = np.flatnonzero(rows.error == np.repeat(most, lengths))
    period = np.repeat(np.arange(len(begin)), lengths)[left]
    starts = np.searchsorted(left, begin)
    warn = rows.warn[left]
    is_worst = warn == np.maximum.reduceat(warn, starts)[period]
    # Of an index given twice, numpy keeps what was assigned last: the newest row.
    found = np.empty(len(begin), np.intp)
    found[period[is_worst]] = left[is_worst]
    return found


def unbroken(rows: Rows) -> tuple[Indices, Indices]:
    """The runs of non-OK rows: the place of each one's first row, and of the first OK row after it (or the end)."""
    is_failing = rows.health > 0
    changes = np.flatnonzero(is_failing[1:] != is_failing[:-1]) + 1
    edges = np.concatenate((np.zeros(int(is_failing[:1].sum()), np.intp), changes))
    if len(edges) % 2:
        edges = np.append(edges, len(rows))
    return edges[::2], edges[1::2]
