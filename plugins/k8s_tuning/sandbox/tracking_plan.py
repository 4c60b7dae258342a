"""The Job controller's decisions as they are since 1.26: a finalizer keeps each pod until it is counted. Pure.

A controller of today writes the status several times in one go; here each of these steps is a plan of its own.
(k8s.io/kubernetes/pkg/controller/job/job_controller.go of 1.36)
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from k8s_tuning.sandbox import indexes
from k8s_tuning.sandbox.job_policies import on_failure, success
from k8s_tuning.sandbox.plans import (
    ENDED,
    Attempts,
    NewPod,
    Plan,
    Situation,
    condition,
    find_condition,
    past_restarts,
    phase,
    remaining,
)
from k8s_tuning.timestamps import to_text

Object = dict[str, Any]
Verdict = tuple[str, str, str]

FINALIZER = "batch.kubernetes.io/job-tracking"
_BACKOFF_LIMIT = "FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
_DEADLINE = "FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline"
_TOO_MANY = (
    "FailureTarget",
    "MaxFailedIndexesExceeded",
    "Job has exceeded the specified maximal number of failed indexes",
)
_FAILED_INDEXES = "FailureTarget", "FailedIndexes", "Job has failed indexes"
_COMPLETE = "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
_FINAL = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}


def is_tracked(pod: Object) -> bool:
    """Whether the pod is still to be counted."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def plan(now_is: Situation) -> Plan:
    """What to do about a Job that is not over."""
    return _Planning(now_is).plan()


@dataclass
class _Planning:
    """One pass over a Job."""

    now_is: Situation
    status: Object = field(init=False)
    made: Plan = field(init=False)

    def __post_init__(self) -> None:
        self.job, self.spec, self.now = self.now_is.job, self.now_is.job["spec"], self.now_is.now
        self.status = copy.deepcopy(self.job.get("status") or {})
        self.made = Plan(self.status, self.now_is.attempts)
        self.tracked = [pod for pod in self.now_is.pods if is_tracked(pod)]
        self.uncounted = self.status.setdefault("uncountedTerminatedPods", {})
        self._count()
        known = {uid for uids in self.uncounted.values() for uid in uids}
        new = [pod for pod in self.tracked if _uid(pod) not in known]
        self.new_succeeded = [pod for pod in new if phase(pod) == "Succeeded"]
        self.new_failed = [pod for pod in new if self._is_failed(pod)]
        self.active = [pod for pod in self.now_is.pods if phase(pod) not in ENDED and not _is_going(pod)]
        self.terminating = sum(phase(pod) not in ENDED and _is_going(pod) for pod in self.now_is.pods)

    @property
    def suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def per_index(self) -> bool:
        return "backoffLimitPerIndex" in self.spec

    @property
    def only_replaces_ended(self) -> bool:
        return bool(self.spec.get("podReplacementPolicy") == "Failed")

    @cached_property
    def succeeded_indexes(self) -> set[int] | None:
        if self.spec.get("completionMode") != "Indexed":
            return None
        found = indexes.parse(self.status.get("completedIndexes", ""))
        found |= {index for pod in self.new_succeeded if (index := indexes.index_of(pod)) is not None}
        return {index for index in found if index < self.spec["completions"]}

    @cached_property
    def failed_indexes(self) -> set[int]:
        found = indexes.parse(self.status.get("failedIndexes", ""))
        for pod in self.new_failed if self.per_index else ():
            index, action = indexes.index_of(pod), on_failure(self.job, pod)[0]
            over = action != "Ignore" and indexes.failures_of(pod) + 1 > self.spec["backoffLimitPerIndex"]
            if index is not None and index not in (self.succeeded_indexes or ()) and (over or action == "FailIndex"):
                found.add(index)
        return found

    @cached_property
    def succeeded(self) -> int:
        if self.succeeded_indexes is not None:
            return len(self.succeeded_indexes)
        counted: int = self.status.get("succeeded", 0)
        return counted + len(self.new_succeeded) + len(self.uncounted.get("succeeded", ()))

    @cached_property
    def failed(self) -> int:
        counted: int = self.status.get("failed", 0)
        new = sum(on_failure(self.job, pod)[0] != "Ignore" for pod in self.new_failed)
        return counted + new + len(self.uncounted.get("failed", ()))

    @cached_property
    def last_failures(self) -> dict[int, Object]:
        """By index the failed pod that is kept until another takes its place, because it knows the failures so far."""
        if not self.per_index:
            return {}
        settled = (
            {indexes.index_of(pod) for pod in self.active} | self.failed_indexes | (self.succeeded_indexes or set())
        )
        found: dict[int, Object] = {}
        for pod in (pod for pod in self.tracked if self._is_failed(pod)):
            index = indexes.index_of(pod)
            if index is not None and index not in settled:
                found[index] = max(found.get(index, pod), pod, key=indexes.failures_of)
        return found

    def plan(self) -> Plan:
        if "startTime" not in self.status and not self.suspended:
            self.status["startTime"] = to_text(self.now)
        self._note_attempts()
        verdict = self._verdict()
        if verdict is not None:
            self.made.delete += self.active
            self.terminating += len(self.active)
            active: list[Object] = []
            count = 0
        else:
            active, count = self._manage()
            if self._is_complete(count):
                verdict = _COMPLETE
            elif "deletionTimestamp" not in self.job["metadata"]:
                self._note_suspension()
        self.status.pop("active", None)
        if count:
            self.status["active"] = count
        self.status["ready"] = sum(_is_ready(pod) for pod in active)
        self.status["terminating"] = self.terminating
        self._track(verdict)
        self._conclude(verdict)
        return self.made

    def _is_failed(self, pod: Object) -> bool:
        if phase(pod) == "Failed":
            return True
        return _is_going(pod) and phase(pod) != "Succeeded" and not self.only_replaces_ended

    def _count(self) -> None:
        # Pods that the last step noted and let go.
        held = {_uid(pod) for pod in self.tracked}
        for kind in ("succeeded", "failed"):
            noted = self.uncounted.get(kind, [])
            if gone := [uid for uid in noted if uid not in held]:
                self.status[kind] = self.status.get(kind, 0) + len(gone)
                self.uncounted[kind] = [uid for uid in noted if uid in held]
            if not self.uncounted.get(kind, True):
                del self.uncounted[kind]

    def _note_attempts(self) -> None:
        ended = [_finished_at(pod) for pod in self.new_succeeded]
        failed = sorted(_finished_at(pod) for pod in self.new_failed)
        if ended:
            failed = [instant for instant in failed if instant > max(ended)]
            self.made.attempts = Attempts(len(failed), failed[-1] if failed else None)
        elif failed and not self.per_index:
            self.made.attempts = Attempts(self.made.attempts.failures + len(failed), failed[-1])

    def _verdict(self) -> Verdict | None:
        """The interim condition that the Job has or gets: that it will be Complete, or Failed."""
        for kind in _FINAL:
            if (found := find_condition(self.status, kind)) is not None:
                return kind, found["reason"], found["message"]
        for pod in self.now_is.pods:
            if self._is_failed(pod):
                action, message = on_failure(self.job, pod)
                if action == "FailJob":
                    return "FailureTarget", "PodFailurePolicy", message
        if self.failed > self.spec["backoffLimit"] or past_restarts(self.job, self.now_is.pods):
            return _BACKOFF_LIMIT
        if (seconds := self.spec.get("activeDeadlineSeconds")) is not None and not self.suspended:
            left = seconds - (self.now - datetime.fromisoformat(self.status["startTime"])).total_seconds()
            if left <= 0:
                return _DEADLINE
            self.made.look_again(left)
        if self.succeeded_indexes is None:
            return None
        if self.failed_indexes:
            if len(self.failed_indexes) > self.spec.get("maxFailedIndexes", self.spec["completions"]):
                return _TOO_MANY
            if len(self.failed_indexes) + len(self.succeeded_indexes) >= self.spec["completions"]:
                return _FAILED_INDEXES
        met = success(self.job, self.succeeded_indexes)
        return None if met is None else ("SuccessCriteriaMet", "SuccessPolicy", met)

    def _manage(self) -> tuple[list[Object], int]:
        """The active pods that stay, and how many there are with the new ones."""
        active = self.active
        if "deletionTimestamp" in self.job["metadata"]:
            return active, len(active)
        wanted = 0 if self.suspended else self._wanted()
        if len(active) > wanted:
            surplus = active[wanted:]
            # Their finalizers go first: nobody counts a pod that was not wanted any more.
            self.made.release += surplus
            self.made.delete += surplus
            self.terminating += len(surplus)
            return active[:wanted], wanted
        missing = wanted - len(active) - (self.terminating if self.only_replaces_ended else 0)
        if missing <= 0:
            return active, len(active)
        new, wait = self._new_pods(missing)
        if wait > 0:
            # So does the real controller: what still runs is not named while a retry waits.
            self.made.look_again(wait)
            return active, 0
        self.made.create += new
        return active, len(active) + len(new)

    def _wanted(self) -> int:
        parallelism: int = self.spec["parallelism"]
        if "completions" not in self.spec:
            return len(self.active) if self.succeeded else parallelism
        left: int = self.spec["completions"] - self.succeeded - len(self.failed_indexes)
        return max(min(left, parallelism), 0)

    def _new_pods(self, count: int) -> tuple[list[NewPod], float]:
        """Pods to make now, or the seconds until there are some."""
        backoff = self.now_is.backoff
        if not self.per_index and (wait := self.made.attempts.wait(self.now, backoff)) > 0:
            return [], wait
        if self.succeeded_indexes is None:
            return [NewPod()] * count, 0
        taken = {indexes.index_of(pod) for pod in self.active} | self.succeeded_indexes | self.failed_indexes
        if self.only_replaces_ended:
            taken |= {indexes.index_of(pod) for pod in self.now_is.pods if phase(pod) not in ENDED}
        free = indexes.first_pending(count, self.spec["completions"], {index for index in taken if index is not None})
        if not self.per_index:
            return [NewPod(index) for index in free], 0
        new, waits = [], []
        for index in free:
            last = self.last_failures.get(index)
            failures = 0 if last is None else indexes.failures_of(last) + (on_failure(self.job, last)[0] != "Ignore")
            wait = 0.0 if last is None else remaining(max(failures, 1), _finished_at(last), self.now, backoff)
            if wait <= 0:
                new.append(NewPod(index, failures))
            else:
                waits.append(wait)
        return new, 0 if new or not waits else min(waits)

    def _is_complete(self, active: int) -> bool:
        if "completions" not in self.spec:
            return self.succeeded > 0 and not self.active
        return active == 0 and not self.active and self.succeeded >= self.spec["completions"]

    def _note_suspension(self) -> None:
        known = find_condition(self.status, "Suspended")
        wanted = "True" if self.suspended else "False"
        if (known is None and not self.suspended) or (known is not None and known["status"] == wanted):
            return
        word = "Suspended" if self.suspended else "Resumed"
        found = condition("Suspended", f"Job{word}", f"Job {word.lower()}", self.now, wanted)
        others = [one for one in self.status.get("conditions") or () if one["type"] != "Suspended"]
        self.status["conditions"] = [*others, found]
        self.made.events.append(("Normal", word, f"Job {word.lower()}"))
        if not self.suspended:
            self.status["startTime"] = to_text(self.now)

    def _track(self, verdict: Verdict | None) -> None:
        """Note what ended, so that it is counted once its finalizer is gone."""
        kept = {_uid(pod) for pod in self.made.release}
        if verdict is None:
            kept |= {_uid(pod) for pod in self.last_failures.values()}
        for pod in self.tracked:
            failed = self._is_failed(pod)
            if _uid(pod) in kept or not (verdict or phase(pod) == "Succeeded" or failed):
                continue
            self.made.release.append(pod)
            failing = verdict is not None and verdict[0] == "FailureTarget"
            if phase(pod) == "Succeeded":
                if self.succeeded_indexes is None:
                    self._note("succeeded", pod)
            elif (failed or failing) and on_failure(self.job, pod)[0] != "Ignore":
                self._note("failed", pod)
        if self.succeeded_indexes is not None:
            self._set("succeeded", len(self.succeeded_indexes))
            self._set("completedIndexes", indexes.text_of(self.succeeded_indexes))
            if self.per_index:
                self.status["failedIndexes"] = indexes.text_of(self.failed_indexes)

    def _note(self, kind: str, pod: Object) -> None:
        noted = self.uncounted.setdefault(kind, [])
        if _uid(pod) not in noted:
            noted.append(_uid(pod))

    def _set(self, name: str, value: object) -> None:
        self.status.pop(name, None)
        if value:
            self.status[name] = value

    def _conclude(self, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        kind, reason, message = verdict
        conditions = self.status.setdefault("conditions", [])
        if find_condition(self.status, kind) is None:
            conditions.append(condition(kind, reason, message, self.now))
        elif not any(self.uncounted.values()) and not self.terminating and not self.tracked:
            final = condition(_FINAL[kind], reason, message, self.now)
            conditions.append(final)
            if kind == "SuccessCriteriaMet":
                self.status["completionTime"] = final["lastTransitionTime"]
                self.made.events.append(("Normal", "Completed", "Job completed"))
            else:
                self.made.events.append(("Warning", reason, message))


def _uid(pod: Object) -> str:
    found: str = pod["metadata"]["uid"]
    return found


def _is_going(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def _finished_at(pod: Object) -> datetime:
    """When the pod ended: its last container, else when it was no more ready, was deleted, or was made."""
    states = [container["state"].get("terminated") for container in pod["status"].get("containerStatuses") or ()]
    if states and all(states):
        return max(datetime.fromisoformat(ended["finishedAt"]) for ended in states if ended)
    for found in pod["status"].get("conditions") or ():
        if found["type"] == "Ready" and found["status"] == "False":
            return datetime.fromisoformat(found["lastTransitionTime"])
    meta = pod["metadata"]
    if "deletionTimestamp" in meta:
        grace = timedelta(seconds=meta.get("deletionGracePeriodSeconds", 0))
        return datetime.fromisoformat(meta["deletionTimestamp"]) - grace
    return datetime.fromisoformat(meta["creationTimestamp"])
