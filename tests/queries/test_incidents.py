"""The ledger's incidents and the history's runs of non-OK records: each is shown once, and none is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.queries.history_index import Episode, Place
from k8s_tuning.queries.incidents import join
from k8s_tuning.queries.notices import LedgerIncident


def at(minute: int) -> str:
    return f"2026-11-20T{minute // 60:02}:{minute % 60:02}:00Z"


def episode(start: int, end: int | None, worst: str = "WARN", records: int = 1) -> Episode:
    return Episode(
        started_at=at(start),
        ended_at=None if end is None else at(end),
        worst=worst,
        records=records,
        first=Place("ns", "a=b", start, 0, 1),
        worst_record=Place("ns", "a=b", start, 0, 1),
    )


def of_ledger(name: str, start: int, end: int | None, severity: str = "WARN") -> LedgerIncident:
    return LedgerIncident(
        id=name, started_at=at(start), over_at=None if end is None else at(end), is_open=end is None, severity=severity,
        cause=None, reasons={}, target=None, notices=[],
    )  # fmt: skip


@st.composite
def lanes(draw: st.DrawFn) -> tuple[list[Episode], list[LedgerIncident]]:
    """Runs of records that follow each other, and incidents that follow each other, as both files have them."""

    def spans() -> list[tuple[int, int | None]]:
        points = draw(st.lists(st.integers(0, 1000), unique=True, max_size=12).map(sorted))
        pairs: list[tuple[int, int | None]] = list(zip(points[::2], points[1::2], strict=False))
        if pairs and draw(st.booleans()):
            pairs[-1] = (pairs[-1][0], None)
        return pairs

    levels = st.sampled_from(["WARN", "ERROR"])
    episodes = [episode(start, end, draw(levels)) for start, end in spans()]
    return episodes, [of_ledger(f"i{number}", start, end) for number, (start, end) in enumerate(spans())]


@given(lanes())
def test_every_run_and_every_incident_is_there_once(both: tuple[list[Episode], list[LedgerIncident]]) -> None:
    episodes, incidents = both
    joined = join(episodes, incidents)
    assert sorted(one.notified.id for one in joined if one.notified) == sorted(one.id for one in incidents)
    placed = [run for one in joined for run in one.episodes]
    assert sorted(run.started_at for run in placed) == sorted(run.started_at for run in episodes)
    assert [one.started_at for one in joined] == sorted((one.started_at for one in joined), reverse=True)
    for one in joined:
        assert one.ended_at is None or one.ended_at >= one.started_at
        assert (one.ended_at is None) == one.is_open
        if any(run.worst == "ERROR" for run in one.episodes):
            assert (one.worst, one.severity) == ("ERROR", "CRITICAL"), "an ERROR was lost"


def test_a_short_recovery_stays_within_the_incident_that_the_ledger_held_open() -> None:
    (one,) = join([episode(0, 10), episode(12, 20, "ERROR")], [of_ledger("a", 0, 25)])
    assert (one.started_at, one.ended_at, one.worst, len(one.episodes)) == (at(0), at(25), "ERROR", 2)


def test_what_no_planning_has_seen_stands_by_itself() -> None:
    newest, oldest = join([episode(0, 10), episode(60, None)], [of_ledger("a", 0, 15)])
    assert (oldest.notified.id if oldest.notified else None, newest.notified) == ("a", None)
    assert newest.is_open
    assert newest.ended_at is None


def test_an_incident_whose_records_retention_has_dropped_is_still_shown() -> None:
    (one,) = join([], [of_ledger("a", 0, 15, "CRITICAL")])
    assert (one.worst, one.ended_at, one.episodes) == ("ERROR", at(15), [])
