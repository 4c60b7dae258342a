"""What is remembered of a Job that the cluster no longer has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from k8s_tuning.stages.monitor.snapshot import ENDED
from k8s_tuning.timestamps import seconds_known

GONE = "GONE"


@dataclass(frozen=True)
class LastSeen:
    """A Job as it was last seen. `phase`: D32's.

    `reasons`, `cause`, `exit_code`: D33's of a Job that failed. `ttl_seconds`: after its end the cluster removes it.
    `alive_at`: when it was last known not to have ended.
    """

    phase: str
    reasons: list[str] = field(default_factory=list)
    cause: str | None = None
    exit_code: int | None = None
    succeeded: int = 0
    failed: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    ttl_seconds: int | None = None
    alive_at: str | None = None


def with_ends(known: Mapping[str, LastSeen], waited: Mapping[str, Iterable[str]]) -> dict[str, LastSeen]:
    """What is remembered, with the ends that a wait saw (`WaitProgress.as_dict`) and nobody wrote down."""
    seen = dict(known)
    for phase, names in (("SUCCEEDED", waited.get("succeeded", ())), ("FAILED", waited.get("failed", ()))):
        for name in names:
            was = seen.get(name)
            if was is None or was.phase not in ENDED:
                seen[name] = replace(was or LastSeen(phase), phase=phase)
    return seen


def ttl_is_over(last: LastSeen, at: str) -> bool:
    """Whether at `at` the cluster may have removed a Job, which was last known to be alive, because of its TTL."""
    if last.ttl_seconds is None or last.alive_at is None:
        return False
    seconds = seconds_known(last.alive_at, at)
    return seconds is None or seconds >= last.ttl_seconds
