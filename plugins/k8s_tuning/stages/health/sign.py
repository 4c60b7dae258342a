"""One thing that is wrong with a Job: what `job_signs`, `pod_signs` and `container_signs` find and D33 judges."""

from __future__ import annotations

from dataclasses import dataclass
from signal import Signals

from k8s_tuning.printable import one_line
from k8s_tuning.stages.health.reasons import Rank
from k8s_tuning.timestamps import seconds_known

_LONGEST_MESSAGE = 300
# Objects are stamped by several machines, to the second: so far ahead is still now.
_SKEW_SECONDS = 5


@dataclass(frozen=True)
class Sign:
    """`reason`: a key of REASONS; None for an earlier attempt's plain failure, which its retry has answered.

    `since`: from when the reason's grace counts. `at`: when it happened, by which causes are ordered. `rank`: None for
    its reason's. `past`: an earlier attempt's, while the Job or the container goes on: WARN at most. `mild`: beside a
    main container that runs: WARN at most. `hopeless`: only another manifest cures it. `excused`: a disruption, no
    fault of the application; once the Job runs again it is only mentioned. `sidecar`: of a container beside the main
    ones.
    """

    reason: str | None
    cause: str
    since: str | None = None
    exit_code: int | None = None
    rank: Rank | None = None
    at: str | None = None
    past: bool = False
    mild: bool = False
    hopeless: bool = False
    excused: bool = False
    sidecar: bool = False


def age(since: str | None, at: str) -> float | None:
    """Seconds from `since` until `at`; None where that is not known, also because one of two clocks is wrong."""
    seconds = seconds_known(since, at)
    return None if seconds is None or seconds < -_SKEW_SECONDS else max(0.0, seconds)


def lies_ahead(since: str | None, at: str) -> bool:
    """Whether `since` is later than `at`, so that one of their clocks is wrong."""
    seconds = seconds_known(since, at)
    return seconds is not None and seconds < -_SKEW_SECONDS


def said(reason: str | None, message: str | None) -> str:
    """`Reason: message`, what there is of it."""
    parts = [part for part in (shortened(reason or ""), shortened(message or "")) if part]
    return ": ".join(parts) or "no reason given"


def shortened(message: str) -> str:
    """One line of at most _LONGEST_MESSAGE characters: a container may write what it likes into its message."""
    return one_line(message, _LONGEST_MESSAGE)


def exit_words(code: int) -> str:
    """`exit code 3`, `exit code 143 (SIGTERM)`: above 128 a shell's and the runtime's word for a signal."""
    try:
        return f"exit code {code} ({Signals(code - 128).name})" if code > 128 else f"exit code {code}"
    except ValueError:
        return f"exit code {code}"
