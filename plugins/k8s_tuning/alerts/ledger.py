"""The ledger: one JSON line for every decision and every attempt, on the volume that holds the history."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock
import orjson

from k8s_tuning import timestamps, wire
from k8s_tuning.alerts.ledger_state import LedgerState
from k8s_tuning.alerts.notice import Status
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.journal import Journal
from k8s_tuning.stages.incident import IncidentSeverity

_LOCK_SECONDS = 60.0
_DAY_SECONDS = 86_400


@dataclass
class LedgerLine:
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
    reasons: dict[str, int] = field(default_factory=dict)
    ill_jobs: int = 0
    record_at: str = ""
    quiet_seconds: float = 0
    over_at: str = ""
    source: str = "health"
    ref: dict[str, str] = field(default_factory=dict)
    incident: dict[str, Any] | None = None
    message: str = ""


# Decisions that change nothing: the newest of an incident says as much as all of them.
IDLE = ("still_firing", "holding", "muted", "below_severity", "null_receiver", "in_flight", "already_sent_this_run")

ATTEMPTS = ("sent", "failed", "dry_run", "superseded")


class Ledger:
    """One ledger file, safe for many processes. StoreError where it cannot be read or written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._journal = Journal(self.path)

    def lines(self) -> Iterator[LedgerLine]:
        """Every line, oldest first; what is no ledger line is skipped (broken ones are logged with their place)."""
        for record in self._journal.oldest_first():
            line = _line(record)
            if line is not None:
                yield line

    def newest_first(self) -> Iterator[LedgerLine]:
        """Every line, newest first."""
        for record in self._journal.newest_first():
            line = _line(record)
            if line is not None:
                yield line

    def state(self, *, dry_run: bool = False) -> LedgerState:
        """What the lines add up to. Without `dry_run`, what was only shown counts for nothing."""
        return LedgerState.of(self.lines(), dry_run=dry_run)

    def append(self, lines: Iterable[LedgerLine]) -> None:
        """Write lines, each durably and whole."""
        for line in lines:
            self._journal.append(asdict(line))

    @contextlib.contextmanager
    def planning(self) -> Iterator[None]:
        """While one run reads the state and writes its decisions, no other does."""
        lock_path = f"{os.path.realpath(self.path)}.planning.lock"
        try:
            Path(lock_path).parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(lock_path, timeout=_LOCK_SECONDS, poll_interval=0.02)
            lock.acquire()
        except filelock.Timeout:
            raise StoreError(
                f"{self.path}: another run has been planning for {_LOCK_SECONDS:.0f} s; see which holds {lock_path}"
            ) from None
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be locked: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def prune(self, max_age_days: float, now: str) -> int:
        """Drop lines older than that; how many.

        An incident's lines go all together: half of them would tell another story (a firing without its resolve). Of
        one that lasts, is owed, or has younger lines, only those old decisions go that nothing rests on.
        """
        if not max_age_days > 0:
            raise InputError(f"max_age_days: {max_age_days!r} is not a number of days above 0")
        dropped = 0

        def is_old(line: LedgerLine) -> bool:
            return _seconds(line.at, now) > max_age_days * _DAY_SECONDS

        def kept() -> Iterator[bytes]:
            nonlocal dropped
            dropped = 0
            needed = self.state(dry_run=True).incidents.keys() | self.state().incidents.keys()
            needed |= {line.incident_id for line in self.lines() if not is_old(line)}
            newest = {line.incident_id: position for position, line in enumerate(self.lines())}
            for position, line in enumerate(self.lines()):
                idle = line.decision in IDLE and line.incident is None and newest[line.incident_id] != position
                if is_old(line) and (idle or line.incident_id not in needed):
                    dropped += 1
                else:
                    yield orjson.dumps(asdict(line)) + b"\n"

        with self.planning():
            self._journal.rewrite(kept)
        return dropped


def _line(record: dict[str, Any]) -> LedgerLine | None:
    try:
        return wire.load(LedgerLine, record)
    except InputError:
        return None


def _seconds(earlier: str, later: str) -> float:
    try:
        return timestamps.seconds_between(earlier, later)
    except InputError:
        return 0.0
