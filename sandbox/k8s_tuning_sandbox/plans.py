"""What the Job controller knows of a Job, and what it does about it: the plan that a dialect makes. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from k8s_tuning.timestamps import to_text
from k8s_tuning_sandbox.resources import Object

ENDED = ("Succeeded", "Failed")
_LONGEST_BACKOFF = 600.0


@dataclass(frozen=True)
class Attempts:
    """How often a Job's pods failed since the last success, and when the last of them did."""

    failures: int = 0
    last: datetime | None = None

    def wait(self, now: datetime, first: float) -> float:
        """Seconds until the next try: `first` after one failure, twice as long after each more, at most 600."""
        if not self.failures or self.last is None:
            return 0.0
        wait = min(first * 2.0 ** min(self.failures - 1, 20), _LONGEST_BACKOFF)
        return max(wait - (now - self.last).total_seconds(), 0.0)


@dataclass(frozen=True)
class Situation:
    """A Job and its pods at one time. `backoff`: seconds from the first failure to the next try."""

    job: Object
    pods: list[Object]
    now: datetime
    attempts: Attempts
    backoff: float


@dataclass(frozen=True)
class NewPod:
    """A pod to make: of an index, and after how many failures of that index; both None where the Job has no indexes."""

    index: int | None = None
    failures: int | None = None


@dataclass
class Plan:
    """What to do: the status to write, pods to make, delete and let go, events as (type, reason, message).

    `again`: seconds until the Job is to be read once more, None for not before something changes. `worth_writing`:
    the fields of the status whose change is a reason to write it; empty for any.
    """

    status: Object
    attempts: Attempts
    create: list[NewPod] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    again: float | None = None
    worth_writing: tuple[str, ...] = ()

    def sync_within(self, seconds: float) -> None:
        """At the latest after so many seconds."""
        self.again = seconds if self.again is None else min(self.again, seconds)


def phase(pod: Object) -> str:
    """The pod's phase."""
    found: str = pod["status"].get("phase", "Pending")
    return found


def past_restarts(job: Object, pods: list[Object]) -> bool:
    """Whether containers were started again more often than backoffLimit allows (restartPolicy OnFailure alone)."""
    if job["spec"]["template"]["spec"]["restartPolicy"] != "OnFailure":
        return False
    restarts: int = sum(
        container.get("restartCount", 0)
        for pod in pods
        if phase(pod) not in ENDED
        for kind in ("initContainerStatuses", "containerStatuses")
        for container in pod["status"].get(kind) or ()
    )
    limit: int = job["spec"]["backoffLimit"]
    return restarts >= max(limit, 1)


def condition(kind: str, reason: str, message: str, now: datetime, status: str = "True") -> Object:
    """A condition of a Job."""
    time = to_text(now)
    found = {"type": kind, "status": status, "lastProbeTime": time, "lastTransitionTime": time}
    return found | {"reason": reason, "message": message} if reason else found


def find_condition(status: Object, kind: str) -> Object | None:
    """The condition of a type, None where it is not there."""
    return next((found for found in status.get("conditions") or () if found["type"] == kind), None)


def finished(status: Object) -> Object | None:
    """The condition by which a Job is over: Complete or Failed."""
    held = (find_condition(status, kind) for kind in ("Complete", "Failed"))
    return next((found for found in held if found is not None and found["status"] == "True"), None)


def set_counts(status: Object, **counts: object) -> None:
    """Set fields of a status, in place; what is zero or empty is not there."""
    for name, value in counts.items():
        status.pop(name, None)
        if value:
            status[name] = value
