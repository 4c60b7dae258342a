"""The history of every target, asked by time: as a strip, as a chart's series, as runs of ill records, as records."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from k8s_tuning.errors import StoreError
from k8s_tuning.queries import periods, times
from k8s_tuning.queries.columns import UNKNOWN, Ints, Rows
from k8s_tuning.queries.history_rows import LEVELS, HistoryRows, add_block, run_hash
from k8s_tuning.queries.runs import run_ref
from k8s_tuning.queries.view_models import Level, Record, Records, Series, StripCell
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord, read_line
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.stages.targets import STALE_AFTER_MINUTES
from k8s_tuning.storage.append_log import Journal
from k8s_tuning.storage.tail import Fold

Answer = TypeVar("Answer")
Key = tuple[str, str]
_SECOND = 1_000_000
_ATTEMPTS = 5


class Place(NamedTuple):
    """Where one record stands in the file, and enough of it to know it again. `at`: microseconds since the epoch."""

    namespace: str
    selector: str
    at: int
    offset: int
    length: int


@dataclass(slots=True)
class Episode:
    """An unbroken run of non-OK records of one target; a silence between two of them does not end it.

    `ended_at`: the time of the first OK record after it; None while there is none. `worst_record`: the one with the
    most Jobs in ERROR, then in WARN. `HistoryIndex.record_at` reads it, and `first`.
    """

    started_at: str
    ended_at: str | None
    worst: Level
    records: int
    first: Place
    worst_record: Place


class HistoryIndex:
    """One history file in columns; keep one a process: each call reads only what was appended since the last.

    A target is a namespace and a selector; where several clusters have both, `cluster` says which. `since` and `until`
    are seconds since the epoch, infinite ones allowed; what lies on either is within. Records stand in the order of
    time, not of the file: a task that was tried again may record late. Where a record's timestamp cannot be read it has
    no place here: `notes` tells of it. Safe for threads. A file that is not there is empty; StoreError where it cannot
    be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._journal = Journal(self.path)
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._fold = Fold(self.path, lambda: HistoryRows(self.path), add_block)

    def targets(self) -> list[Key]:
        """(namespace, selector) of every target with a record, sorted; once where several clusters have it."""
        with self._lock:
            return sorted({(one.namespace, one.selector) for one in self._fold.state().recorded()})

    def identities(self) -> list[TargetIdentity]:
        """Every target with a record, by namespace, selector and cluster."""
        with self._lock:
            found = self._fold.state().recorded()
            return sorted(found, key=lambda one: (one.namespace, one.selector, one.cluster or ""))

    def find(
        self, namespace: str, selector: str, name: str | None = None, cluster: str | None = None
    ) -> TargetIdentity | None:
        """The target that records with this name and cluster are of; None where there is no record of it."""
        with self._lock:
            found = self._fold.state().targets.find(namespace, selector, name, cluster)
            return found if found is not None and len(found.growing.rows()) else None

    def notes(self) -> list[str]:
        """What of the file is in no answer, and the cure; a sentence each."""
        with self._lock:
            history = self._fold.state()
            unread = history.broken.count
        if not unread:
            return []
        return [f"{self.path.name}: {unread} lines are no health record and were skipped; the log names them"]

    def strip(
        self, namespace: str, selector: str, since: float, until: float, cells: int, *, cluster: str | None = None
    ) -> list[StripCell]:
        """The range in so many cells of one length, each with the worst health in it."""
        first, last = _range(since, until)
        edges = [first + (last - first) * cell // cells for cell in range(cells)]
        with self._lock:
            rows = self._fold.state().rows(namespace, selector, cluster).between(first, last)
            begin = np.searchsorted(rows.at, np.array(edges, np.int64))
            counts = np.diff(begin, append=len(rows))
            held = begin[counts > 0]
            worst = np.maximum.reduceat(rows.health, held).tolist() if len(rows) else []
            most = np.maximum.reduceat(np.abs(rows.ok + rows.warn + rows.error), held).tolist() if len(rows) else []
        of_held = iter([LEVELS[level] for level in worst])
        is_idle = iter([level == 0 and not jobs for level, jobs in zip(worst, most, strict=True)])
        seconds = round((last - first) / cells / _SECOND)
        return [
            StripCell(
                at=times.text(at),
                seconds=seconds,
                worst=next(of_held) if records else None,
                records=records,
                idle=bool(records) and next(is_idle),
            )
            for at, records in zip(edges, counts.tolist(), strict=True)
        ]

    def series(
        self,
        namespace: str,
        selector: str,
        since: float,
        until: float,
        points: int = 600,
        stale_seconds: float = STALE_AFTER_MINUTES * 60,
        *,
        cluster: str | None = None,
    ) -> Series:
        """Every record where the range has at most `points`; else so many periods at most, of one round length.

        A period begins at a multiple of its length in UTC. Two neighbours further apart than `stale_seconds`, or than
        one period where that is longer, have a gap between them. InputError for fewer than 2 points.
        """
        first, last = _range(since, until)
        with self._lock:
            history = self._fold.state()
            target = _newest_name(history, history.rows(namespace, selector, cluster))
            rows = history.rows(namespace, selector, cluster).between(first, last)
            seconds, begin = 0, np.arange(len(rows))
            at = rows.at
            if len(rows) > points:
                seconds = periods.round_seconds(int(rows.at[0]), int(rows.at[-1]), points)
                at, begin = periods.aligned(rows, seconds)
            told = periods.sum_up(rows, begin) if len(rows) else None
            worst_rows = rows[told.worst_row] if told else rows
            return Series(
                namespace=namespace,
                selector=selector,
                target=target,
                since=times.text(first),
                until=times.text(last),
                seconds=seconds,
                gap_seconds=max(stale_seconds, seconds),
                total_records=len(rows),
                at=(at / _SECOND).tolist(),
                worst=told.worst.tolist() if told else [],
                records_ok=told.counts[0].tolist() if told else [],
                records_warn=told.counts[1].tolist() if told else [],
                records_error=told.counts[2].tolist() if told else [],
                jobs_ok=_known(worst_rows.ok),
                jobs_warn=_known(worst_rows.warn),
                jobs_error=_known(worst_rows.error),
            )

    def since(self, namespace: str, selector: str, *, cluster: str | None = None) -> str | None:
        """When the unbroken run of records with the newest one's health began; None without a record."""
        with self._lock:
            rows = self._fold.state().rows(namespace, selector, cluster)
            if not len(rows):
                return None
            others = np.flatnonzero(rows.health != rows.health[-1])
            return times.text(rows.at[others[-1] + 1 if len(others) else 0])

    def names(self, namespace: str, selector: str, *, cluster: str | None = None) -> list[str]:
        """Every name that the target was recorded under, in the order in which each was last used; the newest last."""
        with self._lock:
            history = self._fold.state()
            return _names(history, history.rows(namespace, selector, cluster))

    def episodes(
        self,
        namespace: str,
        selector: str,
        since: float,
        until: float,
        newest: int | None = None,
        *,
        cluster: str | None = None,
    ) -> list[Episode]:
        """The runs of non-OK records that touch the range, oldest first, each whole even where it reaches out of it.

        One that lasts reaches to the end of time. `newest`: at most so many, of the newest.
        """
        first, last = _range(since, until)
        with self._lock:
            rows = self._fold.state().rows(namespace, selector, cluster)
            begin, end = periods.unbroken(rows)
            over_at = np.append(rows.at, times.NEWEST)[end]
            chosen = slice(int(np.searchsorted(over_at, first)), int(np.searchsorted(rows.at[begin], last, "right")))
            begin, end, over_at = (column[chosen][-(newest or len(rows)) :] for column in (begin, end, over_at))
            if not len(begin):
                return []
            # The OK runs between them are periods, too: every second one is ill.
            edges = np.stack((begin, end), axis=1).ravel()[:-1] - begin[0]
            part = rows[slice(int(begin[0]), int(end[-1]))]
            worst = np.maximum.reduceat(part.health, edges)[::2].tolist()
            ended_at: list[str | None] = list(times.texts(over_at))
            if end[-1] == len(rows):
                ended_at[-1] = None
            return list(
                map(
                    Episode,
                    times.texts(rows.at[begin]),
                    ended_at,
                    [LEVELS[level] for level in worst],
                    (end - begin).tolist(),
                    _places((namespace, selector), rows[begin]),
                    _places((namespace, selector), part[periods.worst_rows(part, edges)[::2]]),
                )
            )

    def record_at(self, place: Place) -> Record | None:
        """The record at a place that an earlier answer named; None where it is not there any more (retention)."""
        return next((_read(place, line) for line in self._journal.lines_at([(place.offset, place.length)])), None)

    def records(
        self,
        namespace: str,
        selector: str,
        since: float,
        until: float,
        limit: int = 50,
        offset: int = 0,
        *,
        cluster: str | None = None,
    ) -> Records:
        """The records of the range, newest first, from the `offset`th on, at most `limit`."""
        first, last = _range(since, until)

        def choose(history: HistoryRows) -> tuple[int, list[Place]]:
            rows = history.rows(namespace, selector, cluster).between(first, last)
            end = max(len(rows) - offset, 0)
            return len(rows), _places((namespace, selector), rows[slice(max(end - limit, 0), end)])[::-1]

        total, items = self._read_chosen(choose)
        return Records(total=total, items=items)

    def of_run(self, run_id: str) -> list[Record]:
        """The records of all targets that one DAG run (`DAG_ID/RUN_ID`) made, in the order of time."""
        wanted = run_hash(run_id)

        def choose(history: HistoryRows) -> tuple[int, list[Place]]:
            places = []
            for target in history.recorded():
                rows = target.growing.rows()
                places += _places((target.namespace, target.selector), rows[np.flatnonzero(rows.run == wanted)])
            return len(places), sorted(places, key=lambda place: (place.at, place.offset))

        ref = run_ref(run_id)
        return [record for record in self._read_chosen(choose)[1] if ref is not None and record.run == ref]

    def _read_chosen(self, choose: Callable[[HistoryRows], tuple[int, list[Place]]]) -> tuple[int, list[Record]]:
        with self._lock:
            for _ in range(_ATTEMPTS):
                total, places = choose(self._fold.state())
                lines = self._journal.lines_at([(place.offset, place.length) for place in places])
                records = [_read(place, line) for place, line in zip(places, lines, strict=True)]
                found = [record for record in records if record is not None]
                if len(found) == len(places):
                    return total, found
                # The file was replaced between the two looks, or somebody wrote over it: read it afresh.
                self._begin()
        raise StoreError(f"{self.path}: is being rewritten again and again; see which process does")


def _known(counts: Ints) -> list[int | None]:
    return [None if count == UNKNOWN else count for count in counts.tolist()]


def _range(since: float, until: float) -> tuple[int, int]:
    first = times.of_seconds("since", since)
    return first, max(first, times.of_seconds("until", until))


def _names(history: HistoryRows, rows: Rows) -> list[str]:
    # Of an index given twice, numpy keeps what was assigned last.
    last_used = np.full(len(history.names), -1)
    last_used[rows.name] = np.arange(len(rows))
    names = list(history.names)
    return [name for number in np.argsort(last_used) if last_used[number] >= 0 and (name := names[number]) is not None]


def _newest_name(history: HistoryRows, rows: Rows) -> str | None:
    return next(reversed(_names(history, rows)), None)


def _places(key: Key, rows: Rows) -> list[Place]:
    columns = zip(rows.at.tolist(), rows.offset.tolist(), rows.length.tolist(), strict=True)
    return [Place(*key, *where) for where in columns]


def _read(place: Place, line: bytes) -> Record | None:
    found = read_line(line)
    if found is None or (found.namespace, found.selector) != (place.namespace, place.selector):
        return None
    if times.of_text(found.timestamp) != place.at:
        return None
    return _record(found.record(with_snapshot=False), place.at)


def _record(record: K8sHealthHistoryRecord, at: int) -> Record:
    return Record(
        at=times.text(at),
        namespace=record.namespace,
        selector=record.selector,
        target=record.target,
        cluster=record.cluster,
        health=record.overall_health.value,
        jobs_ok=record.jobs_ok,
        jobs_warn=record.jobs_warn,
        jobs_error=record.jobs_error,
        reasons=record.reasons,
        monitor_errors=record.monitor_errors,
        run=run_ref(record.run_id),
        idle=record.idle,
    )
