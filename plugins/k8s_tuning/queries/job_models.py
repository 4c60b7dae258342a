"""The answers about Jobs, tuning sessions and DAG runs, as in view_models."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from k8s_tuning.queries.view_models import AlertRow, Level, NoticeBrief, Record, RunRef, ViewModel


class LogTail(ViewModel):
    """The last lines of one container; `previous`: of its run before the last restart."""

    pod: str
    container: str
    previous: bool
    truncated: bool
    lines: list[str]


class Event(ViewModel):
    """One Kubernetes event."""

    type: str
    reason: str
    message: str
    kind: str
    object: str
    count: int
    last_at: str | None


class Job(ViewModel):
    """One Job of the newest snapshot, with its pods' words."""

    name: str
    health: Level
    phase: str
    reasons: list[str]
    cause: str | None
    exit_code: int | None
    session_id: str | None
    worker_id: str | None
    started_at: str | None
    ended_at: str | None
    seconds: float | None = Field(description="From start to end, or to the snapshot while it runs.")
    succeeded: int
    failed: int
    active: int
    restarts: int
    nodes: list[str]
    logs: list[LogTail]
    events: list[Event]


class Jobs(ViewModel):
    """The Jobs of a target's newest snapshot. `at` is null where no snapshot was kept, `total` where it has no list."""

    at: str | None
    run: RunRef | None
    total: int | None = Field(description="Jobs in the snapshot; null where they could not be listed.")
    matching: int = Field(description="Jobs that the search leaves.")
    errors: list[str]
    items: list[Job]


class SessionJob(ViewModel):
    """One Job of a session. `phase`: as last seen; GONE where it was never seen to end and is not there any more."""

    name: str
    worker_id: str | None
    image: str | None
    parameters: dict[str, Any]
    args: list[str]
    phase: str
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    seen_at: str | None


class SessionRow(ViewModel):
    """One tuning session. `total` = succeeded + failed + running + pending + gone + unseen."""

    namespace: str
    session_id: str
    run: RunRef | None
    applied_at: str
    seen_at: str | None
    is_over: bool
    total: int
    succeeded: int
    failed: int
    running: int
    pending: int
    gone: int
    unseen: int
    seconds: float | None = Field(description="From the first start to the last end, or to the last check.")


class Sessions(ViewModel):
    """Sessions, newest first."""

    total: int
    items: list[SessionRow]
    notes: list[str]


class Session(ViewModel):
    """One session with its Jobs; `selector` of the target that watches it, where one is known."""

    row: SessionRow
    total: int
    matching: int
    jobs: list[SessionJob]
    notices: list[NoticeBrief]


class PipelineResult(ViewModel):
    """What the journal of runs says of one."""

    ended_at: str
    mode: str
    exit_code: int
    health: Level | None
    stage_seconds: dict[str, float]


class Run(ViewModel):
    """Everything that one DAG run left behind."""

    run: RunRef
    records: list[Record]
    sessions: list[SessionRow]
    alerts: list[AlertRow]
    result: PipelineResult | None
    notes: list[str]
