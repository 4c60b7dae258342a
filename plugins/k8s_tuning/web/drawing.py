"""Where the marks of the small drawings stand: a target's strip, its lane of incidents, a session's progress. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from k8s_tuning import timestamps
from k8s_tuning.queries.job_models import SessionRow
from k8s_tuning.queries.view_models import Incident, StripCell

WIDTH = 1000
STRIP_HEIGHT = 24
# A mark is recognized by its height as well as by its colour.
_HEIGHTS = {"IDLE": 4, "OK": 10, "WARN": 17, "ERROR": 24}
_NARROWEST = 4.0


@dataclass(frozen=True)
class Mark:
    """A rectangle: `x` and `width` in thousandths of the drawing's width, `top` and `height` in its own units."""

    x: float
    width: float
    top: float
    height: float
    kind: str


@dataclass(frozen=True)
class LaneMark:
    """An incident's bar in the lane."""

    mark: Mark
    incident: Incident


def strip(cells: Sequence[StripCell]) -> list[Mark]:
    """A mark for every run of cells that say the same, so that a quiet month is one; none where nothing is known."""
    total = sum(cell.seconds for cell in cells)
    marks: list[Mark] = []
    passed = 0
    for cell in cells:
        x, width = _scaled(passed, total), _scaled(cell.seconds, total)
        passed += cell.seconds
        if cell.worst is None:
            continue
        kind = "IDLE" if cell.idle else cell.worst
        last = marks[-1] if marks else None
        if last and last.kind == kind and abs(last.x + last.width - x) < 0.01:
            marks[-1] = Mark(last.x, round(last.width + width, 3), last.top, last.height, last.kind)
        else:
            height = _HEIGHTS[kind]
            marks.append(Mark(x, width, STRIP_HEIGHT - height, height, kind))
    return marks


def strip_counts(cells: Iterable[StripCell]) -> Counter[str]:
    """Seconds of the strip at each level, and with nothing known under `none`."""
    counts: Counter[str] = Counter()
    for cell in cells:
        counts["IDLE" if cell.idle else cell.worst or "none"] += cell.seconds
    return counts


def lane(incidents: Iterable[Incident], since: str, until: str) -> list[LaneMark]:
    """A bar for every incident that touches the range; one that lasts reaches the range's end."""
    begin = timestamps.to_datetime(since).timestamp()
    total = timestamps.to_datetime(until).timestamp() - begin
    if total <= 0:
        return []
    bars = []
    for incident in incidents:
        start = timestamps.to_datetime(incident.started_at).timestamp() - begin
        end = timestamps.to_datetime(incident.ended_at).timestamp() - begin if incident.ended_at else total
        left, right = max(0.0, min(start, total)), max(0.0, min(end, total))
        width = max(_scaled(right - left, total), _NARROWEST)
        x = min(_scaled(left, total), WIDTH - width)
        bars.append(LaneMark(Mark(round(x, 3), width, 0, STRIP_HEIGHT, incident.worst), incident))
    return bars[::-1]


def progress(row: SessionRow) -> list[Mark]:
    """A session's Jobs as one bar: what succeeded, failed, is lost, runs; the rest of the bar is still to come."""
    parts = [("succeeded", row.succeeded), ("failed", row.failed), ("gone", row.gone), ("running", row.running)]
    marks, passed = [], 0
    for kind, count in parts:
        if count:
            marks.append(Mark(_scaled(passed, row.total), _scaled(count, row.total), 0, STRIP_HEIGHT, kind))
            passed += count
    return marks


def _scaled(part: float, total: float) -> float:
    return round(part / total * WIDTH, 3) if total else 0.0
