"""Which lines of the ledger are past their time, and which stay in spite of that."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from k8s_tuning.alerts.ledger_line import read_line
from k8s_tuning.alerts.ledger_state import LedgerStates
from k8s_tuning.alerts.reason import DECIDED, Reason
from k8s_tuning.storage.append_log import AppendLog
from k8s_tuning.storage.jsonl import BrokenLines

# Decisions that change nothing: the newest of an incident says as much as all of them.
_IDLE = frozenset(one for one in Reason if not one.sends and not one.closes) - {Reason.ACKNOWLEDGED, Reason.ELSEWHERE}


def past(log: AppendLog, oldest: str, end: int, states: LedgerStates) -> Iterator[tuple[int, int]]:
    """(begin, end) in bytes of the lines that may go, within the first `end` bytes; `oldest`: a timestamp.

    `states`, which come empty, take in all of these lines. What is kept adds up to the same: that is the rule here.
    The file is parsed once; of a line only its place, its incident and whether it is idle are kept (13 bytes).
    """
    numbers: dict[str, int] = {}
    young: set[int] = set()
    # As each of the states sees it, for what was only shown is in one of them alone:
    newest: dict[tuple[int, str, str, bool], int] = {}  # the last decision of each incident for each channel
    last: dict[tuple[int, bool], tuple[str | None, ...]] = {}  # what an incident's last line says of all of it
    begins, incidents, idle = array("q"), array("l"), bytearray()
    ends = array("q")
    broken = BrokenLines(log.path)
    for stop, block in log.blocks(broken=broken, end=end):
        offset = stop - len(block)
        for data in block.split(b"\n"):
            begin, offset = offset, offset + len(data) + 1
            line = read_line(data) if data else None
            if line is None:
                continue
            states.add(line)
            incident = numbers.setdefault(line.incident_id, len(numbers))
            views = (False, True) if not line.dry_run else (True,)
            # A line that says since when an incident has its severity, or whose it is, is not idle.
            said = (line.severity, line.target, line.cluster)
            changed = any(last.get((incident, shown)) != said for shown in views)
            for shown in views:
                last[incident, shown] = said
                if line.outcome in DECIDED:
                    newest[incident, line.receiver, line.channel, shown] = begin
            if line.at < oldest:
                begins.append(begin)
                ends.append(offset)
                incidents.append(incident)
                idle.append(line.decision in _IDLE and line.incident is None and not changed)
            else:
                young.add(incident)
    broken.sum_up()
    needed = young | {numbers[name] for state in (states.real, states.shown) for name in state.incidents}
    rests_on = set(newest.values())
    for begin, stop, incident, is_idle in zip(begins, ends, incidents, idle, strict=True):
        if incident not in needed or (is_idle and begin not in rests_on):
            yield begin, stop
