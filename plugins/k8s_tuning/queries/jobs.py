"""The Jobs of a target's newest snapshot. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.queries import paging
from k8s_tuning.queries.job_models import Event, Job, Jobs, LogTail
from k8s_tuning.queries.view_models import RunRef
from k8s_tuning.stages.history.latest import LatestJob, LatestSnapshot

_LEVELS = ("OK", "WARN", "ERROR")
SORTS: dict[str, Callable[[Job], Any]] = {
    "health": lambda job: _LEVELS.index(job.health),
    "name": lambda job: paging.natural(job.name),
    "phase": lambda job: job.phase,
    "exit_code": lambda job: job.exit_code,
    "restarts": lambda job: job.restarts,
    "started_at": lambda job: job.started_at,
    "seconds": lambda job: job.seconds,
}


def jobs_of(
    snapshot: LatestSnapshot | None,
    *,
    q: str | None = None,
    health: str | None = None,
    phase: str | None = None,
    session_id: str | None = None,
    sort: str = "health",
    order: str = "desc",
    limit: int = 50,
    offset: int = 0,
) -> Jobs:
    """The Jobs that `q` (words in their name, reasons, cause or labels) and the filters leave; the worst come first.

    InputError for an unknown `sort` or `order`.
    """
    if snapshot is None:
        return Jobs(at=None, run=None, total=0, matching=0, errors=[], items=[])
    found = paging.search(snapshot.jobs, q, _text)
    chosen = [
        job_row(job, snapshot.timestamp)
        for job in found
        if health in (None, str(job.health))
        and phase in (None, job.phase)
        and session_id in (None, job.labels.get("session_id"))
    ]
    # By name first: Jobs that are alike in what is sorted by stand in the order of their names.
    ordered = paging.sort(paging.sort(chosen, "name", "asc", SORTS), sort, order, SORTS)
    return Jobs(
        at=snapshot.timestamp,
        run=RunRef.named(snapshot.run_id),
        total=len(snapshot.jobs) if snapshot.jobs_listed else None,
        matching=len(chosen),
        errors=list(snapshot.errors),
        items=ordered[offset : offset + limit],
    )


def job_row(job: LatestJob, at: str) -> Job:
    """One Job; its seconds are up to `at`, the snapshot's time, while it runs."""
    return Job.of(
        job,
        name=job.job_name,
        health=job.health.value,
        session_id=job.labels.get("session_id"),
        worker_id=job.labels.get("worker_id"),
        started_at=job.start_time,
        ended_at=job.completion_time,
        seconds=timestamps.seconds_known(job.start_time, job.completion_time or at),
        logs=[LogTail.of(log, pod=log.pod_name, container=log.container_name) for log in job.logs],
        events=[Event.of(event, object=event.name, last_at=event.last_timestamp) for event in job.events],
    )


def _text(job: LatestJob) -> str:
    labels = " ".join(f"{name}={value}" for name, value in job.labels.items())
    return " ".join([job.job_name, str(job.health), job.phase, *job.reasons, job.cause or "", labels])
