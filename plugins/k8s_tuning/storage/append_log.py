"""One JSONL file that several processes on several machines append to: whole lines, once, none lost.

Writers hold the lock of the sibling `<file>.lock` (locks.py), then write a line with one write and fsync it.

A crash while writing costs at most the line being written: the next append sees that the file does not end with a
newline and starts on a line of its own. Readers take no lock.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.storage import jsonl, locks
from k8s_tuning.storage.jsonl import decode, decode_any, encode
from k8s_tuning.storage.lines import LineFile, close

log = logging.getLogger(__name__)

Find = Callable[[Sequence[str]], dict[str, Any] | None]

_ATTEMPTS = 5
_NEEDED_BYTES = 1024 * 1024
# Of a file that is being written beside the one that it will replace; one that stays behind is of a crash.
DRAFT_SUFFIX = ".rewrite"


@dataclass(frozen=True)
class Kind:
    """What a file holds: its name in words (`history`), and fields that all its records have, damaged ones too."""

    name: str
    fields: frozenset[str]

    def is_one(self, line: bytes) -> bool:
        """Whether a line is of this kind."""
        record = decode_any(line)  # a newer format's too: during an upgrade both are written
        return record is not None and self.fields <= record.keys()


class AppendLog(LineFile):
    """One JSONL file. The first append makes it and its folders.

    `kind`: what it holds; nothing is then written into a file that holds something else. `mode`: of a file that is
    made, less the umask.
    """

    def __init__(self, path: str | Path, kind: Kind | None = None, mode: int = 0o666) -> None:
        super().__init__(path)
        self._kind = kind
        self._mode = mode
        self._checked: tuple[int, int] | None = None

    def append(
        self, record: Mapping[str, Any], *, unless: Callable[[Find], dict[str, Any] | None] | None = None
    ) -> tuple[dict[str, Any], bool]:
        """Write `record` as one line, durably; the record as it stands in the file, and whether it is new.

        `unless` is asked under the writers' lock: where it returns a record, nothing is written and that record is
        returned. It is given a function from names of fields to the newest record in the file that has the values of
        `record` in all of them, None where there is none. StoreError where the file cannot be written; the file is
        then as it was. InputError where it is a file of another kind. Whatever fails once the line is on disk fails
        no append.
        """
        self.check()
        line = encode(record)
        stored: dict[str, Any] = decode(line) or {}
        with self._locked(), self.naming_faults("written to"):
            for _ in range(_ATTEMPTS):
                descriptor = self._open_for_append()
                try:
                    size = os.fstat(descriptor).st_size
                    if unless and (existing := unless(partial(jsonl.find, descriptor, size, stored))) is not None:
                        return existing, False
                    torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
                    if torn:
                        log.warning(
                            "%s: the line before byte %d is torn; the next one starts on its own line", self.path, size
                        )
                    _write_whole(descriptor, b"\n" + line if torn else line, size)
                    # Renamed meanwhile (logrotate), the line is on disk in the renamed file. Deleted, it is nowhere.
                    if os.fstat(descriptor).st_nlink:
                        return stored, True
                finally:
                    close(descriptor)
        raise StoreError(f"{self.path}: deleted again and again while it was written to; see which process does so")

    def check(self) -> None:
        """Refuse a file that holds something else: InputError. StoreError where it cannot be read, or is no file."""
        with self.opened() as descriptor:
            if descriptor is None or self._kind is None:
                return
            state = os.fstat(descriptor)
            if (state.st_dev, state.st_ino) == self._checked:
                return
            if not jsonl.holds(descriptor, state.st_size, self._kind.is_one):
                raise InputError(
                    f"{self.path}: is no {self._kind.name}, for no line of it is a record of one; nothing was written. "
                    "Name another file"
                )
            self._checked = state.st_dev, state.st_ino

    def leave_out(
        self,
        spans: Callable[[int], Iterable[tuple[int, int]]],
        before: Callable[[Path, int], object] = lambda _draft, _end: None,
    ) -> int:
        """Replace the file by itself without some lines, atomically; how many.

        `spans(end)` gives them as (begin, end) in bytes, in order, within the first `end` bytes of the file; it may
        read this file. All else stays, to the byte. Writers go on meanwhile: what they append while the new file is
        written is added to it under their lock, which is held for that alone. A reader that has the old file open goes
        on seeing all of it. `before(draft, end)` is called when the new file is about to take the old one's place:
        where it is, and where what is left of the first `end` bytes ends in it. StoreError where the new file cannot
        be written; the old one then stands.
        """
        real = Path(os.path.realpath(self.path))
        for _ in range(_ATTEMPTS):
            draft = real.with_name(f".{real.name}.{secrets.token_hex(8)}{DRAFT_SUFFIX}")
            try:
                with self.opened() as source, self.naming_faults("rewritten"):
                    if source is None:
                        return 0
                    size = os.fstat(source).st_size
                    end = jsonl.line_start(source, size, size)  # where the last whole line ends
                    dropped = iter(spans(end))
                    first = next(dropped, None)
                    if first is None:
                        return 0
                    with draft.open("wb", buffering=0) as handle:
                        state = os.fstat(source)
                        os.fchmod(handle.fileno(), stat.S_IMODE(state.st_mode))
                        with contextlib.suppress(PermissionError):
                            os.fchown(handle.fileno(), -1, state.st_gid)
                        left_out = _copy_without(source, handle.fileno(), itertools.chain([first], dropped), end)
                        os.fsync(handle.fileno())
                        if self._put_in_place(source, handle.fileno(), draft, real, end, before):
                            return left_out
            finally:
                draft.unlink(missing_ok=True)
        raise StoreError(f"{self.path}: is being replaced again and again; see which process rewrites it")

    def _put_in_place(
        self, source: int, target: int, draft: Path, real: Path, end: int, before: Callable[[Path, int], object]
    ) -> bool:
        """Add what was appended past `end`, and let the draft take the file's name; False where it is another now."""
        with self._locked():
            ours = os.fstat(source)
            try:
                there = real.stat()
            except FileNotFoundError:
                return False
            if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) or ours.st_size < end:
                return False
            kept = os.fstat(target).st_size
            _copy(source, target, end, ours.st_size)
            os.fsync(target)
            before(draft, kept)
            draft.replace(real)
            _sync_folder(real.parent)
            return True

    def check_writable(self) -> None:
        """Whether a line could be appended now, by all that can be known before: StoreError or InputError says why not.

        For what must not be done where it could not be written down.
        """
        self.check()
        with self._locked(), self.naming_faults("written to"):
            close(self._open_for_append())
            free = os.statvfs(self.path)
            if free.f_bavail * free.f_frsize < _NEEDED_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _locked(self) -> AbstractContextManager[None]:
        # The real path: two links to one file must meet at one lock.
        lock = Path(f"{os.path.realpath(self.path)}.lock")
        return locks.held(lock, locks.busy(self.path, lock), self.naming_faults("locked"))

    def _open_for_append(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            descriptor = os.open(self.path, flags | os.O_CREAT, self._mode)
        try:
            # Before the line: where the name cannot be made to last, nothing has been written yet.
            _sync_folder(self.path.parent)
        except OSError:
            close(descriptor)
            raise
        return descriptor


def _write_whole(descriptor: int, line: bytes, size: int) -> None:
    """All of `line` at the end and on disk, or nothing: a write that fails is cut off again."""
    try:
        written = os.write(descriptor, line)
        if written < len(line):
            # The rest says why (a full disk gives its error now), or ends the line.
            while written < len(line):
                written += os.write(descriptor, line[written:])
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):  # what stays is a torn tail, which the next append isolates
            os.ftruncate(descriptor, size)
        raise


def _copy_without(source: int, target: int, spans: Iterable[tuple[int, int]], end: int) -> int:
    """Copy the first `end` bytes but for the spans; how many those were."""
    position = left_out = 0
    for begin, stop in spans:
        _copy(source, target, position, begin)
        position = stop
        left_out += 1
    _copy(source, target, position, end)
    return left_out


def _copy(source: int, target: int, begin: int, end: int) -> None:
    while begin < end:
        data = os.pread(source, min(jsonl.BLOCK_BYTES, end - begin), begin)
        if not data:
            raise OSError(errno.EIO, "the file was cut while it was copied")
        begin += len(data)
        while data:
            data = data[os.write(target, data) :]


def _sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no fsync for folders; their server writes the name at once.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
