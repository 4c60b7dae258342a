"""What one run of the pipeline leaves on the shared volume, written by the stores themselves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from k8s_tuning import timestamps
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.notice import Status
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.latest import LatestJob, LatestSnapshot, LatestStore
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.sessions.session import SessionJob, TuningSession
from k8s_tuning.stages.sessions.store import SessionStore

NAMESPACE, SELECTOR, SESSION = "trading-bots", "app=차익거래", "demo-1"
DAG_ID, RUN_ID = "k8s_tuning_pipeline", "manual__2025-11-16T10:00:00+00:00"
TARGET = {"namespace": NAMESPACE, "selector": SELECTOR}
RUN = {"dag_id": DAG_ID, "run_id": RUN_ID}
CAUSE = "메모리 부족: the container was killed at its limit of 64Mi"


def ago(minutes: float) -> str:
    """So many minutes before now."""
    return timestamps.to_text(timestamps.to_datetime(timestamps.now()) - timedelta(minutes=minutes))


def record_a_run(folder: Path) -> None:
    """An OK record an hour ago, an ERROR now with its snapshot, the session, and the alert that was sent."""
    job: dict[str, Any] = {
        "reasons": ["oom_killed"],
        "labels": {"session_id": SESSION},
        "cause": CAUSE,
        "exit_code": 137,
    }
    failing = K8sJobHealth("demo-worker-1", NAMESPACE, "FAILED", 0, 1, 0, HealthLevel.ERROR, **job)
    store = K8sHealthHistoryStore(folder / "health.jsonl")
    store.append(K8sHealthSnapshot(NAMESPACE, SELECTOR, [], [], HealthLevel.OK, ago(60)))
    at = ago(1)
    store.append(
        K8sHealthSnapshot(NAMESPACE, SELECTOR, [failing], [], HealthLevel.ERROR, at),
        run_id=f"{DAG_ID}/{RUN_ID}",
        target="차익",
    )
    looks = [LatestJob(f"demo-worker-{number}", HealthLevel.OK, "RUNNING", active=1) for number in (2, 10)]
    looks.append(LatestJob("demo-worker-1", HealthLevel.ERROR, "FAILED", failed=1, **job))
    LatestStore(folder / "looks").keep(LatestSnapshot(NAMESPACE, SELECTOR, at, f"{DAG_ID}/{RUN_ID}", "차익", looks))
    jobs = [SessionJob(f"demo-worker-{number}", parameters={"lr": number / 10}) for number in (1, 2, 10)]
    SessionStore(folder / "sessions").applied(
        TuningSession(NAMESPACE, SESSION, f"{DAG_ID}/{RUN_ID}", ago(2), jobs=jobs)
    )
    decided = LedgerLine(
        at, f"{DAG_ID}/{RUN_ID}", "i-1", NAMESPACE, SELECTOR, "차익", at, "team", "console", "first", "it is new",
        Status.FIRING, IncidentSeverity.CRITICAL, "owed", "n-1", incident={"summary": CAUSE},
    )  # fmt: skip
    sent = replace(decided, at=ago(0), outcome="sent", attempts=1, answer="shown")
    Ledger(folder / "alerts-ledger.jsonl").append([decided, sent])
