"""The alerts' ledger, asked: which messages were to go to whom, what became of them, what was said, and of what."""

from __future__ import annotations

import bisect
import math
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path

from k8s_tuning.alerts.ledger_line import LedgerLine, read_line
from k8s_tuning.alerts.reason import DELIVERED, Result
from k8s_tuning.queries import times
from k8s_tuning.queries.ledger_entries import Entry
from k8s_tuning.queries.ledger_rows import LedgerRows, NotifiedTarget, add_block
from k8s_tuning.queries.paging import search
from k8s_tuning.queries.view_models import Alert, AlertRow, Alerts, Attempt, NoticeBrief, ViewModel
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.storage.tail import TailReader


class LedgerIncident(ViewModel):
    """One incident of a target as the ledger knows it. `severity`: the worst that a decision about it held.

    `over_at`: when it ended, None while it lasts. `reasons`: each with the most Jobs that had it at once. `cause`: the
    newest Kubernetes warning that was reported with it, where there was one. `notices`: newest first. `dry_run`: only
    dry runs have seen it.
    """

    id: str
    started_at: str
    over_at: str | None
    is_open: bool
    severity: str
    cause: str | None
    reasons: dict[str, int]
    target: str | None
    notices: list[NoticeBrief]
    dry_run: bool = False


class LedgerIndex:
    """One ledger file; keep one a process: each call reads only what was appended since the last.

    An entry is a message to a channel with all that became of it, or a decision against one; they stand in the order in
    which the ledger first names them. `since` and `until` are seconds since the epoch, infinite ones allowed; what lies
    on either is within. Safe for threads. A file that is not there is empty; StoreError where it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reader = TailReader(self.path, LedgerRows, add_block)
        self._lock = threading.Lock()

    def alerts(
        self,
        *,
        target: str | None = None,
        channel: str | None = None,
        decision: str | None = None,
        outcome: str | None = None,
        namespace: str | None = None,
        selector: str | None = None,
        cluster: str | None = None,
        run_id: str | None = None,
        incident_id: str | None = None,
        since: float | None = None,
        until: float | None = None,
        q: str | None = None,
        quiet: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> Alerts:
        """The entries that pass every filter, newest first, from the `offset`th on, at most `limit`.

        `target`, `channel`, `decision`, `outcome`: one of the answer's values for it. `since`, `until`: of the
        decision. `q`: words, each somewhere in an entry's texts. Decisions against a message come every few minutes
        while an incident lasts: without `quiet` they are left out, unless `decision` or `outcome` asks for them.
        """
        first = "" if since is None else _timestamp(since, math.ceil)
        last = "" if until is None else _timestamp(until, math.floor)
        with self._lock:
            rows = self._reader.state()
            found = rows.entries if quiet or decision or outcome == Result.NOT_SENT else rows.loud
            subjects = {
                one
                for one in rows.subjects.values()
                if (not target or one.label == target)
                and (not namespace or one.namespace == namespace)
                and (selector is None or one.selector == selector)
                and (not cluster or one.cluster in (None, cluster))
            }
            filters: list[tuple[object, Callable[[Entry], bool]]] = [
                (decision, lambda one: one.decision == decision),
                (outcome, lambda one: one.outcome == outcome),
                (
                    target or namespace or selector is not None or cluster,
                    lambda one: not subjects.isdisjoint(one.subjects),
                ),
                (channel, lambda one: channel in (one.label, one.channel)),
                (run_id, lambda one: one.run_id == run_id),
                (incident_id, lambda one: incident_id in one.incident_ids),
                (first, lambda one: one.decided_at >= first),
                (last, lambda one: one.decided_at <= last),
            ]
            for is_asked, passes in filters:
                found = list(filter(passes, found)) if is_asked else found
            found = search(found, q, Entry.words)
            return Alerts(
                total=len(found),
                items=[one.row() for one in _page(found, limit, offset)],
                targets=sorted(rows.targets),
                channels=sorted(rows.channels - {""}),
                decisions=sorted(rows.decisions),
                outcomes=rows.outcomes(),
                notes=self._notes(),
            )

    def alert(self, ref: str) -> Alert | None:
        """One entry whole; None where the ledger has none of that name (any more)."""
        found: Entry | None = None

        def spans(rows: LedgerRows) -> list[tuple[int, int]]:
            nonlocal found
            found = _find(rows, ref)
            if found is None:
                return []
            incident = rows.incidents.get(found.incident_ids[0])
            return [*found.places, *([incident.place] if incident and incident.place else [])]

        def read(raw: list[bytes]) -> list[LedgerLine] | None:
            records = [read_line(line) for line in raw]
            lines = [one for one in records if one and found and one.incident_id in found.incident_ids]
            return lines if len(lines) == len(raw) else None

        with self._lock:
            lines = self._reader.look_up(spans, read)
            return _whole(found.row(), lines[: len(found.places)], lines) if found else None

    def of_run(self, run_id: str) -> list[AlertRow]:
        """Every entry that one DAG run (`DAG_ID/RUN_ID`) decided, quiet ones included, newest first."""
        with self._lock:
            return [one.row() for one in reversed(self._reader.state().entries) if one.run_id == run_id]

    def last_notice(self, where: TargetIdentity) -> NoticeBrief | None:
        """The message about a target that was decided on last, a dry run's included; None where there was none."""
        with self._lock:
            found = self._known(where)
            return found.last_notice.brief() if found and found.last_notice else None

    def incidents(self, where: TargetIdentity, since: float, until: float) -> list[LedgerIncident]:
        """A target's incidents that touch the range, newest first; of Jobs' health alone, dry runs' included."""
        first, last = _timestamp(since, math.ceil), _timestamp(until, math.floor)
        with self._lock:
            known = self._known(where)
            found = [
                LedgerIncident.of(
                    one,
                    severity=one.severity.value,
                    notices=[entry.brief() for entry in reversed(one.notices.values())],
                )
                for one in (known.incidents if known else [])
                if one.source == "health"
                and one.started_at <= last
                and (one.is_open or (one.over_at or one.started_at) >= first)
            ]
        return sorted(found, key=lambda one: one.started_at, reverse=True)

    def _known(self, where: TargetIdentity) -> NotifiedTarget | None:
        return self._reader.state().by_target.find(where.namespace, where.selector, where.name, where.cluster)

    def _notes(self) -> list[str]:
        count = self._reader.broken.count
        if not count:
            return []
        return [f"{self.path.name}: {count} lines are none of the ledger's and were skipped; the log names them"]


def _timestamp(seconds: float, whole: Callable[[float], int]) -> str:
    """Seconds since the epoch as timestamps are written, which have no fractions."""
    return times.text(times.of_seconds("since or until", whole(seconds) if math.isfinite(seconds) else seconds))


def _page(found: Sequence[Entry], limit: int, offset: int) -> Iterable[Entry]:
    end = max(len(found) - offset, 0)
    return reversed(found[max(end - limit, 0) : end])


def _find(rows: LedgerRows, ref: str) -> Entry | None:
    place = re.fullmatch(r"@([0-9]{1,18})-[0-9a-f]{8}", ref)
    if place is None:
        return rows.notices.get(ref)
    position = bisect.bisect_left(rows.entries, int(place[1]), key=lambda one: one.places[0].offset)
    found = rows.entries[position] if position < len(rows.entries) else None
    return found if found is not None and found.ref == ref else None


def _whole(row: AlertRow, own: Sequence[LedgerLine], lines: Sequence[LedgerLine]) -> Alert:
    """`own`: the entry's lines; `lines`: those, and one that holds its incident."""
    said = [one for one in own if isinstance(one.message, str) and one.message]
    said.sort(key=lambda one: (not one.dry_run, one.outcome in DELIVERED))
    return Alert(
        row=row,
        # A notice of several incidents has as many lines that say the same.
        history=[one for one, _ in groupby(map(Attempt.of, own))],
        message=said[-1].message if said else None,
        incident=next((one.incident for one in lines if isinstance(one.incident, dict)), None),
    )
