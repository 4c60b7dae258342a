"""What the whole history says of each target, without reading the whole of it each time (storage/tail.py)."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord, Line, read_block, read_line
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex
from k8s_tuning.storage.jsonl import BrokenLines
from k8s_tuning.storage.tail import TailReader


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


_SUMMARIZED = ("overall_health", "timestamp", "jobs_ok", "jobs_warn", "jobs_error")  # of the newest record


def summary_of(ok: int, warn: int, error: int, last: K8sHealthHistoryRecord | None) -> dict[str, Any]:
    """Counts by health and the newest record; what is not known is None."""
    return {
        "total_records": ok + warn + error,
        "ok_count": ok,
        "warn_count": warn,
        "error_count": error,
        **{f"last_{name}": getattr(last, name, None) for name in _SUMMARIZED},
    }


@dataclass
class HistoryState:
    """Every target's state, and the newest record of all."""

    targets: list[TargetHistory] = field(default_factory=list)
    last: K8sHealthHistoryRecord | None = None

    def index(self) -> TargetIndex[TargetHistory]:
        """What finds the target of a record."""
        return TargetIndex(TargetHistory, self.targets)

    def add_block(self, block: bytes, begin: int, broken: BrokenLines) -> None:
        """Add the records of a block of lines that begins at byte `begin`."""
        self.add(read_block(block, begin, broken))

    def add(self, lines: list[Line]) -> None:
        """Add records, in the order of the file."""
        if not lines:
            return
        index = self.index()
        targets = _targets_of(index, lines)
        by_id = dict(zip(map(id, targets), targets, strict=True))
        levels = [line.overall_health._value_ for line in lines]  # hashing a member of an Enum is Python code
        for (key, level), count in Counter(zip(map(id, targets), levels, strict=True)).items():
            name = level.lower()
            setattr(by_id[key], name, getattr(by_id[key], name) + count)
        # From the end: no more lines are looked at than the targets' present state rests on.
        open_ends = {key: _End() for key in by_id}
        for target, line in zip(reversed(targets), reversed(lines), strict=True):
            end = open_ends.get(id(target))
            if end is not None and end.is_whole_with(line):
                end.close(target)
                del open_ends[id(target)]
                if not open_ends:
                    break
        for key, end in open_ends.items():
            end.close(by_id[key], reaches_back=True)
        self.targets = list(index)
        self.last = lines[-1].record(with_snapshot=False)


class _End:
    """The end of one target's records within some lines, from the newest backwards."""

    def __init__(self) -> None:
        self.newest: list[Line] = []
        self.opened: Line | None = None
        self.is_ended = False  # an OK record was met, at which the run of non-OK ones ends

    def is_whole_with(self, line: Line) -> bool:
        """Add the next older record; whether no older one matters."""
        if len(self.newest) < 2:
            self.newest.append(line)
        if line.overall_health is HealthLevel.OK:
            self.is_ended = True
        elif not self.is_ended:
            self.opened = line
        return self.is_ended and len(self.newest) == 2

    def close(self, target: TargetHistory, *, reaches_back: bool = False) -> None:
        """Make it the end of the target. `reaches_back`: these lines have no older record of it."""
        last, previous = self.newest[0], self.newest[1] if len(self.newest) > 1 else None
        target.previous = previous.record(with_snapshot=False) if previous else target.last
        target.last = last.record(with_snapshot=False)
        if reaches_back and not self.is_ended and target.open_since is not None:
            return
        # A record of its own: a Line holds on to the block that it was read from.
        target.open_since = self.opened.record(with_snapshot=False) if self.opened else None


_IDENTITY = attrgetter("namespace", "selector", "target", "cluster")


def _targets_of(index: TargetIndex[TargetHistory], lines: list[Line]) -> list[TargetHistory]:
    """The target of each line. Where no identity changes a target, each is looked up once."""
    identities = list(map(_IDENTITY, lines))
    try:
        settled = {one: index.find_settled(*one) for one in dict.fromkeys(identities)}
    except TypeError:  # a name that is a list: absent, as Line.identity says
        settled = {}
    known = {one: target for one, target in settled.items() if target is not None}
    if settled and len(known) == len(settled):
        return [known[one] for one in identities]
    return [index.of(*line.identity()) for line in lines]


# Raised where a state of the version before would be read wrongly.
STATE_VERSION = 1


def read_state(reader: TailReader[HistoryState]) -> HistoryState:
    """The state at the end of the file, a last line that lacks its newline alone included; StoreError where it cannot
    be read. It is the caller's own, but for the records, which nobody changes.
    """
    state = reader.state()
    state = HistoryState([copy(target) for target in state.targets], state.last)
    line = read_line(reader.unfinished)
    if line is not None:
        state.add([line])
    return state
