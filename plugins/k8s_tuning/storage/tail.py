"""The one reader of a growing JSONL file: what its lines add up to, kept up by reading only what was appended since.

The result depends on the file's content alone, so several processes that read one file say the same. A file that was
replaced (retention), cut or written over is read again from its start. With a checkpoint a process goes on from where
another one came to.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from k8s_tuning.errors import StoreError
from k8s_tuning.storage import jsonl, private
from k8s_tuning.storage.jsonl import BrokenLines
from k8s_tuning.storage.lines import LineFile

log = logging.getLogger(__name__)

State = TypeVar("State")
Record = TypeVar("Record")
Answer = TypeVar("Answer")
# Adds whole lines, which begin at that byte, to the state; what is broken in them it notes.
AddBlock = Callable[[State, bytes, int, BrokenLines], None]

_ATTEMPTS = 5
# A checkpoint is written anew when so much has been read since.
_WORTH_SAVING_BYTES = 64 * 1024
# Of either end. Enough to tell one JSONL file from another: its lines carry timestamps and ids.
_MARK_BYTES = 4096


def by_line(read: Callable[[bytes], Record | None], add: Callable[[State, Record], None]) -> AddBlock[State]:
    """Adds lines one by one: `read(line)` returns a record, None for what is none."""

    def add_block(state: State, block: bytes, _begin: int, _broken: BrokenLines) -> None:
        for line in block.split(b"\n"):
            record = read(line) if line else None
            if record is not None:
                add(state, record)

    return add_block


class _Saved(msgspec.Struct):
    version: int
    format: int  # of the newest lines that were read: what knows a newer one has not skipped what this did
    inode: int
    offset: int
    mark: bytes
    state: msgspec.Raw


class TailReader(Generic[State]):
    """`start()` makes the state of an empty file; `add` brings whole lines into it.

    `version`: where it is given, the state, of types that MessagePack has, is kept beside the file as `FILE.state`: a
    cache that may be deleted at any time. One of another version is not read.
    `unfinished`: what stood behind the last whole line when it was read last. `broken`: the lines of this file that
    were skipped. Not thread-safe: its owner holds a lock. A file that is not there is an empty one.
    """

    def __init__(
        self,
        path: Path,
        start: type[State],
        add: AddBlock[State],
        *,
        version: int | None = None,
    ) -> None:
        self._lines = LineFile(path)
        self._start = start
        self._add = add
        self._version = version
        self._forget()

    def _forget(self) -> None:
        self._state = self._start()
        self.unfinished = b""
        self.broken = BrokenLines(self._lines.path)
        self._saved_offset = 0
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._mark = b""

    def state(self) -> State:
        """The state of the whole file as it is now; the caller must not change it. StoreError: it cannot be read."""
        for _ in range(_ATTEMPTS):
            file = self._identity()
            if file is None or file != self._file or not self._mark_stands():
                self._forget()
                self._file = file
                self._load()
            self._catch_up()
            # A rewrite meanwhile would mix two files: read again.
            if self._identity() == file:
                self._save()
                return self._state
            self._forget()
        raise StoreError(f"{self._lines.path}: is being replaced again and again; see which process rewrites it")

    def look_up(
        self, choose: Callable[[State], Iterable[tuple[int, int]]], read: Callable[[list[bytes]], Answer | None]
    ) -> Answer:
        """What `read` makes of the bytes at the (byte offset, length) pairs that `choose` finds in the state.

        `read` returns None where these are not the lines that it expects: the file was replaced or written over
        meanwhile, and is read afresh. StoreError where that happens again and again.
        """
        for _ in range(_ATTEMPTS):
            answer = read(list(self._lines.lines_at(choose(self.state()))))
            if answer is not None:
                return answer
            self._forget()
        raise StoreError(f"{self._lines.path}: is being rewritten again and again; see which process does")

    def _identity(self) -> tuple[int, int] | None:
        with self._lines.naming_faults("read"):
            try:
                found = self._lines.path.stat()
            except FileNotFoundError:
                return None
        return found.st_dev, found.st_ino

    def _mark_stands(self) -> bool:
        # An inode number is used again soon after a file was replaced: the bytes must be the same, too.
        return self._offset == 0 or _read_mark(self._lines, self._offset) == self._mark

    def _catch_up(self) -> None:
        before, self.unfinished = self._offset, b""
        skipped = self.broken.count
        for end, block in self._lines.blocks(self._offset, self.broken):
            if block and not block.endswith(b"\n"):
                self.unfinished = block
                break  # of a write under way, or of a crash: the next append settles which
            self._add(self._state, block, end - len(block), self.broken)
            self._offset = end
        if self.broken.count != skipped:
            self.broken.sum_up()
        if self._offset != before:
            self._mark = _read_mark(self._lines, self._offset)

    @property
    def _cache(self) -> Path:
        return Path(f"{os.path.realpath(self._lines.path)}.state")

    def _load(self) -> None:
        if self._version is None or self._file is None:
            return
        try:
            saved = msgspec.msgpack.decode(self._cache.read_bytes(), type=_Saved)
            # Not the device: it has another number on each host.
            if (saved.version, saved.format, saved.inode) != (self._version, jsonl.FORMAT, self._file[1]):
                return
            if not saved.offset or _read_mark(self._lines, saved.offset) != saved.mark:
                return
            self._state = msgspec.msgpack.decode(saved.state, type=self._start)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        self._offset = self._saved_offset = saved.offset
        self._mark = saved.mark

    def _save(self) -> None:
        if self._file is None or self._offset - self._saved_offset < _WORTH_SAVING_BYTES:
            return
        if self._write(self._file[1], self._offset, self._mark, self._state):
            self._saved_offset = self._offset

    def hand_over(self, state: State, file: Path, offset: int) -> None:
        """Make the checkpoint that of `file`, which is about to take this one's place: `state` of its first bytes."""
        if offset:
            self._write(file.stat().st_ino, offset, _read_mark(LineFile(file), offset), state)

    def _write(self, inode: int, offset: int, mark: bytes, state: State) -> bool:
        if self._version is None:
            return False
        saved = _Saved(self._version, jsonl.FORMAT, inode, offset, mark, msgspec.Raw(msgspec.msgpack.encode(state)))
        try:
            private.replace(self._cache, msgspec.msgpack.encode(saved), durable=False)
            return True
        except OSError as error:
            # A reader need not have the right to write; it only reads more the next time.
            log.debug("%s: not written: %s", self._cache, error.strerror)
            return False


def _read_mark(file: LineFile, offset: int) -> bytes:
    """A digest of the first and the last bytes before `offset`."""
    length = min(_MARK_BYTES, offset)
    ends = b"".join(file.lines_at([(0, length), (offset - length, length)]))
    return blake2b(ends, digest_size=16).digest()
