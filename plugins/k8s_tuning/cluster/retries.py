"""Trying again: what may pass is asked for again after a while, within a bound of time and of tries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from k8s_tuning.errors import ClusterError

# A server that answers 5xx or 429 is given its time; where none answers at all, three tries settle it.
SILENT_TRIES, MOST_TRIES = 3, 20
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


class Again(Exception):  # noqa: N818 - a signal, not an error
    """A fault that a retry may end, and how long the server asked to wait."""

    def __init__(self, fault: ClusterError, after: float | None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.after = after


async def patiently(attempt: Callable[[int], Awaitable[T]], seconds: float, sleep: Sleep) -> T:
    """The result of `attempt(number)`, tried again for `seconds` while it raises Again; then its fault is raised."""
    try:
        return await attempt(1)
    except Again as again:
        first = again
    backoff = wait_random_exponential(multiplier=0.25, max=8)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.after if isinstance(error, Again) else None
        return max(asked or 0.0, backoff(state))

    attempts = AsyncRetrying(
        wait=wait,
        stop=stop_before_delay(seconds) | stop_after_attempt(MOST_TRIES),
        sleep=sleep,
        retry=retry_if_exception_type(Again),
        reraise=True,
    )
    number = 0
    try:
        async for one in attempts:
            with one:
                number += 1
                if number == 1:
                    raise first
                return await attempt(number)
    except Again as again:
        raise again.fault from again.__cause__
    raise AssertionError("tenacity ends with an answer or an exception")
