"""OK, WARN and ERROR, and their order."""

from __future__ import annotations

from collections.abc import Iterable

from k8s_tuning.choices import RankedEnum


class HealthLevel(RankedEnum):
    """How healthy a Job, or a whole selection, is; the best first."""

    OK = "OK"
    WARN = "WARN"
    ERROR = "ERROR"


def worst(levels: Iterable[HealthLevel]) -> HealthLevel:
    """The most severe level; OK for none."""
    return max(levels, key=lambda level: level.rank, default=HealthLevel.OK)
