"""The history of every target, asked by time: as a strip, a series for a chart, runs of failing records, records."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from k8s_tuning.queries import series as of_rows
from k8s_tuning.queries import times
from k8s_tuning.queries.columns import Rows
from k8s_tuning.queries.history_rows import HistoryRows, add_block
from k8s_tuning.queries.series import Episode, Place
from k8s_tuning.queries.view_models import Record, Records, RunRef, Series, StripCell
from k8s_tuning.stages.history.record import read_line
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.stages.targets import STALE_AFTER_MINUTES
from k8s_tuning.storage.lines import LineFile
from k8s_tuning.storage.tail import TailReader


class HistoryIndex:
    """One history file in columns; keep one a process: each call reads only what was appended since the last.

    `where`: a target that `find` or `identities` has answered with, or any other, which has no record. `since` and
    `until` are seconds since the epoch, infinite ones allowed; what lies on either is within. Records stand in the
    order of time, not of the file: a task that was tried again may record late. Where a record's timestamp cannot be
    read it has no place here: `notes` says so. Safe for threads. A file that is not there is empty; StoreError where it
    cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reader = TailReader(self.path, HistoryRows, add_block)
        self._lock = threading.Lock()

    @contextmanager
    def _state(self) -> Iterator[HistoryRows]:
        with self._lock:
            yield self._reader.state()

    def identities(self) -> list[TargetIdentity]:
        """Every target with a record, by namespace, selector and cluster."""
        with self._state() as history:
            return sorted(history.recorded(), key=lambda one: (one.namespace, one.selector, one.cluster or ""))

    def find(
        self, namespace: str, selector: str, name: str | None = None, cluster: str | None = None
    ) -> TargetIdentity | None:
        """The target that records with this name and cluster are of; None where there is no record of it."""
        with self._state() as history:
            found = history.targets.find(namespace, selector, name, cluster)
            return found if found is not None and len(found.growing.rows()) else None

    def notes(self) -> list[str]:
        """What of the file is in no answer, and the cure; a sentence each."""
        with self._state():
            unread = self._reader.broken.count
        if not unread:
            return []
        return [f"{self.path.name}: {unread} lines are no health record and were skipped; the log names them"]

    def strip(self, where: TargetIdentity, since: float, until: float, cells: int) -> list[StripCell]:
        """The range in so many cells of one length, each with the worst health in it."""
        span = _range(since, until)
        with self._state() as history:
            return of_rows.strip(history.rows(where).between(*span), span, cells)

    def series(
        self,
        where: TargetIdentity,
        since: float,
        until: float,
        points: int = 600,
        stale_seconds: float = STALE_AFTER_MINUTES * 60,
    ) -> Series:
        """Every record where the range has at most `points`; else so many periods at most, of one round length.

        A period begins at a multiple of its length in UTC. Two neighbours further apart than `stale_seconds`, or than
        one period where that is longer, have a gap between them. InputError for fewer than 2 points.
        """
        span = _range(since, until)
        with self._state() as history:
            rows = history.rows(where)
            name = next(reversed(_names(history, rows)), None)
            return of_rows.series(where, name, rows.between(*span), span, points, stale_seconds)

    def since(self, where: TargetIdentity) -> str | None:
        """When the unbroken run of records with the newest one's health began; None without a record."""
        with self._state() as history:
            rows = history.rows(where)
            if not len(rows):
                return None
            others = np.flatnonzero(rows.health != rows.health[-1])
            return times.text(rows.at[others[-1] + 1 if len(others) else 0])

    def names(self, where: TargetIdentity) -> list[str]:
        """Every name that the target was recorded under, in the order in which each was last used; the newest last."""
        with self._state() as history:
            return _names(history, history.rows(where))

    def episodes(self, where: TargetIdentity, since: float, until: float, newest: int | None = None) -> list[Episode]:
        """The runs of non-OK records that touch the range, oldest first, each whole even where it reaches out of it.

        One that lasts reaches to the end of time. `newest`: at most so many, of the newest.
        """
        span = _range(since, until)
        with self._state() as history:
            return of_rows.episodes(where, history.rows(where), span, newest)

    def record_at(self, place: Place) -> Record | None:
        """The record at a place that an earlier answer named; None where it is not there any more (retention)."""
        return next((_read(place, line) for line in LineFile(self.path).lines_at([(place.offset, place.length)])), None)

    def records(self, where: TargetIdentity, since: float, until: float, limit: int = 50, offset: int = 0) -> Records:
        """The records of the range, newest first, from the `offset`th on, at most `limit`."""
        span = _range(since, until)

        def choose(history: HistoryRows) -> tuple[int, list[Place]]:
            rows = history.rows(where).between(*span)
            end = max(len(rows) - offset, 0)
            return len(rows), of_rows.places(where, rows[slice(max(end - limit, 0), end)])[::-1]

        total, items = self._read_chosen(choose)
        return Records(total=total, items=items)

    def of_run(self, run_id: str) -> list[Record]:
        """The records of all targets that one DAG run (`DAG_ID/RUN_ID`) made, in the order of time."""
        wanted = hash(run_id)

        def choose(history: HistoryRows) -> tuple[int, list[Place]]:
            found = []
            for target in history.recorded():
                rows = target.growing.rows()
                found += of_rows.places(target, rows[np.flatnonzero(rows.run == wanted)])
            return len(found), sorted(found, key=lambda place: (place.at, place.offset))

        ref = RunRef.named(run_id)
        return [record for record in self._read_chosen(choose)[1] if ref is not None and record.run == ref]

    def _read_chosen(self, choose: Callable[[HistoryRows], tuple[int, list[Place]]]) -> tuple[int, list[Record]]:
        total, places = 0, list[Place]()

        def spans(history: HistoryRows) -> list[tuple[int, int]]:
            nonlocal total, places
            total, places = choose(history)
            return [(place.offset, place.length) for place in places]

        def read(lines: list[bytes]) -> list[Record] | None:
            records = [_read(place, line) for place, line in zip(places, lines, strict=True)]
            found = [record for record in records if record is not None]
            return found if len(found) == len(places) else None

        with self._lock:
            found = self._reader.look_up(spans, read)
        return total, found


def _range(since: float, until: float) -> tuple[int, int]:
    first = times.of_seconds("since", since)
    return first, max(first, times.of_seconds("until", until))


def _names(history: HistoryRows, rows: Rows) -> list[str]:
    # Of an index given twice, numpy keeps what was assigned last.
    last_used = np.full(len(history.names), -1)
    last_used[rows.name] = np.arange(len(rows))
    names = list(history.names)
    return [name for number in np.argsort(last_used) if last_used[number] >= 0 and (name := names[number]) is not None]


def _read(place: Place, line: bytes) -> Record | None:
    found = read_line(line)
    if found is None or (found.namespace, found.selector) != (place.namespace, place.selector):
        return None
    if times.of_text(found.timestamp) != place.at:
        return None
    record = found.record(with_snapshot=False)
    return Record.of(
        record, at=times.text(place.at), health=record.overall_health.value, run=RunRef.named(record.run_id)
    )
