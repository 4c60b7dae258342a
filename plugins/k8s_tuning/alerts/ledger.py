"""The ledger: one JSON line for every decision and every attempt, on the volume that holds the history."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from k8s_tuning import timestamps
from k8s_tuning.alerts import ledger_retention
from k8s_tuning.alerts.ledger_line import LedgerLine, read_block, read_line
from k8s_tuning.alerts.ledger_state import STATE_VERSION, LedgerState, LedgerStates, add_block
from k8s_tuning.errors import InputError
from k8s_tuning.storage import locks, private
from k8s_tuning.storage.append_log import AppendLog, Kind
from k8s_tuning.storage.jsonl import BrokenLines
from k8s_tuning.storage.tail import TailReader


class Ledger:
    """One ledger file, safe for many processes. StoreError where it cannot be read or written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        kind = Kind("ledger of alerts", frozenset({"at", "decision", "outcome"}))
        self._log = AppendLog(self.path, kind, private.FILE_MODE)
        self._reader = TailReader(self.path, LedgerStates, add_block, version=STATE_VERSION)

    def lines(self) -> Iterator[LedgerLine]:
        """Every line, oldest first; what is no ledger line is skipped, and logged with its place."""
        broken = BrokenLines(self.path)
        for end, block in self._log.blocks(broken=broken):
            yield from (line for line, _, _ in read_block(block, end - len(block), broken))
        broken.sum_up()

    def newest_first(self) -> Iterator[LedgerLine]:
        """Every line, newest first."""
        broken = BrokenLines(self.path)
        for offset, data in self._log.lines_newest_first(broken):
            yield from (line for line, _, _ in read_block(data, offset, broken))
        broken.sum_up()

    def state(self, *, dry_run: bool = False) -> LedgerState:
        """What the lines add up to. Without `dry_run`, what was only shown counts for nothing.

        Only the lines since the last checkpoint are read (`FILE.state`, beside the ledger): however long it is, this
        takes no longer. The caller must not change it.
        """
        states = self._reader.state()
        # Whole but for its newline, as a crash leaves it: it was written before the crash, and counts.
        tail = read_line(self._reader.unfinished)
        if tail is not None:
            states = copy.deepcopy(states)
            states.add(tail)
        return states.shown if dry_run else states.real

    def append(self, lines: Iterable[LedgerLine]) -> None:
        """Write lines, each durably and whole."""
        for line in lines:
            self._log.append(line.record())

    def check(self) -> None:
        """Whether lines can be written now, by all that can be known before. StoreError, InputError: why not."""
        self._log.check_writable()

    @contextlib.contextmanager
    def planning(self) -> Iterator[None]:
        """While one run reads the state and writes its decisions, no other does."""
        self.state()  # where there is no checkpoint: what takes long is done before others are made to wait
        lock = Path(f"{os.path.realpath(self.path)}.planning.lock")
        busy = f"{self.path}: another run has been planning for {locks.WAIT_SECONDS:.0f} s; see which holds {lock}"
        with locks.held(lock, busy, self._log.naming_faults("locked")):
            yield

    def prune(self, max_age_days: float, now: str) -> int:
        """Drop lines older than that; how many. Others write, plan and send meanwhile.

        An incident's lines go all together: half of them would tell another story (a firing without its resolve). Of
        one that lasts, is pending, or has younger lines, only those old decisions go that nothing rests on. What is no
        line of the ledger stays.
        """
        if not max_age_days > 0:
            raise InputError(f"max_age_days: {max_age_days!r} is not a number of days above 0")
        oldest = timestamps.later(now, days=-max_age_days)
        states = LedgerStates()

        def past(end: int) -> Iterator[tuple[int, int]]:
            nonlocal states
            states = LedgerStates()
            return ledger_retention.past(self._log, oldest, end, states)

        # With its checkpoint, so that no run has to read the new file from its start.
        return self._log.leave_out(past, lambda draft, end: self._reader.hand_over(states, draft, end))
