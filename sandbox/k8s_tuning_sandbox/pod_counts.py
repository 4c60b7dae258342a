"""A Job's pods, counted: which are active, ended and not yet counted, and what its indexes have come to. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property

from k8s_tuning_sandbox import indexes
from k8s_tuning_sandbox.job_policies import on_failure
from k8s_tuning_sandbox.plans import ENDED, phase
from k8s_tuning_sandbox.resources import Object

FINALIZER = "batch.kubernetes.io/job-tracking"


class PodCounts:
    """The counts of a Job. Moves the pods that the last pass noted in `status` from "uncounted" to its numbers."""

    def __init__(self, job: Object, pods: list[Object], status: Object) -> None:
        self.job, self.spec, self.status = job, job["spec"], status
        self.tracked = [pod for pod in pods if FINALIZER in (pod["metadata"].get("finalizers") or ())]
        self.uncounted: dict[str, list[str]] = status.setdefault("uncountedTerminatedPods", {})
        self._count()
        known = {uid for uids in self.uncounted.values() for uid in uids}
        new = [pod for pod in self.tracked if uid_of(pod) not in known]
        self.new_succeeded = [pod for pod in new if phase(pod) == "Succeeded"]
        self.new_failed = [pod for pod in new if self.is_failed(pod)]
        self.active = [pod for pod in pods if phase(pod) not in ENDED and not is_terminating(pod)]
        self.terminating = sum(phase(pod) not in ENDED and is_terminating(pod) for pod in pods)

    @property
    def per_index(self) -> bool:
        """Whether each index has a limit of its own."""
        return "backoffLimitPerIndex" in self.spec

    @property
    def only_replaces_ended(self) -> bool:
        """Whether a pod that is being deleted is replaced, and counted, only once it has ended."""
        return bool(self.spec.get("podReplacementPolicy") == "Failed")

    @cached_property
    def succeeded_indexes(self) -> set[int] | None:
        """The indexes that have succeeded; None where the Job has none."""
        if self.spec.get("completionMode") != "Indexed":
            return None
        found = _written(self.status, "completedIndexes")
        found |= {index for pod in self.new_succeeded if (index := indexes.index_of(pod)) is not None}
        return {index for index in found if index < self.spec["completions"]}

    @cached_property
    def failed_indexes(self) -> set[int]:
        """The indexes that are not tried again."""
        found = _written(self.status, "failedIndexes")
        for pod in self.new_failed if self.per_index else ():
            index, action = indexes.index_of(pod), on_failure(self.job, pod)[0]
            over = action != "Ignore" and indexes.failures_of(pod) + 1 > self.spec["backoffLimitPerIndex"]
            if index is not None and index not in (self.succeeded_indexes or ()) and (over or action == "FailIndex"):
                found.add(index)
        return found

    @cached_property
    def succeeded(self) -> int:
        """How many pods, or indexes, have succeeded, with those that are still to be counted."""
        if self.succeeded_indexes is not None:
            return len(self.succeeded_indexes)
        counted: int = self.status.get("succeeded", 0)
        return counted + len(self.new_succeeded) + len(self.uncounted.get("succeeded", ()))

    @cached_property
    def failed(self) -> int:
        """How many pods have failed, with those that are still to be counted and without those that are ignored."""
        counted: int = self.status.get("failed", 0)
        new = sum(on_failure(self.job, pod)[0] != "Ignore" for pod in self.new_failed)
        return counted + new + len(self.uncounted.get("failed", ()))

    @cached_property
    def last_failures(self) -> dict[int, Object]:
        """By index the failed pod that is kept until another replaces it, because it knows the failures so far."""
        if not self.per_index:
            return {}
        settled = {indexes.index_of(pod) for pod in self.active} | self.failed_indexes
        settled |= self.succeeded_indexes or set()
        found: dict[int, Object] = {}
        for pod in (pod for pod in self.tracked if self.is_failed(pod)):
            index = indexes.index_of(pod)
            if index is not None and index not in settled:
                found[index] = max(found.get(index, pod), pod, key=indexes.failures_of)
        return found

    def is_failed(self, pod: Object) -> bool:
        """Whether the pod counts as failed: it is, or it is being deleted and the Job does not wait for its end."""
        if phase(pod) == "Failed":
            return True
        return is_terminating(pod) and phase(pod) != "Succeeded" and not self.only_replaces_ended

    def _count(self) -> None:
        # Pods that the last step noted and let go.
        held = {uid_of(pod) for pod in self.tracked}
        for kind in ("succeeded", "failed"):
            noted = self.uncounted.get(kind, [])
            if gone := [uid for uid in noted if uid not in held]:
                self.status[kind] = self.status.get(kind, 0) + len(gone)
                self.uncounted[kind] = [uid for uid in noted if uid in held]
            if not self.uncounted.get(kind, True):
                del self.uncounted[kind]


def _written(status: Object, field: str) -> set[int]:
    """The indexes of a field of the status; what somebody else wrote there counts for nothing."""
    try:
        return indexes.parse(status.get(field, ""))
    except ValueError:
        return set()


def uid_of(pod: Object) -> str:
    """The pod's uid."""
    found: str = pod["metadata"]["uid"]
    return found


def is_terminating(pod: Object) -> bool:
    """Whether the pod is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Object) -> bool:
    """Whether the pod's condition Ready is True."""
    conditions = pod["status"].get("conditions") or ()
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def finished_at(pod: Object) -> datetime:
    """When the pod ended: its last container, else when it was no more ready, was deleted, or was made."""
    states = [container["state"].get("terminated") for container in pod["status"].get("containerStatuses") or ()]
    ends = [ended["finishedAt"] for ended in states if ended and ended.get("finishedAt")]
    if ends and len(ends) == len(states):
        return max(map(datetime.fromisoformat, ends))
    for found in pod["status"].get("conditions") or ():
        if found["type"] == "Ready" and found["status"] == "False":
            return datetime.fromisoformat(found["lastTransitionTime"])
    meta = pod["metadata"]
    if "deletionTimestamp" in meta:
        grace = timedelta(seconds=meta.get("deletionGracePeriodSeconds", 0))
        return datetime.fromisoformat(meta["deletionTimestamp"]) - grace
    return datetime.fromisoformat(meta["creationTimestamp"])
