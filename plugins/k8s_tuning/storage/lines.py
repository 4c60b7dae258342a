"""A JSONL file, read: whole lines, from either end or from any byte, without a lock and without holding the file.

A reader skips what is broken with a warning that names the place, and holds at most one line and one block in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from k8s_tuning.errors import StoreError
from k8s_tuning.storage import jsonl
from k8s_tuning.storage.jsonl import BrokenLines, decode, split


class LineFile:
    """One JSONL file. It need not exist: reading it then yields nothing. StoreError where it cannot be read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def newest_first(self) -> Iterator[dict[str, Any]]:
        """The records from the last to the first, read as they are asked for; broken lines are skipped and logged."""
        broken = BrokenLines(self.path)
        yield from broken.read(self.lines_newest_first(broken), decode, "a JSON object")
        broken.sum_up()

    def lines(self, broken: BrokenLines | None = None, end: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(byte offset, line without its newline) to byte `end`, as `blocks` reads them; empty lines are left out."""
        for stop, block in self.blocks(broken=broken, end=end):
            yield from split(block, stop - len(block))

    def lines_newest_first(self, broken: BrokenLines | None = None) -> Iterator[tuple[int, bytes]]:
        """(byte offset, line without its newline) from the end of the file; too long ones are skipped."""
        with self.opened() as descriptor:
            if descriptor is None:
                return
            broken = broken or BrokenLines(self.path)
            position = end = os.fstat(descriptor).st_size
            held = b""  # of the line whose start is not reached yet and that ends at `end`; nothing of one too long
            length = jsonl.FIRST_BLOCK_BYTES
            while position > 0:
                begin = max(0, position - length)
                first, *lines = os.pread(descriptor, position - begin, begin).split(b"\n")
                for line in reversed(lines):
                    position -= len(line)
                    if end - position > jsonl.MAX_LINE_BYTES:
                        broken.note_too_long(position)
                    else:
                        yield position, line + held
                    position -= 1
                    held, end = b"", position
                position = begin
                held = first + held if end - position <= jsonl.MAX_LINE_BYTES else b""
                length = jsonl.BLOCK_BYTES
            if end > jsonl.MAX_LINE_BYTES:
                broken.note_too_long(0)
            elif end:
                yield 0, held

    def blocks(
        self, start: int = 0, broken: BrokenLines | None = None, end: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """(end offset, whole lines with their newlines) from byte `start`, which must begin a line, to byte `end`,
        which must end one; None: to the end of the file.

        The last block holds the torn tail alone, without a newline, where there is one. A line longer than
        jsonl.MAX_LINE_BYTES is left out: its end offset comes with an empty block.
        """
        with self.opened() as descriptor:
            if descriptor is None:
                return
            broken = broken or BrokenLines(self.path)
            position = begun = start
            held = b""  # of the unfinished line, which begins at `begun`; nothing of one too long
            length = jsonl.BLOCK_BYTES
            while data := os.pread(descriptor, length if end is None else min(length, end - position), position):
                first, cut = data.find(b"\n") + 1, data.rfind(b"\n") + 1
                if cut:
                    whole = held + data[:cut]
                    if position + first - 1 - begun > jsonl.MAX_LINE_BYTES:
                        broken.note_too_long(begun)
                        yield position + first, b""
                        whole = data[first:cut]
                    if whole:
                        yield position + cut, whole
                    begun, held = position + cut, b""
                position += len(data)
                held = held + data[cut:] if position - begun <= jsonl.MAX_LINE_BYTES else b""
            if position - begun > jsonl.MAX_LINE_BYTES:
                broken.note_too_long(begun)
            elif held:
                yield position, held

    def lines_at(self, spans: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        """The bytes at each (byte offset, length), all of one file even where it is replaced meanwhile.

        Fewer bytes where the file ends, none where it is not there.
        """
        with self.opened() as descriptor:
            for offset, length in spans:
                yield b"" if descriptor is None else os.pread(descriptor, length, offset)

    @contextlib.contextmanager
    def opened(self) -> Iterator[int | None]:
        """The file, open for reading; None where there is none."""
        with self.naming_faults("read"):
            try:
                # O_NONBLOCK: a FIFO in the file's place must not hang the reader.
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                yield None
                return
            try:
                # A FIFO has size 0 and would read as an empty history; a folder and a device likewise.
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise StoreError(f"{self.path}: not a regular file; name a file, not a folder, pipe or device")
                yield descriptor
            finally:
                close(descriptor)

    @contextlib.contextmanager
    def naming_faults(self, done: str) -> Iterator[None]:
        """Make an OSError a StoreError that names the file, what could not be `done`, and the cure."""
        try:
            yield
        except OSError as error:
            cure = {
                errno.EACCES: "; give this user read and write permission on the file and its folder",
                errno.EPERM: "; give this user read and write permission on the file and its folder",
                errno.EROFS: "; mount the volume for writing",
                errno.ENOSPC: "; free space on the volume (nothing was half-written)",
                errno.EDQUOT: "; free space or raise the quota (nothing was half-written)",
                errno.EISDIR: "; name a file, not a folder",
                errno.EEXIST: "; its folder's path goes through a file",
                errno.ENOTDIR: "; its folder's path goes through a file",
            }.get(error.errno or 0, "")
            raise StoreError(f"{self.path}: cannot be {done}: {error.strerror or error}{cure}") from error


def close(descriptor: int) -> None:
    """Close; after fsync a failing close says nothing of what is on disk."""
    with contextlib.suppress(OSError):
        os.close(descriptor)
