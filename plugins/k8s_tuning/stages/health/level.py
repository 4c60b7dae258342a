"""OK, WARN and ERROR, and their order."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class HealthLevel(StrEnum):
    """How healthy a Job, or a whole selection, is; the best first."""

    OK = "OK"
    WARN = "WARN"
    ERROR = "ERROR"

    @property
    def rank(self) -> int:
        """0 for OK to 2 for ERROR."""
        return list(HealthLevel).index(self)


def worst(levels: Iterable[HealthLevel]) -> HealthLevel:
    """The most severe level; OK for none."""
    return max(levels, key=lambda level: level.rank, default=HealthLevel.OK)
