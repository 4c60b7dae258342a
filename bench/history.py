"""History of a million records: its last 20, and its summary, beside DuckDB reading the same file."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import measure

from k8s_tuning.stages.history.store import K8sHealthHistoryStore

RECORDS = 1_000_000
LAST = 20
LAST_SECONDS = 0.005
LEVELS = ("OK", "OK", "OK", "WARN", "ERROR")


def run() -> list[dict[str, Any]]:
    """Rows of {name, ours_s, peer_s, ratio, limit}: seconds, the median of several goes; `limit` is of the ratio.

    Files are read from the page cache by both sides. `cold` counts a file without a checkpoint, as it comes from
    elsewhere; `recorded` goes on from the checkpoint that the store keeps. For the last records the peer is 5 ms, and
    then the same on a file a thousandth as long.
    """
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder, "short.jsonl"), Path(folder, "long.jsonl")
        _write(short, RECORDS // 1000)
        _write(long, RECORDS)
        long.read_bytes()
        of_short, of_long = (measure.median(lambda path=path: _last(path), 50) for path in (short, long))
        peer = measure.median(lambda: _duckdb(long), 7)
        cold = measure.median(lambda: _cold(long), 7)
        recorded = measure.median(lambda: _whole(long), 7)
        return [
            measure.row(f"the last {LAST} of {RECORDS:,} records, beside 5 ms", of_long, LAST_SECONDS, 1.0),
            measure.row(
                f"the last {LAST} of {RECORDS:,} records, beside of {RECORDS // 1000:,}", of_long, of_short, 1.5
            ),
            measure.row(f"summary of {RECORDS:,} records, recorded by the store, beside DuckDB", recorded, peer, 1.0),
            measure.row(f"summary of {RECORDS:,} records, cold, beside DuckDB", cold, peer, 3.0),
        ]


def _write(path: Path, records: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(records):
            health = LEVELS[number % len(LEVELS)]
            minutes = number * 5
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + minutes * 60))
            record = {
                "timestamp": at,
                "namespace": "trading-bots",
                "selector": "app=arbitrage-tuning",
                "overall_health": health,
                "jobs_ok": 2,
                "jobs_warn": int(health == "WARN"),
                "jobs_error": int(health == "ERROR"),
                "raw_snapshot": None,
                "run_id": f"scheduled__{at}",
                "target": "demo",
                "reasons": {} if health == "OK" else {"image_pull": 1},
                "monitor_errors": [],
            }
            file.write(json.dumps(record) + "\n")


def _last(path: Path) -> None:
    if len(K8sHealthHistoryStore(path).load_recent(LAST)) != LAST:
        raise AssertionError("records are missing")


def _whole(path: Path) -> None:
    if K8sHealthHistoryStore(path).summarize()["total_records"] != RECORDS:
        raise AssertionError("records are missing")


def _cold(path: Path) -> None:
    Path(f"{path}.state").unlink(missing_ok=True)
    _whole(path)


def _duckdb(path: Path) -> None:
    """The same figures by read_json, as one would write it."""
    import duckdb

    query = """
        SELECT count(*), count(*) FILTER (overall_health = 'OK'), count(*) FILTER (overall_health = 'WARN'),
               count(*) FILTER (overall_health = 'ERROR'), max(timestamp)::VARCHAR,
               arg_max({h: overall_health, o: jobs_ok, w: jobs_warn, e: jobs_error}, timestamp)
        FROM read_json(?)
    """
    with duckdb.connect(":memory:") as connection:
        row = connection.execute(query, [str(path)]).fetchone()
    if row is None or row[0] != RECORDS:
        raise AssertionError("records are missing")
