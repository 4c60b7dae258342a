"""Trying again: when, and how often, one request is sent once more. Pure but for the clock."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

from k8s_tuning.errors import ClusterError

# A server that answers 5xx or 429 is given its time; where none answers at all, three tries settle it.
SILENT_TRIES, MOST_TRIES = 3, 20
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 8.0
Sleep = Callable[[float], Awaitable[None]]


class Again(Exception):  # noqa: N818 - a signal, not an error
    """A fault that a retry may end: within how many tries, and how long the server asked to wait."""

    def __init__(self, fault: ClusterError, most_tries: int, after: float | None = None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.most_tries = most_tries
        self.after = after


class Retries:
    """The tries of one request, for `seconds` from the end of the first one."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._tries = 0
        self._since: float | None = None

    def wait(self, again: Again) -> float | None:
        """Seconds until the next try, random so that many callers do not come at once; None where none is left."""
        self._tries += 1
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (self._tries - 1))
        seconds = max(again.after or 0.0, random.uniform(0, longest))  # noqa: S311
        if self._tries >= again.most_tries or now - self._since + seconds >= self._seconds:
            return None
        return seconds
