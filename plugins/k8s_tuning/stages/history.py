"""D34 history: one line a health check, in a JSONL file on a shared volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from k8s_tuning.stages.health import HealthLevel


@dataclass
class K8sHealthHistoryRecord:
    """One health check. `run_id`: the Airflow DAG run that recorded it (None from the command line).

    `reasons`: how many Jobs have each reason (`image_pull`: 3); a Job may have several.
    `target`: the name of the target in the configuration, where there is one.
    `monitor_errors`: what could not be read, so that a WARN without an ill Job explains itself.
    """

    timestamp: str
    namespace: str
    selector: str
    overall_health: HealthLevel
    jobs_ok: int
    jobs_warn: int
    jobs_error: int
    raw_snapshot: dict[str, Any] | None = None
    run_id: str | None = None
    target: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    monitor_errors: list[str] = field(default_factory=list)
