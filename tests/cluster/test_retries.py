"""When one request is sent once more, decided without I/O."""

from __future__ import annotations

import pytest

from k8s_tuning.cluster import retries
from k8s_tuning.cluster.retries import MOST_TRIES, SILENT_TRIES, Again, Retries
from k8s_tuning.errors import BadAnswer


def again(after: float | None = None, most_tries: int = MOST_TRIES) -> Again:
    return Again(BadAnswer("503"), most_tries, after)


def test_each_wait_is_random_below_one_that_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries.random, "uniform", lambda low, high: high)
    tries = Retries(seconds=1000)
    assert [tries.wait(again()) for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 8, 8]


@pytest.mark.parametrize("most", [SILENT_TRIES, MOST_TRIES])
def test_the_tries_have_a_number(most: int) -> None:
    tries = Retries(seconds=1e9)
    waits = [tries.wait(again(most_tries=most)) for _ in range(most)]
    assert None not in waits[:-1]
    assert waits[-1] is None


def test_no_time_means_no_second_try() -> None:
    assert Retries(seconds=0).wait(again()) is None


def test_what_the_server_asks_for_is_waited_or_not_tried() -> None:
    assert Retries(seconds=30).wait(again(after=7)) == 7
    assert Retries(seconds=30).wait(again(after=31)) is None


def test_the_time_runs_from_the_end_of_the_first_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that one took."""
    clock = iter([100.0, 120.0, 129.9])
    monkeypatch.setattr(retries.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(retries.random, "uniform", lambda low, high: high)
    tries = Retries(seconds=30)
    assert [tries.wait(again()) for _ in range(3)] == [0.25, 0.5, None]
