"""What a growing JSONL file adds up to, brought up to date by reading only what was appended since the last time.

The result depends on the file's content alone, so several processes that read one file tell the same. A file that was
replaced (retention), cut or written over is read again from its start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from k8s_tuning.errors import StoreError
from k8s_tuning.journal import Journal

State = TypeVar("State")
Record = TypeVar("Record")
AddBlock = Callable[[State, bytes, int], None]

# Enough to tell one JSONL file from another: its lines carry timestamps and ids.
_MARK_BYTES = 256


def by_line(read: Callable[[bytes], Record | None], add: Callable[[State, Record], None]) -> AddBlock[State]:
    """Takes lines in one by one: `read(line)` gives a record, None for what is none."""

    def add_block(state: State, block: bytes, _begin: int) -> None:
        for line in block.split(b"\n"):
            record = read(line) if line else None
            if record is not None:
                add(state, record)

    return add_block


class Fold(Generic[State]):
    """`start()` makes the state of an empty file; `add(state, block, begin)` takes in whole lines from byte `begin`.

    Not thread-safe: its owner holds a lock. A file that is not there is an empty one.
    """

    def __init__(self, path: Path, start: Callable[[], State], add: AddBlock[State]) -> None:
        self._journal = Journal(path)
        self._start = start
        self._add = add
        self._forget()

    def _forget(self) -> None:
        self._state = self._start()
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._mark = b""

    def state(self) -> State:
        """The state of the whole file as it is now; the caller must not change it. StoreError: it cannot be read."""
        for _ in range(5):
            file = self._identity()
            if file is None or file != self._file or not self._mark_stands():
                self._forget()
                self._file = file
            self._catch_up()
            # A rewrite between the two looks would mix two files: look again.
            if self._identity() == file:
                return self._state
            self._forget()
        raise StoreError(f"{self._journal.path}: is being replaced again and again; see which process rewrites it")

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._journal.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._journal.path}: cannot be read: {error.strerror or error}") from error
        return found.st_dev, found.st_ino

    def _mark_stands(self) -> bool:
        # An inode number is used again soon after a file was replaced: the bytes must be the same, too.
        return self._offset == 0 or self._read_mark(self._offset) == self._mark

    def _read_mark(self, offset: int) -> bytes:
        begin = max(0, offset - _MARK_BYTES)
        try:
            descriptor = os.open(self._journal.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise StoreError(f"{self._journal.path}: cannot be read: {error.strerror or error}") from error
        try:
            return os.pread(descriptor, offset - begin, begin)
        except OSError as error:
            raise StoreError(f"{self._journal.path}: cannot be read: {error.strerror or error}") from error
        finally:
            os.close(descriptor)

    def _catch_up(self) -> None:
        before = self._offset
        for end, block in self._journal.blocks(self._offset):
            if block and not block.endswith(b"\n"):
                break  # the tail of a write under way, or of a crash: the next append settles which
            self._add(self._state, block, end - len(block))
            self._offset = end
        if self._offset != before:
            self._mark = self._read_mark(self._offset)
