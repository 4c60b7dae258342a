"""One line of the ledger, and the one rule for which lines of the file are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from k8s_tuning import plain_values, timestamps
from k8s_tuning.alerts.notice import Notice, NoticeItem, Outcome, Status
from k8s_tuning.alerts.reason import Result
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sIncident
from k8s_tuning.storage.jsonl import FORMAT, PADDING, BrokenLines, Format, not_read

if TYPE_CHECKING:
    from k8s_tuning.alerts.decision import Decision


class LedgerLine(msgspec.Struct, gc=False):
    """One decision, or one attempt to deliver what was decided. Holds no secret.

    `at`: when it was written. `decision`: a Reason's value, `outcome`: a Result's; another version may have others.
    `is_open`: whether the incident lasts. `failing_jobs`, `reasons`: what there was to report. `record_at`,
    `quiet_seconds`: how far the history had been followed, and for how long the target had not failed a check by then.
    `over_at`: when the incident ended. `ref`: what the channel keeps of the incident. `incident`: the whole of it,
    where it may have to be reported later. `message`: of an attempt whose message could be rendered, the bytes as text;
    where several incidents went in one message, the first one's line has it.
    """

    at: str
    run_id: str
    incident_id: str
    namespace: str
    selector: str
    target: str | None
    started_at: str
    receiver: str
    channel: str
    decision: str
    why: str
    status: Status
    severity: IncidentSeverity
    outcome: str
    notice_id: str = ""
    is_open: bool = True
    dry_run: bool = False
    attempts: int = 0
    answer: str = ""
    reasons: dict[str, int] = {}
    failing_jobs: int = msgspec.field(default=0, name="ill_jobs")
    record_at: str = ""
    quiet_seconds: float = 0
    over_at: str = ""
    source: str = "health"
    ref: dict[str, str] = {}
    incident: Any = None
    message: Any = ""
    cluster: str | None = None
    format: Format = FORMAT

    @classmethod
    def decided(cls, one: Decision, at: str, run_id: str, notice_id: str = "", *, dry_run: bool = False) -> LedgerLine:
        """One decision. `notice_id`: of the notice that it sends; empty where nothing is sent."""
        update, incident = one.update, one.update.incident
        return cls(
            at=at,
            run_id=run_id,
            incident_id=incident.id,
            namespace=incident.namespace,
            selector=incident.selector,
            target=incident.target,
            started_at=incident.started_at,
            receiver=one.state.receiver,
            channel=one.state.channel,
            decision=one.reason,
            why=one.why,
            status=one.status,
            severity=one.severity,
            outcome=Result.PENDING if notice_id else Result.NOT_SENT,
            notice_id=notice_id,
            is_open=update.is_open,
            dry_run=dry_run,
            reasons=dict(incident.reasons),
            failing_jobs=update.failing_jobs,
            record_at=update.record_at,
            quiet_seconds=update.quiet_seconds,
            over_at=update.over_at,
            source=update.source,
            incident=_kept(incident) if notice_id or update.known is None else None,
            cluster=incident.cluster,
        )

    @classmethod
    def attempted(
        cls, notice: Notice, item: NoticeItem, outcome: Outcome, ref: dict[str, str], *, dry_run: bool
    ) -> LedgerLine:
        """What became of one incident's part of a notice. `ref`: what the channel keeps of it."""
        incident = item.payload.raw_incident
        counts = incident.get("job_counts") or {}
        return cls(
            at=outcome.at,
            run_id=notice.run_id,
            incident_id=item.incident_id,
            namespace=item.payload.namespace,
            selector=item.payload.selector,
            target=item.target,
            started_at=item.started_at,
            receiver=notice.receiver,
            channel=notice.channel,
            decision=item.decision,
            why=item.why,
            status=notice.status,
            severity=item.payload.severity,
            outcome=outcome.outcome,
            notice_id=notice.id,
            is_open=notice.status is not Status.RESOLVED,
            dry_run=dry_run,
            attempts=outcome.attempts,
            answer=outcome.answer,
            reasons=dict(item.reasons),
            failing_jobs=sum(counts.get(level, 0) for level in ("WARN", "ERROR")),
            source=str(item.payload.metadata.get("source") or "health"),
            ref=ref,
            cluster=incident.get("cluster"),
        )

    def record(self) -> dict[str, Any]:
        """As JSON values, by the names that the file has."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


def _kept(incident: K8sIncident) -> dict[str, Any]:
    values: dict[str, Any] = plain_values.dump(incident)
    for event in values["recent_events"]:
        event["raw"] = {}
    return values


# Not strict: a number in quotes is a number.
_DECODER = msgspec.json.Decoder(LedgerLine, strict=False)


def read_line(data: bytes) -> LedgerLine | None:
    """A line of the file, None where it is none of the ledger's: other JSON, or a time that decisions count from
    cannot be read.
    """
    try:
        line = _DECODER.decode(data.strip(PADDING))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    times = (line.at, line.record_at or line.at, line.over_at or line.at)
    return line if all(map(_is_time, times)) else None


@lru_cache(maxsize=16384)  # a month of checks every five minutes has 8,928 times
def _is_time(text: str) -> bool:
    try:
        timestamps.to_datetime(text)
    except InputError:
        return False
    return True


def read_block(block: bytes, offset: int, broken: BrokenLines) -> Iterator[tuple[LedgerLine, int, int]]:
    """The lines of a block that begins at byte `offset`, each with where it begins and its length in bytes.

    What is none is noted in `broken`.
    """
    for data in block.split(b"\n"):
        line = read_line(data)
        if line is not None:
            yield line, offset, len(data)
        elif data.strip(PADDING):
            broken.note(offset, not_read(data, "a line of the ledger"))
        offset += len(data) + 1
