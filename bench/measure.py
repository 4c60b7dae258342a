"""How every benchmark measures, and the row that it reports."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def median(work: Callable[[], Any], times: int = 11) -> float:
    """Seconds that `work` takes: the median of so many goes, after one that does not count."""
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def row(name: str, ours: float, peer: float, limit: float = 1.0) -> dict[str, Any]:
    """One line of the table: seconds (or bytes) of both sides; `limit` is of the ratio."""
    return {"name": name, "ours_s": ours, "peer_s": peer, "ratio": ours / peer, "limit": limit}
