"""One target's history in columns: a numpy array a field, in the order of time. No files here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Indices: TypeAlias = npt.NDArray[np.intp]

# In a column of counts: less than any count, so that a record that has one goes before it.
UNKNOWN = -1
_NARROW = {"health": np.int8, "length": np.int32, "name": np.int32}


@dataclass(frozen=True)
class Rows:
    """Records in columns of one length.

    `at`: microseconds since the epoch. `health`: 0 OK, 1 WARN, 2 ERROR. `ok`, `warn`, `error`: Jobs, UNKNOWN in all
    three where the Jobs could not be listed. `offset` and `length`: where the line stands in the file, in bytes. `run`:
    the `hash` of the run's id, in this process. `name`: the number of the target's name.
    """

    at: Ints
    health: npt.NDArray[np.int8]
    ok: Ints
    warn: Ints
    error: Ints
    offset: Ints
    length: npt.NDArray[np.int32]
    run: Ints
    name: npt.NDArray[np.int32]

    @classmethod
    def room(cls, length: int) -> Rows:
        """Columns to write into; what they hold is left to chance."""
        return cls(**{one.name: np.empty(length, _NARROW.get(one.name, np.int64)) for one in fields(cls)})

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, chosen: slice | Indices) -> Rows:
        return Rows(**{name: column[chosen] for name, column in vars(self).items()})

    def put(self, begin: int, rows: Rows) -> None:
        """Write `rows` over these, from `begin` on."""
        for name, column in vars(self).items():
            column[begin : begin + len(rows)] = getattr(rows, name)

    def between(self, since: int, until: int) -> Rows:
        """Those from `since` to `until`, both included, of rows in the order of time."""
        return self[slice(int(np.searchsorted(self.at, since, "left")), int(np.searchsorted(self.at, until, "right")))]


class GrowingRows:
    """Rows that come in the order of the file, kept in the order of time; of one time, in the order of the file."""

    def __init__(self) -> None:
        self._room = Rows.room(0)
        self._used = 0
        self._in_order = 0

    def add(self, rows: Rows) -> None:
        """Take in more of the file."""
        end = self._used + len(rows)
        if end > len(self._room):
            # Twice as much each time, so that a record that comes alone does not copy a million others.
            larger = Rows.room(max(end, 2 * len(self._room)))
            larger.put(0, self._room[slice(self._used)])
            self._room = larger
        self._room.put(self._used, rows)
        self._used = end

    def rows(self) -> Rows:
        """All of them so far. These are views: the next `add` or `rows` may write over them."""
        if self._in_order < self._used:
            self._sort()
        return self._room[slice(self._used)]

    def _sort(self) -> None:
        at = self._room.at[: self._used]
        oldest = at[self._in_order :].min()
        begin = int(np.searchsorted(at[: self._in_order], oldest, "right"))
        late = at[begin:]
        if np.any(late[1:] < late[:-1]):
            order = np.argsort(late, kind="stable")
            self._room.put(begin, self._room[slice(begin, self._used)][order])
        self._in_order = self._used
