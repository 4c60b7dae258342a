"""Columns of rows: kept in order as they come, summed up over periods, and cut into runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import InputError
from k8s_tuning.queries import periods
from k8s_tuning.queries.columns import GrowingRows, Rows
from k8s_tuning.queries.times import NEWEST, OLDEST

SECOND = 1_000_000


def _rows(at: list[int], badness: list[tuple[int, int]] | None = None, health: list[int] | None = None) -> Rows:
    rows = Rows.room(len(at))
    for column in vars(rows).values():
        column[:] = 0
    rows.at[:] = at
    rows.offset[:] = range(len(at))
    if badness:
        rows.error[:], rows.warn[:] = zip(*badness, strict=True)
    if health:
        rows.health[:] = health
    return rows


@given(st.lists(st.lists(st.integers(0, 20), max_size=8), max_size=8), st.sets(st.integers(0, 8)))
def test_rows_stand_in_the_order_of_time_however_they_came(batches: list[list[int]], looks: set[int]) -> None:
    """Of one time, in the order of the file; looking between the batches changes nothing."""
    growing = GrowingRows()
    expected: list[tuple[int, int]] = []
    for number, batch in enumerate(batches):
        rows = _rows(batch)
        rows.offset[:] += len(expected)
        growing.add(rows)
        expected += [(at, len(expected) + place) for place, at in enumerate(batch)]
        if number in looks:
            growing.rows()
    found = growing.rows()
    assert list(zip(found.at.tolist(), found.offset.tolist(), strict=True)) == sorted(expected)


@given(st.integers(OLDEST, NEWEST), st.integers(OLDEST, NEWEST), st.integers(2, 5000))
def test_at_most_so_many_periods_cover_any_range(one: int, two: int, points: int) -> None:
    """From one second to ten thousand years; and the next shorter length would have taken more."""
    first, last = sorted((one, two))
    seconds = periods.round_seconds(first, last, points)

    def covering(length: int) -> int:
        return last // (length * SECOND) - first // (length * SECOND) + 1

    assert covering(seconds) <= points
    shorter = periods.ROUND_SECONDS[: periods.ROUND_SECONDS.index(seconds)]
    assert all(covering(length) > points for length in shorter)


@pytest.mark.parametrize(
    ("hours", "points", "seconds"), [(24, 600, 300), (24 * 30, 600, 7200), (1, 600, 10), (24 * 365, 600, 86_400)]
)
def test_the_lengths_are_those_that_a_person_would_choose(hours: int, points: int, seconds: int) -> None:
    """A day in five minutes, a month in two hours, a year in days."""
    assert periods.round_seconds(0, hours * 3600 * SECOND - 1, points) == seconds


def test_one_point_is_refused() -> None:
    """Two instants can lie on either side of every multiple."""
    with pytest.raises(InputError, match="points: 1 is below 2"):
        periods.round_seconds(0, 1, 1)


@given(st.lists(st.lists(st.tuples(st.sampled_from([0, 1, 10**15]), st.integers(0, 2)), min_size=1), min_size=1))
def test_a_stretchs_worst_record_is_the_newest_of_the_worst(parts: list[list[tuple[int, int]]]) -> None:
    """The three counts that are shown belong to one record."""
    every = [badness for part in parts for badness in part]
    begin = np.cumsum([0, *map(len, parts[:-1])])
    found = periods.worst_rows(_rows(list(range(len(every))), every), begin)
    naive = []
    for start, part in zip(begin.tolist(), parts, strict=True):
        most = max(part)
        naive.append(start + max(row for row, badness in enumerate(part) if badness == most))
    assert found.tolist() == naive


@given(st.lists(st.integers(0, 2)))
def test_runs_of_failing_rows_are_unbroken_and_all_there(health: list[int]) -> None:
    """Each failing row lies in one run, no OK row in any, and no two runs touch."""
    begin, end = periods.unbroken(_rows(list(range(len(health))), health=health))
    inside = [row for first, last in zip(begin, end, strict=True) for row in range(first, last)]
    assert inside == [row for row, level in enumerate(health) if level]
    assert (begin[1:] > end[:-1]).all()
