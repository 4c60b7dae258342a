"""One line of the ledger, and the one rule for which lines of the file are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from k8s_tuning import timestamps
from k8s_tuning.alerts.notice import Status
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.storage.jsonl import PADDING, BrokenLines


class LedgerLine(msgspec.Struct, gc=False):
    """One decision, or one attempt to deliver what was decided. Holds no secret.

    `at`: when it was written. `outcome` of a decision: owed (to be sent) or not_sent; of an attempt: sent, failed,
    dry_run, or superseded. `decision` and `why`: what and the reason in words. `is_open`: whether the incident lasts.
    `ill_jobs`, `reasons`: what there was to tell. `record_at`, `quiet_seconds`: how far the history had been followed,
    and for how long the target had not been seen ill by then. `over_at`: when the incident ended. `ref`: what the
    channel keeps of the incident. `incident`: the whole of it, where it may have to be told later. `message`: of an
    attempt whose message could be rendered, the bytes as text; where several incidents went in one message, the first
    one's line has it.
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
    ill_jobs: int = 0
    record_at: str = ""
    quiet_seconds: float = 0
    over_at: str = ""
    source: str = "health"
    ref: dict[str, str] = {}
    incident: Any = None
    message: Any = ""
    cluster: str | None = None


# Decisions that change nothing: the newest of an incident says as much as all of them.
IDLE = ("still_firing", "holding", "muted", "below_severity", "null_receiver", "in_flight", "already_sent_this_run")

# Outcomes: of decisions, and of attempts.
OWED, NOT_SENT = DECIDED = ("owed", "not_sent")
ATTEMPTS = ("sent", "failed", "dry_run", "superseded")

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
            broken.note(offset, "not a line of the ledger")
        offset += len(data) + 1
