"""The health page's questions to a history of a million records of one target, beside DuckDB reading the same file."""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import measure

from k8s_tuning.queries.history_index import HistoryIndex
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.target_identity import TargetIdentity

RECORDS = 1_000_000
EVERY_SECONDS = 30
# Ten failing records in a row of each five hundred: 2,000 episodes in all.
PERIOD, FAILING = 500, 10
FIRST = 1_700_000_000
LAST = FIRST + (RECORDS - 1) * EVERY_SECONDS
TARGET = TargetIdentity("trading-bots", "app=arbitrage-tuning")
RANGES = {"24 h": LAST - 86_400, "30 d": LAST - 30 * 86_400, "all": FIRST}
PAGE = 50
ANSWER_SECONDS = 0.050
COLD_SECONDS = 2.5


def run() -> list[dict[str, Any]]:
    """Rows of {name, ours_s, peer_s, ratio, limit}: seconds, the median; `limit` is of the ratio.

    A process that has answered before reads only what was appended since: one record here. `cold` is the first answer
    of a process, which reads the whole file. The peers: 50 ms; DuckDB, which reads the file for each question; and for
    a page of records the history's own load_recent of so many, which cannot skip or count.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "health.jsonl")
        _write(path)
        cold, columns = _cold(path)
        rows = [measure.row(f"cold: first answer of {RECORDS:,} records, beside {COLD_SECONDS} s", cold, COLD_SECONDS)]
        rows.append(
            measure.row(
                "cold: the same, beside DuckDB's series of all",
                cold,
                measure.median(lambda: _duckdb(path, FIRST, 600), 3),
                limit=5.0,
            )
        )
        for name, since in RANGES.items():
            for answer, ask in _questions(columns, since).items():
                ours = measure.median(lambda ask=ask: _after_an_append(path, ask))
                rows.append(measure.row(f"{answer}, {name}, beside 50 ms", ours, ANSWER_SECONDS))
                if answer == "series":
                    peer = measure.median(lambda since=since: _duckdb(path, since, 600), 3)
                    rows.append(measure.row(f"{answer}, {name}, beside DuckDB", ours, peer, limit=0.25))
        ours = measure.median(lambda: _after_an_append(path, lambda: columns.of_run("tuning/scheduled__7")))
        rows.append(measure.row("the records of one run, beside 50 ms", ours, ANSWER_SECONDS))
        last = measure.median(lambda: columns.records(TARGET, FIRST, math.inf, PAGE))
        recent = measure.median(lambda: K8sHealthHistoryStore(path).load_recent(PAGE))
        rows.append(measure.row(f"the last {PAGE} records, beside load_recent", last, recent, limit=3.0))
        return rows


def _questions(columns: HistoryIndex, since: float) -> dict[str, Callable[[], Any]]:
    return {
        "series": lambda: columns.series(TARGET, since, math.inf, 600),
        "strip": lambda: columns.strip(TARGET, since, LAST, 48),
        "episodes": lambda: columns.episodes(TARGET, since, math.inf),
        "page of records": lambda: columns.records(TARGET, since, math.inf, PAGE, 100),
    }


def _write(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(RECORDS):
            file.write(_line(number))


def _line(number: int) -> str:
    failing = number % PERIOD >= PERIOD - FAILING
    record = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(FIRST + number * EVERY_SECONDS)),
        "namespace": TARGET.namespace,
        "selector": TARGET.selector,
        "overall_health": "ERROR" if failing else "OK",
        "jobs_ok": 2,
        "jobs_warn": 0,
        "jobs_error": int(failing),
        "raw_snapshot": None,
        "run_id": f"tuning/scheduled__{number}",
        "target": "demo",
        "reasons": {"oom_killed": 1} if failing else {},
        "monitor_errors": [],
    }
    return json.dumps(record) + "\n"


def _cold(path: Path) -> tuple[float, HistoryIndex]:
    taken = []
    for _ in range(3):
        columns = HistoryIndex(path)
        start = time.perf_counter()
        found = columns.series(TARGET, FIRST, math.inf, 600)
        taken.append(time.perf_counter() - start)
        if found.total_records != RECORDS:
            raise AssertionError("records are missing")
    return statistics.median(taken), columns


def _after_an_append(path: Path, ask: Callable[[], Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(_line(RECORDS))
    ask()


def _duckdb(path: Path, since: float, points: int) -> None:
    """The same series by read_json, as one would write it."""
    import duckdb

    query = """
        SELECT time_bucket(to_seconds(?), timestamp::TIMESTAMP) AS begun, max(jobs_error), count(*),
               count(*) FILTER (overall_health = 'OK'), count(*) FILTER (overall_health = 'WARN'),
               count(*) FILTER (overall_health = 'ERROR'),
               arg_max({o: jobs_ok, w: jobs_warn, e: jobs_error}, (jobs_error, jobs_warn, timestamp))
        FROM read_json(?)
        WHERE namespace = ? AND selector = ? AND timestamp::TIMESTAMP >= make_timestamp(?)
        GROUP BY begun ORDER BY begun
    """
    seconds = math.ceil((LAST - since) / points / 300) * 300
    with duckdb.connect(":memory:") as connection:
        values = [seconds, str(path), TARGET.namespace, TARGET.selector, int(since * 1_000_000)]
        found = connection.execute(query, values).fetchall()
    if not 1 < len(found) <= points + 2:
        raise AssertionError(f"{len(found)} periods")
