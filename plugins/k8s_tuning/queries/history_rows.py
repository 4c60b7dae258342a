"""What a history file adds up to for the page: every target's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from k8s_tuning.queries import times
from k8s_tuning.queries.columns import UNKNOWN, GrowingRows, Indices, Rows
from k8s_tuning.queries.view_models import Level
from k8s_tuning.stages.health.evaluate import HealthLevel
from k8s_tuning.stages.history.record import Line, read_block, read_line
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex
from k8s_tuning.storage.jsonl import BrokenLines

LEVELS: tuple[Level, ...] = ("OK", "WARN", "ERROR")
# By the value: hashing a member of an Enum is Python code, and this is asked a million times.
_NUMBERS = {level.value: LEVELS.index(level.value) for level in HealthLevel}
_NO_COUNTS = (UNKNOWN, UNKNOWN, UNKNOWN)


class _Numbers(dict[str | None, int]):
    """A number for each name, in the order in which they come."""

    def __missing__(self, name: str | None) -> int:
        self[name] = len(self)
        return self[name]


@dataclass
class TargetRows(TargetIdentity):
    """One target's rows, as they grow."""

    growing: GrowingRows = field(default_factory=GrowingRows)


class HistoryRows:
    """The rows of each target. `names`: the targets' names, by their numbers."""

    def __init__(self) -> None:
        self.targets = TargetIndex(TargetRows)
        self.names = _Numbers()

    def rows(self, where: TargetIdentity) -> Rows:
        """A target's, in the order of time; none for one that was never recorded."""
        found = self.targets.find(where.namespace, where.selector, None, where.cluster)
        return found.growing.rows() if found else Rows.room(0)

    def recorded(self) -> list[TargetRows]:
        """Every target with a row."""
        return [one for one in self.targets if len(one.growing.rows())]


def add_block(history: HistoryRows, block: bytes, begin: int, broken: BrokenLines) -> None:
    """Add whole lines that begin at byte `begin`."""
    lines = read_block(block, begin, broken)
    if not lines:
        return
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    if len(lines) < len(ends):
        is_record = np.array([read_line(line) is not None for line in block.split(b"\n")[:-1]])
        starts, ends = starts[is_record], ends[is_record]
    rows = _rows(history, lines, starts + begin, ends - starts)
    found = [history.targets.of(*line.identity()) for line in lines]
    targets = {id(target): target for target in found}
    numbers = {key: number for number, key in enumerate(targets)}
    of_target = np.array([numbers[id(target)] for target in found])
    for key, number in numbers.items():
        targets[key].growing.add(rows[np.flatnonzero(of_target == number)])


def _rows(history: HistoryRows, lines: list[Line], offsets: Indices, lengths: Indices) -> Rows:
    counts = np.array([line.counts() or _NO_COUNTS for line in lines], np.int64)
    return Rows(
        at=times.read([line.timestamp for line in lines]),
        health=np.array([_NUMBERS[line.overall_health._value_] for line in lines], np.int8),
        ok=counts[:, 0],
        warn=counts[:, 1],
        error=counts[:, 2],
        offset=offsets.astype(np.int64),
        length=lengths.astype(np.int32),
        run=np.array(list(map(hash, _texts([line.run_id for line in lines]))), np.int64),
        name=np.array([history.names[line.identity()[2]] for line in lines], np.int32),
    )


def _texts(raws: Sequence[msgspec.Raw]) -> list[str | None]:
    """Optional fields' values: None for what is no text, as in K8sHealthHistoryRecord."""
    try:
        values = msgspec.json.decode(b"[" + b",".join(raws) + b"]")
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        values = [_text(raw) for raw in raws]
    return [value if isinstance(value, str) else None for value in values]


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
