"""Tuning sessions: their progress, and their Jobs with parameters. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.queries import paging
from k8s_tuning.queries.job_models import SessionJob as SessionJobRow
from k8s_tuning.queries.job_models import SessionRow
from k8s_tuning.queries.view_models import RunRef
from k8s_tuning.stages.sessions.session import SessionJob, TuningSession

_ENDED = ("SUCCEEDED", "FAILED", "GONE")
_PHASES = {"SUCCEEDED": "succeeded", "FAILED": "failed", "RUNNING": "running", "PENDING": "pending", "GONE": "gone"}
SORTS: dict[str, Callable[[SessionJobRow], Any]] = {
    "name": lambda job: paging.natural(job.name),
    "worker": lambda job: paging.natural(job.worker_id) if job.worker_id else None,
    "phase": lambda job: job.phase,
    "started_at": lambda job: job.started_at,
    "seconds": lambda job: job.seconds,
}


def session_row(session: TuningSession) -> SessionRow:
    """A session's progress, as last seen. A Job that no check has seen yet is `unseen`."""
    counts = Counter(_PHASES.get(job.phase, "unseen") for job in session.jobs)
    starts = [job.started_at for job in session.jobs if job.started_at]
    ends = [job.ended_at for job in session.jobs if job.ended_at]
    is_over = bool(session.jobs) and all(job.phase in _ENDED for job in session.jobs)
    end = max(ends, default=None) if is_over else session.seen_at
    return SessionRow.of(
        session,
        run=RunRef.named(session.run_id),
        is_over=is_over,
        total=len(session.jobs),
        **{name: counts[name] for name in (*_PHASES.values(), "unseen")},
        seconds=_seconds(min(starts, default=None), end),
    )


def session_jobs(
    session: TuningSession, *, q: str | None = None, sort: str = "name", order: str = "asc"
) -> list[SessionJobRow]:
    """The Jobs with these words in their name, phase or parameters (`lr=0.1`); sorted also by `param.NAME`.

    InputError for an unknown `sort` or `order`.
    """
    rows = [_job_row(job, session.seen_at) for job in paging.search(session.jobs, q, _text)]
    names = {name for job in session.jobs for name in job.parameters}
    parameters = {f"param.{name}": _by_parameter(name) for name in sorted(names)}
    return paging.sort(paging.sort(rows, "name", "asc", SORTS), sort, order, SORTS | parameters)


def _job_row(job: SessionJob, seen_at: str | None) -> SessionJobRow:
    end = job.ended_at or (seen_at if job.phase == "RUNNING" else None)
    return SessionJobRow.of(job, seconds=_seconds(job.started_at, end))


def _seconds(start: str | None, end: str | None) -> float | None:
    seconds = timestamps.seconds_known(start, end)
    return None if seconds is None else max(0.0, seconds)


def _by_parameter(name: str) -> Callable[[SessionJobRow], Any]:
    def value(job: SessionJobRow) -> Any:
        found = job.parameters.get(name)
        if found is None:
            return None
        # One parameter may hold numbers in some Jobs and words in others.
        return (0, found, "") if isinstance(found, (int, float)) else (1, 0, str(found))

    return value


def _text(job: SessionJob) -> str:
    parameters = " ".join(f"{name}={value}" for name, value in job.parameters.items())
    return f"{job.name} {job.worker_id or ''} {job.phase} {parameters}"
