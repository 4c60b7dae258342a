"""Many readers of one history, while it grows and retention replaces it."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.stages.history_lines import NAMESPACE, SELECTOR

from k8s_tuning.queries.history_index import HistoryIndex
from k8s_tuning.stages.target_identity import TargetIdentity

MINE = TargetIdentity(NAMESPACE, SELECTOR)
APPENDS = 300
_WRITER = textwrap.dedent(
    """
    import sys
    from k8s_tuning.stages.history.store import K8sHealthHistoryStore, RetentionPolicy
    from tests.stages.history_lines import check

    store = K8sHealthHistoryStore(sys.argv[1])
    for number in range(int(sys.argv[2])):
        store.append(check("ERROR" if number % 7 == 0 else "OK"), run_id=f"dag/{number}")
        if number % 50 == 49:
            store.prune(RetentionPolicy(max_records=40))
    """
)


@pytest.mark.slow
def test_readers_in_threads_see_whole_answers_while_another_process_writes(tmp_path: Path) -> None:
    """No reader fails, sees a count go backwards but for retention, or records that differ from their total."""
    path = tmp_path / "health.jsonl"
    columns = HistoryIndex(path)
    faults: list[str] = []
    over = threading.Event()
    answers = [0] * 4

    def look(number: int) -> None:
        while not over.is_set() or not answers[number]:
            series = columns.series(MINE, -math.inf, math.inf, 20)
            sums = sum(map(sum, (series.records_ok, series.records_warn, series.records_error)))
            if sums != series.total_records:
                faults.append(f"{sums} records in the periods of {series.total_records}")
            found = columns.records(MINE, -math.inf, math.inf, limit=1000)
            if len(found.items) != found.total:
                faults.append(f"{len(found.items)} records of {found.total}")
            if any(record.run is None for record in found.items):
                faults.append("a record without its run")
            for episode in columns.episodes(MINE, -math.inf, math.inf):
                record = columns.record_at(episode.first)
                if record is not None and record.health != "ERROR":
                    faults.append(f"an episode that begins with {record.health}")
            answers[number] += 1

    root = Path(__file__).parents[2]
    environment = {"PYTHONPATH": f"{root / 'plugins'}:{root}", "PATH": "/usr/bin:/bin"}
    writer = [sys.executable, "-c", _WRITER, str(path), str(APPENDS)]
    with ThreadPoolExecutor(len(answers)) as pool:
        readers = [pool.submit(look, number) for number in range(len(answers))]
        try:
            subprocess.run(writer, env=environment, check=True, timeout=300)
        finally:
            over.set()
        for reader in readers:
            reader.result()
    assert faults == []
    assert columns.records(MINE, -math.inf, math.inf).items[0].run.run_id == str(APPENDS - 1)
    assert columns.records(MINE, -math.inf, math.inf).total == HistoryIndex(path).records(MINE, 0, math.inf).total
