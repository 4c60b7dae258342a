"""Where the marks of the small drawings stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.queries.job_models import SessionRow
from k8s_tuning.queries.view_models import Incident, StripCell
from k8s_tuning.web import drawing

LEVELS = st.sampled_from([None, "OK", "WARN", "ERROR"])


def cells(levels, seconds=1800):
    return [StripCell(at="2025-11-16T10:00:00Z", seconds=seconds, worst=one, records=int(bool(one))) for one in levels]


def incident(started_at, ended_at=None, worst="ERROR"):
    return Incident(
        id=None, namespace="n", selector="s", target=None, started_at=started_at, ended_at=ended_at,
        is_open=ended_at is None, severity="CRITICAL", worst=worst, cause=None, reasons={}, records=1,
        run=None, notices=[],
    )  # fmt: skip


def test_cells_that_say_the_same_are_one_mark():
    marks = drawing.strip(cells(["OK", "OK", None, "ERROR"]))
    assert [(mark.kind, mark.x, mark.width) for mark in marks] == [("OK", 0, 500), ("ERROR", 750, 250)]


def test_a_worse_level_stands_higher():
    """So that colour is not all that tells them apart."""
    heights = [mark.height for mark in drawing.strip(cells(["OK", "WARN", "ERROR"]))]
    assert heights == sorted(set(heights))


@given(st.lists(LEVELS, max_size=100))
def test_marks_cover_just_the_cells_that_know_something(levels):
    marks = drawing.strip(cells(levels))
    assert sum(mark.width for mark in marks) == pytest.approx(
        1000 * sum(one is not None for one in levels) / max(1, len(levels)), abs=0.2
    )
    assert all(mark.x >= 0 and mark.x + mark.width <= drawing.WIDTH + 0.2 for mark in marks)
    assert sum(drawing.strip_counts(cells(levels)).values()) == 1800 * len(levels)


SINCE, UNTIL = "2025-11-16T10:00:00Z", "2025-11-16T20:00:00Z"


@pytest.mark.parametrize(
    ("one", "x", "width"),
    [
        (incident("2025-11-16T11:00:00Z", "2025-11-16T12:00:00Z"), 100, 100),
        (incident("2025-11-16T19:00:00Z"), 900, 100),
        (incident("2025-11-15T00:00:00Z", "2025-11-16T11:00:00Z"), 0, 100),
        (incident("2025-11-16T11:00:00Z", "2025-11-16T11:00:00Z"), 100, 4),
        (incident("2025-11-16T20:00:00Z"), 996, 4),
    ],
    ids=["within", "lasts", "began before", "of a moment", "just began"],
)
def test_an_incident_stands_at_its_time(one, x, width):
    (bar,) = drawing.lane([one], SINCE, UNTIL)
    assert (bar.mark.x, bar.mark.width) == (x, width)


def test_a_range_without_length_has_no_bars():
    assert drawing.lane([incident(SINCE)], SINCE, SINCE) == []


counts = st.integers(0, 1000)


@given(counts, counts, counts, counts, counts, counts)
def test_progress_is_what_was_seen_and_no_more(succeeded, failed, gone, running, pending, unseen):
    row = SessionRow(
        namespace="n", session_id="s", run=None, applied_at=SINCE, seen_at=None, is_over=False,
        total=succeeded + failed + gone + running + pending + unseen, succeeded=succeeded, failed=failed,
        running=running, pending=pending, gone=gone, unseen=unseen, seconds=None,
    )  # fmt: skip
    marks = drawing.progress(row)
    known = succeeded + failed + gone + running
    assert sum(mark.width for mark in marks) == pytest.approx(1000 * known / (row.total or 1), abs=0.01)
    assert {mark.kind for mark in marks} == {
        kind for kind in ("succeeded", "failed", "gone", "running") if getattr(row, kind)
    }
