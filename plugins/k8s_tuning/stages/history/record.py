"""One record of the history, and the one rule for which lines of the file are records."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec

from k8s_tuning import timestamps
from k8s_tuning.choices import chosen, fill
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.storage.jsonl import FORMAT, PADDING, BrokenLines, Format, split

T = TypeVar("T")


@dataclass
class K8sHealthHistoryRecord:
    """One health check. `run_id`: the Airflow DAG run that recorded it (None from the command line).

    `reasons`: how many Jobs have each probable cause (`image_pull`: 3).
    `target`: the name of the target in the configuration, where there is one. `cluster`: which cluster it is on, as
    K8sMonitorSnapshot has it; None in records of versions before it.
    `monitor_errors`: what could not be read, so that a WARN without a failing Job explains itself.
    `look`: a short digest of what was found, by which a repeated run knows whether it found anything new; None in
    records of versions before it.
    `failing_jobs`: the first Jobs that are not OK, ERROR before WARN, each with its probable cause in a sentence.
    `jobs_ok`, `jobs_warn`, `jobs_error`: all None where the Jobs could not be listed.
    """

    timestamp: str
    namespace: str
    selector: str
    overall_health: HealthLevel
    jobs_ok: int | None
    jobs_warn: int | None
    jobs_error: int | None
    raw_snapshot: dict[str, Any] | None = None
    run_id: str | None = None
    target: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    monitor_errors: list[str] = field(default_factory=list)
    look: str | None = None
    failing_jobs: dict[str, str] = field(default_factory=dict)
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Take plain strings, and None for nothing; InputError where one is no level."""
        fill(self, reasons={}, monitor_errors=[], failing_jobs={})
        self.overall_health = chosen(HealthLevel, self.overall_health)

    @property
    def jobs_listed(self) -> bool:
        """Whether the Jobs could be listed: else nothing is known of their number or health."""
        return self.jobs_ok is not None

    @property
    def idle(self) -> bool:
        """Whether it is OK because there are no Jobs."""
        return self.overall_health == HealthLevel.OK and self.jobs_ok == self.jobs_warn == self.jobs_error == 0


RECORD = "a health record"  # what a line of the history is, in words
MAX_COUNT = 10**15  # within what every reader of JSON holds exactly
_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
_ABSENT = msgspec.Raw(b"null")


class Line(msgspec.Struct, gc=False):
    """A line that is a record: the contract's fields have their types. The others are read when they are asked for.

    `timestamp` is as every timestamp of this package (timestamps.py), whatever form of it stands in the file.
    Unknown fields, of a later version, are passed over; an optional one of an unknown form counts as absent. A count
    that is null or left out is not known.
    """

    timestamp: str
    namespace: str
    selector: str
    overall_health: HealthLevel
    jobs_ok: _Count | None = None
    jobs_warn: _Count | None = None
    jobs_error: _Count | None = None
    raw_snapshot: msgspec.Raw = _ABSENT
    run_id: msgspec.Raw = _ABSENT
    target: Any = None
    reasons: msgspec.Raw = _ABSENT
    monitor_errors: msgspec.Raw = _ABSENT
    look: msgspec.Raw = _ABSENT
    failing_jobs: msgspec.Raw = _ABSENT
    cluster: Any = None
    format: Format = FORMAT

    def identity(self) -> tuple[str, str, str | None, str | None]:
        """Namespace, selector, name and cluster: what a TargetIndex finds the target by."""
        name, cluster = self.target, self.cluster
        return (
            self.namespace,
            self.selector,
            name if isinstance(name, str) else None,
            cluster if isinstance(cluster, str) else None,
        )

    def counts(self) -> tuple[int, int, int] | None:
        """Jobs in OK, WARN and ERROR; None where one of them is not known."""
        ok, warn, error = self.jobs_ok, self.jobs_warn, self.jobs_error
        return None if ok is None or warn is None or error is None else (ok, warn, error)

    def record(self, with_snapshot: bool = True) -> K8sHealthHistoryRecord:
        """The whole record; `with_snapshot=False` leaves out the largest field."""
        ok, warn, error = self.counts() or (None, None, None)
        _, _, name, cluster = self.identity()
        return K8sHealthHistoryRecord(
            timestamp=self.timestamp,
            namespace=self.namespace,
            selector=self.selector,
            overall_health=self.overall_health,
            jobs_ok=ok,
            jobs_warn=warn,
            jobs_error=error,
            raw_snapshot=_read(self.raw_snapshot, dict[str, Any], None) if with_snapshot else None,
            run_id=_read(self.run_id, str, None),
            target=name,
            reasons=_read(self.reasons, dict[str, _Count], {}),
            monitor_errors=_read(self.monitor_errors, list[str], []),
            look=_read(self.look, str, None),
            failing_jobs=_read(self.failing_jobs, dict[str, str], {}),
            cluster=cluster,
        )


_DECODER = msgspec.json.Decoder(Line)
# What decoding raises for a line that is no record: other JSON, none at all, too deep, not UTF-8.
_NO_RECORD = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def instant(text: str) -> str | None:
    """A record's timestamp in this package's form, None where it is no instant.

    One without a zone is UTC: files of other programs and of older versions have such.
    """
    try:
        moment = datetime.fromisoformat(text)
        if _is_plain(text):
            return text
        return timestamps.to_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def read_line(line: bytes) -> Line | None:
    """One line, None where it is no record."""
    try:
        record = _DECODER.decode(line.strip(PADDING))
    except _NO_RECORD:
        return None
    at = instant(record.timestamp)
    if at is None:
        return None
    record.timestamp = at
    return record


def read_block(block: bytes, offset: int, broken: BrokenLines) -> list[Line]:
    """The records of whole lines that begin at byte `offset`; what is none is noted in `broken`."""
    # Where every line begins with { and ends with }, every line break is one between two whole values (within a value,
    # no { follows a }), so that reading them all at once reads each line by itself; four times as fast.
    lines = block.count(b"\n")
    if block.startswith(b"{") and block.endswith(b"}\n") and block.count(b"}\n{") == lines - 1:
        try:
            records = _DECODER.decode_lines(block)
        except _NO_RECORD:
            records = []
        if len(records) == lines and _all_plain(records):
            return records
    return list(broken.read(split(block, offset), read_line, RECORD))


def _all_plain(records: list[Line]) -> bool:
    """Whether every timestamp is an instant in this package's form."""
    texts = [record.timestamp for record in records]
    try:
        collections.deque(map(datetime.fromisoformat, texts), maxlen=0)
    except ValueError:
        return False
    # As _is_plain, of all at once.
    count, joined = len(texts), "".join(texts)
    return set(map(len, texts)) <= {20} and (joined[19::20], joined[10::20], joined[7::20]) == (
        "Z" * count,
        "T" * count,
        "-" * count,
    )


def _is_plain(text: str) -> bool:
    """Of what fromisoformat reads, only 2025-11-16T10:00:00Z has these."""
    return len(text) == 20 and text[19] == "Z" and text[10] == "T" and text[7] == "-"


def _read(raw: msgspec.Raw, kind: type[T], otherwise: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except _NO_RECORD:
        return otherwise
