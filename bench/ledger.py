"""A ledger's first plan without a checkpoint (an upgrade, a copied volume), beside DuckDB reading the same file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from bench import measure

from k8s_tuning.alerts.ledger import Ledger

# 60 targets, every five minutes, for 30 days; an incident of each a day.
LINES = 518_400
OF_ONE_INCIDENT = 288
WARM_SECONDS = 0.5


def run() -> list[dict[str, Any]]:
    """Rows of {name, ours_s, peer_s, ratio, limit}: seconds, the median of several goes; `limit` is of the ratio.

    Files are read from the page cache by both sides.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.jsonl")
        _write(path)
        cold = measure.median(lambda: _cold(path), 5)
        peer = measure.median(lambda: _duckdb(path), 5)
        warm = measure.median(lambda: _state(path), 20)
        what = f"state of {LINES:,} ledger lines"
        return [
            measure.row(f"{what}, no checkpoint, beside DuckDB", cold, peer, 5.0),
            measure.row(f"{what}, beside 0.5 s", warm, WARM_SECONDS, 1.0),
        ]


def _write(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(LINES):
            incident, step = divmod(number, OF_ONE_INCIDENT)
            file.write(json.dumps(_line(incident, step), ensure_ascii=False) + "\n")


def _line(incident: int, step: int) -> dict[str, Any]:
    ends = step >= OF_ONE_INCIDENT - 2
    decision, outcome = ("resolved" if ends else "first" if step < 2 else "still_firing"), "not_sent"
    if ends or step < 2:
        outcome = "sent" if step % 2 else "owed"
    at = f"2025-11-{1 + incident % 28:02}T{step * 5 // 60:02}:{step * 5 % 60:02}:00Z"
    return {
        "at": at,
        "run_id": f"k8s_health_monitor/scheduled__{at}",
        "incident_id": f"{incident:016x}",
        "namespace": "trading-bots",
        "selector": f"app=arbitrage-tuning-{incident % 60}",
        "target": f"target-{incident % 60}",
        "started_at": "2025-11-01T00:00:00Z",
        "receiver": "on-call",
        "channel": "slack",
        "decision": decision,
        "why": "notified 35 minutes ago; the next time is in 85 minutes, or when it changes",
        "status": "resolved" if ends else "firing",
        "severity": "CRITICAL",
        "outcome": outcome,
        "notice_id": f"{incident:016x}-{decision}" if outcome != "not_sent" else "",
        "is_open": not ends,
        "dry_run": False,
        "attempts": 0,
        "answer": "",
        "reasons": {"oom_killed": 1},
        "ill_jobs": 1,
        "record_at": at,
        "quiet_seconds": 0,
        "over_at": at if ends else "",
        "source": "health",
        "ref": {},
        "incident": None,
        "message": "",
        "cluster": "kubernetes_default",
    }


def _state(path: Path) -> None:
    if Ledger(path).state().incidents:
        raise AssertionError("an incident is left")


def _cold(path: Path) -> None:
    Path(f"{path}.state").unlink(missing_ok=True)
    _state(path)


def _duckdb(path: Path) -> None:
    """Which incidents last, by read_json, as one would write it: less than the state holds."""
    import duckdb

    query = """
        SELECT count(*) FILTER (is_open), max(severity), max(record_at)::VARCHAR, max(sent_at)::VARCHAR,
               max(reasons::VARCHAR)
        FROM (
            SELECT incident_id, receiver, channel, arg_max(is_open, "at") AS is_open,
                   arg_max(severity, "at") AS severity, arg_max(record_at, "at") AS record_at,
                   max("at") FILTER (outcome = 'sent') AS sent_at, arg_max(reasons, "at") AS reasons
            FROM read_json(?) GROUP BY ALL
        )
    """
    with duckdb.connect(":memory:") as connection:
        row = connection.execute(query, [str(path)]).fetchone()
    if row is None or row[0]:
        raise AssertionError("an incident is left")
