"""The journal of pipeline runs: one line a finished run, so that metrics show the pipeline's own state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from k8s_tuning import plain_values, timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.stages.health.evaluate import HealthLevel
from k8s_tuning.storage.append_log import AppendLog, Find, Kind
from k8s_tuning.storage.jsonl import decode


@dataclass
class K8sPipelineRunRecord:
    """One finished run. `timestamp`: when it ended. `exit_code`: D36's, 0 to 3. `mode`: dry_run, apply or full_alerts.

    `health_status` is None where the run broke before health was known. `stage_seconds`: how long each stage took;
    a stage that did not run is not in it.
    """

    timestamp: str
    run_id: str
    mode: str
    exit_code: int
    health_status: HealthLevel | None = None
    stage_seconds: dict[str, float] = field(default_factory=dict)


class K8sPipelineRunStore:
    """A JSONL file of runs, on the volume that holds the history. It need not exist before the first append."""

    def __init__(self, path: str | Path) -> None:
        self._log = AppendLog(path, Kind("journal of runs", frozenset({"run_id", "exit_code"})))

    def append(self, record: K8sPipelineRunRecord) -> K8sPipelineRunRecord:
        """Write the run's outcome, unless the newest line of this run_id has the same exit code: that is returned then.

        So a retried report task adds nothing, and a run that was repaired and cleared adds its new outcome, however
        often it changes. StoreError where the file cannot be written.
        """

        def same_outcome(find: Find) -> dict[str, Any] | None:
            newest = find(("run_id",))
            return newest if newest and newest.get("exit_code") == record.exit_code else None

        stored, _ = self._log.append(plain_values.dump(record), unless=same_outcome)
        return plain_values.load(K8sPipelineRunRecord, stored)

    def prune(self, max_age_days: float, now: str) -> int:
        """Drop runs that ended longer ago at `now`; how many. Lines that are no run stay. Others append meanwhile."""
        oldest = timestamps.later(now, days=-max_age_days)

        def past(end: int) -> Iterator[tuple[int, int]]:
            for begin, line in self._log.lines(end=end):
                record = _read(decode(line) or {})
                if record is not None and record.timestamp < oldest:
                    yield begin, begin + len(line) + 1

        return self._log.leave_out(past)

    def recent(self, limit: int = 50) -> list[K8sPipelineRunRecord]:
        """The last `limit` runs, oldest first; lines that are no run are skipped. StoreError where it is unreadable."""
        return list(islice(filter(None, map(_read, self._log.newest_first())), limit))[::-1]


def _read(values: dict[str, Any]) -> K8sPipelineRunRecord | None:
    """A line's values as a run, None where they are none."""
    try:
        record = plain_values.load(K8sPipelineRunRecord, values)
        timestamps.to_datetime(record.timestamp)
    except InputError:
        return None
    return record
