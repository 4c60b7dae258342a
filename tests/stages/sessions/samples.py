"""Sessions, Jobs and snapshots for the tests of sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot
from k8s_tuning.stages.sessions.session import (
    SeenJob,
    SessionJob,
    TuningSession,
    merge_seen,
)

NAMESPACE = "trading-bots"
APPLIED = "2025-11-16T10:00:00Z"
CONFIGS = Path(__file__).parents[3] / "include" / "configs"


def at(second: int) -> str:
    return f"2025-11-16T10:{second // 60:02d}:{second % 60:02d}Z"


def everything(_: Any) -> bool:
    return True


def nothing(_: Any) -> bool:
    return False


def session(*names: str, **more: Any) -> TuningSession:
    fields = {"session_id": "s-1", "run_id": "dag/run-1", "applied_at": APPLIED} | more
    return TuningSession(NAMESPACE, jobs=[SessionJob(name, labels={"session_id": "s-1"}) for name in names], **fields)


def snapshot(*jobs: tuple[str, str], listed: bool = True) -> K8sMonitorSnapshot:
    """A check one second after the apply."""
    found = [K8sJobStatus(name, NAMESPACE, {}, 1, 0, 0, 0, phase) for name, phase in jobs]
    return K8sMonitorSnapshot(NAMESPACE, "app=arbitrage-tuning", found, [], at(1), jobs_listed=listed)


def phase_after(*checks: tuple[int, str | None]) -> str:
    """The phase of one Job after checks, each (second, phase or None where it was not there)."""
    merged = session("a")
    for second, phase in checks:
        merged = merge_seen(merged, {} if phase is None else {"a": SeenJob(phase)}, at(second), everything)
    return merged.jobs[0].phase
