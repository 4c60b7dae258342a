"""The answers of the health page and of its JSON API. Times are RFC 3339 in UTC; what is not known is None."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["OK", "WARN", "ERROR"]
Status = Literal["OK", "IDLE", "WARN", "ERROR", "STALE", "NEVER"]


class ViewModel(BaseModel):
    """What all answers share: a field that is not declared here is a mistake."""

    model_config = ConfigDict(extra="forbid")


class RunRef(ViewModel):
    """A DAG run of Airflow's."""

    dag_id: str
    run_id: str


class NoticeBrief(ViewModel):
    """What became of one message to one channel.

    `outcome`: `owed` (pending), sent, failed (still pending), dry_run, superseded.
    """

    notice_id: str
    receiver: str
    channel: str
    status: str
    outcome: str
    decided_at: str
    done_at: str | None = Field(description="When the newest attempt ended; null while there was none.")
    dry_run: bool


class StripCell(ViewModel):
    """One period of a strip. `worst` is null where nothing was recorded. `idle`: no record in it has a Job."""

    at: str
    seconds: int
    worst: Level | None
    records: int
    idle: bool = False


class Incident(ViewModel):
    """One incident. `id` is the ledger's, null where no alert planning has seen it; then it is a run of non-OK records.

    `worst`: the worst health recorded in it. `cause`: the probable cause in a sentence, where it is known.
    """

    id: str | None
    namespace: str
    selector: str
    target: str | None
    cluster: str | None = None
    started_at: str
    ended_at: str | None = Field(description="Null while it lasts.")
    is_open: bool
    severity: str = Field(description="INFO, WARN or CRITICAL")
    worst: Level
    cause: str | None
    reasons: dict[str, int]
    records: int = Field(description="How many health records lie in it; 0 where retention has dropped them.")
    run: RunRef | None = Field(description="The DAG run that recorded its first health record.")
    notices: list[NoticeBrief]


class OverviewRow(ViewModel):
    """One target: a namespace and a selector on one cluster, which is null while no record has named one.

    `status`: the present health; STALE where the newest record is older than `stale_after_minutes` or dated as far
    ahead, NEVER where there is none, IDLE where it is OK for there are no Jobs. `last_health`: what that newest record
    said. `since`: when the unbroken run of records with `last_health` began. `watched`: whether targets.yaml names it;
    null where that file cannot be read.
    """

    name: str | None
    former_names: list[str]
    cluster: str | None = None
    namespace: str
    selector: str
    watched: bool | None
    status: Status
    last_health: Level | None
    since: str | None
    jobs_ok: int | None
    jobs_warn: int | None
    jobs_error: int | None
    cause: str | None
    reasons: dict[str, int]
    monitor_errors: list[str]
    last_at: str | None
    age_seconds: float | None
    run: RunRef | None
    open_incident: Incident | None
    last_notice: NoticeBrief | None
    strip: list[StripCell]


class Overview(ViewModel):
    """Every target, the worst first. `notes`: what could not be read, each with its place and cure."""

    now: str
    range_seconds: int
    stale_after_minutes: float
    rows: list[OverviewRow]
    notes: list[str]


class Series(ViewModel):
    """One target's health over time, in columns of equal length; periods without a record are not in it.

    `at`: when each period begins, seconds since the epoch. `seconds`: how long each is; 0 where each column is one
    record. `worst`: 0 OK, 1 WARN, 2 ERROR: the worst record, so that no ERROR is lost. `records_*`: how many records.
    `jobs_*`: of the record with the most Jobs in ERROR, then WARN, so that the three belong together; null where the
    Jobs could not be listed. `gap_seconds`: two neighbours further apart than this have nothing known between them.
    """

    namespace: str
    selector: str
    target: str | None
    cluster: str | None = None
    since: str
    until: str
    seconds: int
    gap_seconds: float
    total_records: int
    at: list[float]
    worst: list[int]
    records_ok: list[int]
    records_warn: list[int]
    records_error: list[int]
    jobs_ok: list[int | None]
    jobs_warn: list[int | None]
    jobs_error: list[int | None]


class Incidents(ViewModel):
    """A target's incidents that touch the range, newest first; of the history's, the newest 10,000."""

    total: int
    items: list[Incident]


class Record(ViewModel):
    """One line of the history. `jobs_*`: null where the Jobs could not be listed. `idle`: OK, for there are none."""

    at: str
    namespace: str
    selector: str
    target: str | None
    cluster: str | None = None
    health: Level
    jobs_ok: int | None
    jobs_warn: int | None
    jobs_error: int | None
    reasons: dict[str, int]
    monitor_errors: list[str]
    run: RunRef | None
    idle: bool = False


class Records(ViewModel):
    """Records of the range, newest first."""

    total: int
    items: list[Record]


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


class AlertRow(ViewModel):
    """One message to one channel, or one decision against one.

    `outcome`: `owed` (pending), sent, failed (still pending), dry_run, superseded, already_sent, or not_sent. `ref`:
    asks for the whole entry.
    """

    ref: str
    notice_id: str | None
    namespace: str
    selector: str
    target: str | None
    cluster: str | None = None
    incident_ids: list[str]
    receiver: str
    channel: str
    status: str
    severity: str
    decision: str
    why: str
    outcome: str
    source: str
    decided_at: str
    done_at: str | None
    attempts: int
    answer: str
    dry_run: bool
    run: RunRef | None


class Alerts(ViewModel):
    """Entries of the ledger, newest first; the values that each filter may take."""

    total: int
    items: list[AlertRow]
    targets: list[str]
    channels: list[str]
    decisions: list[str]
    outcomes: list[str]
    notes: list[str]


class Attempt(ViewModel):
    """One line of the ledger about a notice."""

    at: str
    outcome: str
    attempts: int
    answer: str
    dry_run: bool


class Alert(ViewModel):
    """One entry whole. `message`: the bytes as sent, secrets masked; null where nothing was sent or none were kept."""

    row: AlertRow
    history: list[Attempt]
    message: str | None
    incident: dict[str, Any] | None


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
