"""Health checks and history lines to test with."""

from __future__ import annotations

import json
from typing import Any

from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth

NAMESPACE, SELECTOR = "trading-bots", "app=arbitrage-tuning"


def check(
    *levels: str, at: str = "2025-11-16T10:00:00Z", errors: tuple[str, ...] = (), **more: str
) -> K8sHealthSnapshot:
    names = {"OK": [], "WARN": ["pending"], "ERROR": ["job_failed", "oom_killed"]}
    jobs = [
        K8sJobHealth(f"arb-tuning-{index}", NAMESPACE, "RUNNING", 0, 0, 1, HealthLevel(level), list(names[level]))
        for index, level in enumerate(levels)
    ]
    overall = max(levels, key=["OK", "WARN", "ERROR"].index, default="OK")
    fields = {"namespace": NAMESPACE, "selector": SELECTOR} | more
    return K8sHealthSnapshot(
        jobs_health=jobs, errors=list(errors), overall_health=HealthLevel(overall), timestamp=at, **fields
    )


def line(health: str = "OK", at: str = "2025-11-16T10:00:00Z", namespace: str = NAMESPACE, **more: Any) -> bytes:
    fields = {"timestamp": at, "namespace": namespace, "selector": SELECTOR, "overall_health": health}
    counts = {"jobs_ok": 2, "jobs_warn": int(health == "WARN"), "jobs_error": int(health == "ERROR")}
    return json.dumps(fields | counts | {"raw_snapshot": None} | more).encode() + b"\n"
