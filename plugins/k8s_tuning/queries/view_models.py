"""The answers of the health page and of its JSON API. Times are RFC 3339 in UTC; what is not known is None."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["OK", "WARN", "ERROR"]
Status = Literal["OK", "IDLE", "WARN", "ERROR", "STALE", "NEVER"]


class ViewModel(BaseModel):
    """What all answers share: a field that is not declared here is a mistake."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def of(cls, source: object, **others: Any) -> Self:
        """The fields in `others`, and all the rest as `source` has them by the same names."""
        return cls(**{name: getattr(source, name) for name in cls.model_fields if name not in others}, **others)


class RunRef(ViewModel):
    """A DAG run of Airflow's."""

    dag_id: str
    run_id: str

    @classmethod
    def named(cls, name: str | None) -> RunRef | None:
        """A run as history, ledger and sessions name it, `DAG_ID/RUN_ID`; None for anything else (a CLI's record)."""
        dag_id, slash, rest = (name or "").partition("/")
        return cls(dag_id=dag_id, run_id=rest) if slash and dag_id and rest else None


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
