"""What the whole history says of each target, without reading the whole of it each time.

The file only grows, so counts up to some byte stay true: they are kept in `<file>.summary.json`, and a reader goes on
from there. That file is a cache: where it is missing, damaged, or of another file (inode, first and last bytes), the
counts are taken anew. Retention replaces the history, and with it what the cache is of.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import orjson

from k8s_tuning.errors import StoreError
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history import count as history_count
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord, Line, read_block, read_line
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex
from k8s_tuning.storage.append_log import Journal
from k8s_tuning.storage.jsonl import BrokenLines

log = logging.getLogger(__name__)

_VERSION = 2
_FINGERPRINT_BYTES = 4096
# Less than this is read again faster than a cache file is written.
_WORTH_SAVING_BYTES = 256 * 1024
_ATTEMPTS = 5


@dataclass
class TargetHistory(TargetIdentity):
    """One target's counts, and the records that its present state rests on (without their raw snapshots).

    `open_since`: the oldest of the unbroken run of non-OK records at its end; None while the newest is OK.
    """

    ok: int = 0
    warn: int = 0
    error: int = 0
    last: K8sHealthHistoryRecord | None = None
    previous: K8sHealthHistoryRecord | None = None
    open_since: K8sHealthHistoryRecord | None = None

    @property
    def total(self) -> int:
        """How many records the target has."""
        return self.ok + self.warn + self.error

    def summary(self) -> dict[str, Any]:
        """Counts by health and the newest record, as K8sHealthHistoryStore.summarize gives them."""
        return summary_of(self.ok, self.warn, self.error, self.last)


def summary_of(ok: int, warn: int, error: int, last: K8sHealthHistoryRecord | None) -> dict[str, Any]:
    """Counts by health and the newest record; what is not known is None."""
    return {
        "total_records": ok + warn + error,
        "ok_count": ok,
        "warn_count": warn,
        "error_count": error,
        "last_overall_health": last.overall_health if last else None,
        "last_timestamp": last.timestamp if last else None,
        "last_jobs_ok": last.jobs_ok if last else None,
        "last_jobs_warn": last.jobs_warn if last else None,
        "last_jobs_error": last.jobs_error if last else None,
    }


@dataclass
class Checkpoint:
    """All targets' state after the first `offset` bytes of one file, and how to know that file again."""

    inode: int
    offset: int = 0
    fingerprint: str = ""
    targets: list[TargetHistory] = field(default_factory=list)
    last: K8sHealthHistoryRecord | None = None
    version: int = _VERSION

    def copy(self) -> Checkpoint:
        """One whose counts can go on by themselves; the records are shared, for they never change."""
        return replace(self, targets=[replace(target) for target in self.targets])

    def index(self) -> TargetIndex[TargetHistory]:
        """What finds the target of a record."""
        return TargetIndex(TargetHistory, self.targets)


class HistoryState:
    """The state of every target in one history file, kept up with the file."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: Checkpoint | None = None

    def read(self) -> Checkpoint | None:
        """The state at the end of the file; None where there is none. StoreError where it cannot be read."""
        for _ in range(_ATTEMPTS):
            before = self._stat()
            if before is None:
                return None
            known = self._trusted(self._known, before) or self._trusted(self._load(), before)
            base = known or Checkpoint(before.st_ino)
            if known is None and (counted := self._count_at_once(before)) is not None:
                base = counted
            current = base.copy()
            whole = _fold_file(self._journal, current)
            after = self._stat()
            if after is not None and after.st_ino == before.st_ino:
                whole.fingerprint = self._fingerprint(whole.offset)
                if known is None or whole.offset - known.offset >= _WORTH_SAVING_BYTES:
                    self._save(whole)
                    self._known = whole
                return current
        raise StoreError(f"{self._journal.path}: replaced again and again while it was read; try again")

    def _stat(self) -> os.stat_result | None:
        try:
            return self._journal.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._journal.path}: cannot be read: {error.strerror or error}") from error

    def _count_at_once(self, before: os.stat_result) -> Checkpoint | None:
        counts = history_count.count_lines(self._journal.path, before.st_size)
        after = self._stat()
        if counts is None or after is None or (after.st_ino, after.st_size) != (before.st_ino, before.st_size):
            return None
        targets = _targets_of(counts)
        if targets is None:
            return None
        checkpoint = Checkpoint(before.st_ino, before.st_size, targets=targets)
        _find_ends(self._journal, checkpoint)
        return checkpoint

    def _trusted(self, known: Checkpoint | None, now: os.stat_result) -> Checkpoint | None:
        if known is None or known.version != _VERSION or known.inode != now.st_ino or known.offset > now.st_size:
            return None
        return known if known.fingerprint == self._fingerprint(known.offset) else None

    def _fingerprint(self, offset: int) -> str:
        """Of the first and the last bytes before `offset`: a record's time makes them the file's own."""
        digest = blake2b(digest_size=16)
        try:
            with self._journal.path.open("rb") as handle:
                digest.update(handle.read(min(_FINGERPRINT_BYTES, offset)))
                handle.seek(max(0, offset - _FINGERPRINT_BYTES))
                digest.update(handle.read(min(_FINGERPRINT_BYTES, offset)))
        except OSError:
            return "unreadable"
        return digest.hexdigest()

    @property
    def _cache(self) -> Path:
        return Path(f"{os.path.realpath(self._journal.path)}.summary.json")

    def _load(self) -> Checkpoint | None:
        try:
            return msgspec.json.decode(self._cache.read_bytes(), type=Checkpoint)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def _save(self, checkpoint: Checkpoint) -> None:
        if checkpoint.offset < _WORTH_SAVING_BYTES:
            return
        draft = self._cache.with_name(f".{self._cache.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            draft.write_bytes(orjson.dumps(checkpoint))
            draft.replace(self._cache)
        except OSError as error:
            # A reader need not have the right to write; it only reads more the next time.
            log.debug("%s: not written: %s", self._cache, error.strerror)


def _fold_file(journal: Journal, state: Checkpoint) -> Checkpoint:
    """Bring `state` from its offset to the file's end; a copy of it as it is without an unfinished last line."""
    targets = state.index()
    broken = BrokenLines(journal.path)
    whole = None
    for end, block in journal.blocks(state.offset, broken):
        if block and not block.endswith(b"\n"):
            whole = state.copy()
            tail = read_line(block)
            _fold(targets, state, [tail] if tail else [])
        else:
            _fold(targets, state, read_block(block, end - len(block), broken))
            state.offset = end
        state.targets = list(targets)
    broken.sum_up()
    return whole or state.copy()


def _fold(targets: TargetIndex[TargetHistory], state: Checkpoint, lines: list[Line]) -> None:
    ok = HealthLevel.OK
    warn = HealthLevel.WARN
    ends: dict[int, tuple[Line, Line | None, Line | None]] = {}
    met: dict[int, TargetHistory] = {}
    for line in lines:
        target = targets.of(*line.identity())
        key = id(target)
        met[key] = target
        health = line.overall_health
        last, _, since = ends.get(key, (None, None, None))
        if health is ok:
            target.ok += 1
            target.open_since = None
            ends[key] = line, last, None
            continue
        if health is warn:
            target.warn += 1
        else:
            target.error += 1
        ends[key] = line, last, since or (line if target.open_since is None else None)
    # Only now: a Line holds on to the block that it was read from.
    for key, (newest, before, opened) in ends.items():
        target = met[key]
        target.previous = before.record(with_snapshot=False) if before else target.last
        target.last = newest.record(with_snapshot=False)
        target.open_since = opened.record(with_snapshot=False) if opened else target.open_since
    if lines:
        state.last = lines[-1].record(with_snapshot=False)


def _targets_of(counts: dict[history_count.Identity, tuple[int, int, int]]) -> list[TargetHistory] | None:
    """Counted records by their targets; None where only the order of the lines says which is which."""
    targets = TargetIndex(TargetHistory)
    # Those that name no cluster first: where one cluster is named, they are its target's, whatever the order.
    for (namespace, selector, name, cluster), (ok, warn, error) in sorted(
        counts.items(), key=lambda item: (item[0][3] is not None, item[0][2] or "")
    ):
        target = targets.of(namespace, selector, name, cluster)
        target.ok, target.warn, target.error = target.ok + ok, target.warn + warn, target.error + error
    found = list(targets)
    if any(
        len(one.names) > 1 or (one.is_older and len(targets.alike(one.namespace, one.selector)) > 1) for one in found
    ):
        return None
    return found


def _find_ends(journal: Journal, state: Checkpoint) -> None:
    """Fill in the records that the counted targets' state rests on, from the end of the file backwards."""
    targets = state.index()
    waiting = {id(target): target for target in state.targets}
    seen: dict[int, int] = {}
    for offset, data in journal.lines_newest_first():
        line = read_line(data) if offset < state.offset else None
        if line is None:
            continue
        state.last = state.last or line.record(with_snapshot=False)
        target = targets.find(*line.identity())
        key = id(target)
        if target is None or key not in waiting:
            continue
        seen[key] = seen.get(key, 0) + 1
        is_open = target.last is None or target.open_since is not None
        if target.last is None:
            target.last = line.record(with_snapshot=False)
        elif target.previous is None:
            target.previous = line.record(with_snapshot=False)
        if is_open and line.overall_health is not HealthLevel.OK:
            target.open_since = line.record(with_snapshot=False)
        else:
            is_open = False
        if seen[key] == target.total or (target.previous is not None and not is_open):
            del waiting[key]
            if not waiting:
                return
