"""Which lines of the ledger are past their time, and which stay in spite of that."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from k8s_tuning.alerts.ledger_line import IDLE, read_line
from k8s_tuning.alerts.ledger_state import LedgerStates
from k8s_tuning.journal import Journal
from k8s_tuning.jsonl import BrokenLines


def past(journal: Journal, oldest: str, end: int, states: LedgerStates) -> Iterator[tuple[int, int]]:
    """(begin, end) in bytes of the lines that may go, within the first `end` bytes; `oldest`: a timestamp.

    `states`, which come empty, take in all of these lines. What is kept adds up to the same: that is the rule here.
    The file is parsed once; of a line only its place, its incident and whether it is idle are kept (13 bytes).
    """
    numbers: dict[str, int] = {}
    young: set[int] = set()
    newest: dict[int, int] = {}  # the last line of each incident
    severities: dict[tuple[int, bool], str] = {}  # the last of each incident, as each of the states sees it
    begins, incidents, idle = array("q"), array("l"), bytearray()
    ends = array("q")
    broken = BrokenLines(journal.path)
    for stop, block in journal.blocks(broken=broken, end=end):
        offset = stop - len(block)
        for data in block.split(b"\n"):
            begin, offset = offset, offset + len(data) + 1
            line = read_line(data) if data else None
            if line is None:
                continue
            states.add(line)
            incident = numbers.setdefault(line.incident_id, len(numbers))
            newest[incident] = begin
            # A line that says since when an incident has its severity is not idle.
            views = [(incident, shown) for shown in (False, True) if shown or not line.dry_run]
            changed = any(severities.get(view) != line.severity for view in views)
            severities.update(dict.fromkeys(views, line.severity))
            if line.at < oldest:
                begins.append(begin)
                ends.append(offset)
                incidents.append(incident)
                idle.append(line.decision in IDLE and line.incident is None and not changed)
            else:
                young.add(incident)
    broken.sum_up()
    needed = young | {numbers[name] for state in (states.real, states.shown) for name in state.incidents}
    for begin, stop, incident, is_idle in zip(begins, ends, incidents, idle, strict=True):
        if incident not in needed or (is_idle and newest[incident] != begin):
            yield begin, stop
