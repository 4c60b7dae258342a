"""A scrape of the metrics at a million records and a million ledger lines, beside the 10 ms that it may take."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import measure

from k8s_tuning.metrics import Metrics

LINES = 1_000_000
TARGETS = 20
SCRAPE_SECONDS = 0.010


def run() -> list[dict[str, Any]]:
    """Rows of {name, ours_s, peer_s, ratio, limit}: seconds, the median; `limit` is of the ratio to 10 ms.

    A process that has scraped before reads only what was appended since: one record here. The first scrape of a
    process goes on from the history's checkpoint, as the store keeps it, and reads the whole ledger once.
    """
    with tempfile.TemporaryDirectory() as folder:
        history, ledger = Path(folder, "history.jsonl"), Path(folder, "ledger.jsonl")
        _write(history, _record)
        _write(ledger, _note)
        Metrics(history).render()
        metrics = Metrics(history, ledger)
        metrics.render()

        def scrape() -> None:
            with history.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(_record(LINES)) + "\n")
            if b"k8s_tuning_notices_total" not in metrics.render():
                raise AssertionError("the ledger is missing")

        def first() -> None:
            if b"k8s_tuning_target_health" not in Metrics(history).render():
                raise AssertionError("the history is missing")

        return [
            measure.row(
                f"scrape of {LINES:,} records and {LINES:,} ledger lines, beside 10 ms",
                measure.median(scrape),
                SCRAPE_SECONDS,
            ),
            measure.row(
                f"first scrape of a process, {LINES:,} records, beside 10 ms", measure.median(first), SCRAPE_SECONDS
            ),
        ]


def _write(path: Path, line: Callable[[int], dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as handle:
        for number in range(LINES):
            handle.write(json.dumps(line(number)) + "\n")


def _record(number: int) -> dict[str, Any]:
    failing = number // TARGETS % 50 == 0
    return {
        "timestamp": _at(number),
        "namespace": "trading-bots",
        "selector": f"app=arbitrage-tuning,session_id=s{number % TARGETS}",
        "overall_health": "ERROR" if failing else "OK",
        "jobs_ok": 2,
        "jobs_warn": 0,
        "jobs_error": int(failing),
        "raw_snapshot": None,
        "run_id": f"scheduled__{number}",
        "target": None,
        "reasons": {"oom_killed": 1} if failing else {},
        "monitor_errors": [],
    }


def _note(number: int) -> dict[str, Any]:
    outcome = ("owed", "sent", "not_sent", "not_sent")[number % 4]
    return {
        "at": _at(number),
        "run_id": f"scheduled__{number}",
        "incident_id": f"incident-{number // 400}",
        "namespace": "trading-bots",
        "selector": "app=arbitrage-tuning",
        "target": None,
        "started_at": _at(number),
        "receiver": "team",
        "channel": "slack",
        "decision": "first",
        "why": "",
        "status": "firing",
        "severity": "CRITICAL",
        "outcome": outcome,
        "notice_id": f"notice-{number // 4}",
        "is_open": number % 400 != 399,
    }


def _at(number: int) -> str:
    """A record every 15 seconds, up to now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - (LINES - number) * 15))
