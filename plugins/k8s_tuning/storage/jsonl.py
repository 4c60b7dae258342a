"""One line of a JSONL file: written, read, found among millions, and reported where it is broken."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import orjson

from k8s_tuning.errors import InputError

log = logging.getLogger(__name__)

T = TypeVar("T")

# A longer line is refused by append and skipped by readers: it bounds what one damaged file can cost in memory.
MAX_LINE_BYTES = 8 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
# The newest lines are what is asked for most: a small first block makes that one read of a few kilobytes.
FIRST_BLOCK_BYTES = 16 * 1024
_LOGGED_BROKEN_LINES = 5
# What a line may be padded with and still be read: NULs are what a power loss leaves of a write.
PADDING = b"\0 \t\r"


# Of the lines that are written, in each one's field `format`. Lines of versions before it have none, and are read as 1.
# Raised where a reader of the version before would misread a line; a field that is only new needs none.
FORMAT = 1
# The field's type in a struct that reads lines: a line of a newer format is then none.
Format = Annotated[int, msgspec.Meta(le=FORMAT)]


def encode(record: Mapping[str, Any]) -> bytes:
    """A record as its line, newline included: UTF-8, little escaped; InputError where it cannot be."""
    try:
        text = json.dumps({**record, "format": FORMAT}, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"this record cannot be written as JSON: {error}") from error
    # "replace": a lone surrogate (from a file name or a log) has no UTF-8 form.
    line = text.encode("utf-8", "replace") + b"\n"
    if len(line) - 1 > MAX_LINE_BYTES:
        raise InputError(f"this record takes {len(line):,} bytes; a line may have at most {MAX_LINE_BYTES:,}")
    return line


def decode(line: bytes) -> dict[str, Any] | None:
    """A line as its record, without its format; None where it holds no JSON object, or one of a newer format.

    What is not UTF-8 in it is U+FFFD.
    """
    record = decode_any(line)
    if record is None or _is_newer(record):
        return None
    record.pop("format", None)
    return record


def split(block: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """(byte offset, line) of each line that is not empty in a block that begins at byte `offset`."""
    for line in block.split(b"\n"):
        if line:
            yield offset, line
        offset += len(line) + 1


def not_read(line: bytes, kind: str) -> str:
    """Why a line was not read as what `kind` says (`a health record`)."""
    record = decode_any(line)
    if record is not None and _is_newer(record):
        return f"written by a newer k8s-tuning, in format {record['format']}; this one reads {FORMAT}: upgrade it"
    return f"not {kind}"


def _is_newer(record: Mapping[str, Any]) -> bool:
    version = record.get("format", FORMAT)
    return isinstance(version, int) and version > FORMAT


def decode_any(line: bytes) -> dict[str, Any] | None:
    """As `decode`, of whatever format."""
    data = line.strip(PADDING)
    try:
        try:
            record = orjson.loads(data)
        except orjson.JSONDecodeError:
            # The readers that take single fields look at no others' bytes: a line that they know is one here, too.
            record = orjson.loads(data.decode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


class BrokenLines:
    """Logs the broken lines of one pass: the first few with their place, then how many there were."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def note(self, offset: int, why: str) -> None:
        """One broken line that begins at byte `offset`."""
        self.count += 1
        if self.count <= _LOGGED_BROKEN_LINES:
            log.warning("%s: skipped the line at byte %d: %s", self.path, offset, why)

    def note_too_long(self, offset: int) -> None:
        """The same, of a line that was skipped for its length."""
        self.note(offset, f"longer than {MAX_LINE_BYTES:,} bytes")

    def read(self, lines: Iterable[tuple[int, bytes]], decode: Callable[[bytes], T | None], kind: str) -> Iterator[T]:
        """What `decode` makes of each (byte offset, line); what is not this `kind` (`a health record`) is noted."""
        for offset, line in lines:
            record = decode(line)
            if record is not None:
                yield record
            elif line.strip():
                self.note(offset, not_read(line, kind))

    def sum_up(self) -> None:
        """The end of the pass: how many lines were skipped, where not every one was logged."""
        if self.count > _LOGGED_BROKEN_LINES:
            log.warning("%s: skipped %d broken lines in all", self.path, self.count)


def holds(descriptor: int, size: int, is_record: Callable[[bytes], bool]) -> bool:
    """Whether an open file is, as far as can be seen, one of such records: a line of it is one, or it has none at all.

    Looked for in its first and last 8 MiB. A single torn line, of a crash at the first append, is none.
    """
    head = os.pread(descriptor, FIRST_BLOCK_BYTES, 0)
    is_torn = b"\n" not in head and head.startswith(b'{"')
    if is_torn or not head.strip(PADDING + b"\n"):
        return True
    # The first lines tell it nearly always; only a damaged beginning makes more worth reading.
    ranges = ((0, len(head)), (0, MAX_LINE_BYTES), (max(0, size - MAX_LINE_BYTES), MAX_LINE_BYTES))
    return any(
        any(is_record(line) for line in os.pread(descriptor, length, start).split(b"\n") if line)
        for start, length in ranges
    )


def find(descriptor: int, size: int, record: dict[str, Any], fields: Sequence[str]) -> dict[str, Any] | None:
    """The newest record with the values of `record` in these fields. Searches bytes, parses only candidates."""
    wanted = {name: record[name] for name in fields}
    # The longest value is the rarest one.
    needle = max((_encode_value(value) for value in wanted.values()), key=len)
    end = size
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        # Past `end`, so that a needle across two blocks is found in the earlier one.
        block = os.pread(descriptor, end - start + len(needle) - 1, start)
        hit = block.rfind(needle)
        while hit >= 0:
            line_start, line = _line_around(descriptor, size, start + hit)
            found = None if line is None else decode(line)
            if found is not None and all(found.get(name) == value for name, value in wanted.items()):
                return found
            hit = block.rfind(needle, 0, line_start - start) if line_start > start else -1
        end = start
    return None


def _encode_value(value: Any) -> bytes:
    """One value as it stands in a line."""
    return json.dumps(value, ensure_ascii=False).encode()


def line_start(descriptor: int, position: int, at_most: int) -> int:
    """Where the line that is read up to byte `position` starts; of one longer than `at_most`, a place within it."""
    start = position
    while start > 0 and position - start <= at_most:
        begin = max(0, start - FIRST_BLOCK_BYTES)
        newline = os.pread(descriptor, start - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        start = begin
    return start


def _line_around(descriptor: int, size: int, position: int) -> tuple[int, bytes | None]:
    """Where the line that holds byte `position` starts, and the line; None for one longer than MAX_LINE_BYTES."""
    start = line_start(descriptor, position, MAX_LINE_BYTES)
    line = b""
    while start + len(line) < size and len(line) <= MAX_LINE_BYTES:
        part = os.pread(descriptor, FIRST_BLOCK_BYTES, start + len(line))
        newline = part.find(b"\n")
        if newline >= 0:
            line += part[:newline]
            break
        line += part
    return start, line if len(line) <= MAX_LINE_BYTES else None
