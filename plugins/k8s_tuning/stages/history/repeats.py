"""Whether a run that records a target again has found anything new. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot

# The fields that say which target a record is of.
TARGET = ("namespace", "selector", "target", "cluster")

Values = dict[str, Any]


def finding(snapshot: K8sHealthSnapshot) -> str:
    """A digest of what a check found: each Job's phase, health and reasons, and what could be read.

    Neither times nor the wording of causes and errors are in it: they differ each time.
    """
    jobs = sorted((job.job_name, job.phase, job.health, sorted(job.reasons)) for job in snapshot.jobs_health)
    found = [snapshot.overall_health, bool(snapshot.errors), snapshot.jobs_listed, jobs]
    return blake2b(orjson.dumps(found), digest_size=8).hexdigest()


def recorded_already(record: Values, find: Callable[[Sequence[str]], Values | None]) -> Values | None:
    """The record that makes `record` a repeat: its run has recorded this check, or recorded the same finding and the
    target's newest record still shows it. None where there is something new to record.

    `find`: as AppendLog.append passes it. A run that finds what it found at first, after another finding has been
    recorded, has something new: the newest record no longer says so.
    """
    same_check = find(("run_id", *TARGET, "timestamp", "look"))
    if same_check is not None:
        return same_check
    of_run = find(("run_id", *TARGET))
    if of_run is None or not _same(of_run, record):
        return None
    newest = find(TARGET)
    return of_run if newest is not None and _same(newest, record) else None


def _same(known: Values, record: Values) -> bool:
    if known.get("look") is not None:
        return bool(known["look"] == record["look"])
    # Of a version that kept no digest.
    compared = ("overall_health", "jobs_ok", "jobs_warn", "jobs_error", "reasons")
    return all(known.get(name) == record[name] for name in compared)
