"""The Job controller's decisions as they are since 1.26: a finalizer keeps each pod until it is counted. Pure.

A controller of today writes the status several times in one go; here each of these steps is a plan of its own.
(k8s.io/kubernetes/pkg/controller/job/job_controller.go of 1.36)
"""

from __future__ import annotations

import copy
from datetime import datetime

from k8s_tuning.timestamps import to_text
from k8s_tuning_sandbox import indexes
from k8s_tuning_sandbox.job_policies import on_failure, success
from k8s_tuning_sandbox.plans import (
    ENDED,
    Attempts,
    NewPod,
    Plan,
    Situation,
    condition,
    find_condition,
    past_restarts,
    phase,
    set_counts,
)
from k8s_tuning_sandbox.pod_counts import PodCounts, finished_at, is_ready, uid_of
from k8s_tuning_sandbox.resources import Object

Verdict = tuple[str, str, str]

_BACKOFF_LIMIT = "FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
_DEADLINE = "FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline"
_MANY_FAILED = "Job has exceeded the specified maximal number of failed indexes"
_FAILED_INDEXES = "FailureTarget", "FailedIndexes", "Job has failed indexes"
_COMPLETE = "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
_FINAL = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}


def plan(situation: Situation) -> Plan:
    """What to do about a Job that is not over."""
    return _Planning(situation).plan()


class _Planning:
    """One pass over a Job."""

    def __init__(self, situation: Situation) -> None:
        self.job, self.spec = situation.job, situation.job["spec"]
        self.now, self.backoff = situation.now, situation.backoff
        self.status: Object = copy.deepcopy(self.job.get("status") or {})
        self.made = Plan(self.status, situation.attempts)
        self.pods = situation.pods
        self.counts = PodCounts(self.job, self.pods, self.status)
        self.terminating = self.counts.terminating

    @property
    def suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    def plan(self) -> Plan:
        if "startTime" not in self.status and not self.suspended:
            self.status["startTime"] = to_text(self.now)
        self._note_attempts()
        verdict = self._verdict()
        if verdict is not None:
            self.made.delete += self.counts.active
            self.terminating += len(self.counts.active)
            active: list[Object] = []
            count = 0
        else:
            active, count = self._manage()
            if self._is_complete(count):
                verdict = _COMPLETE
            elif "deletionTimestamp" not in self.job["metadata"]:
                self._note_suspension()
        set_counts(self.status, active=count)
        self.status["ready"] = sum(is_ready(pod) for pod in active)
        self.status["terminating"] = self.terminating
        self._track(verdict)
        self._conclude(verdict)
        return self.made

    def _note_attempts(self) -> None:
        ended = [finished_at(pod) for pod in self.counts.new_succeeded]
        failed = sorted(finished_at(pod) for pod in self.counts.new_failed)
        if ended:
            failed = [time for time in failed if time > max(ended)]
            self.made.attempts = Attempts(len(failed), failed[-1] if failed else None)
        elif failed and not self.counts.per_index:
            self.made.attempts = Attempts(self.made.attempts.failures + len(failed), failed[-1])

    def _verdict(self) -> Verdict | None:
        """The interim condition that the Job has or gets: that it will be Complete, or Failed."""
        for kind in _FINAL:
            if (found := find_condition(self.status, kind)) is not None:
                return kind, found["reason"], found["message"]
        for pod in self.pods:
            if self.counts.is_failed(pod):
                action, message = on_failure(self.job, pod)
                if action == "FailJob":
                    return "FailureTarget", "PodFailurePolicy", message
        if self.counts.failed > self.spec["backoffLimit"] or past_restarts(self.job, self.pods):
            return _BACKOFF_LIMIT
        if (seconds := self.spec.get("activeDeadlineSeconds")) is not None and not self.suspended:
            left = seconds - (self.now - datetime.fromisoformat(self.status["startTime"])).total_seconds()
            if left <= 0:
                return _DEADLINE
            self.made.sync_within(left)
        if self.counts.succeeded_indexes is None:
            return None
        if self.counts.failed_indexes:
            if len(self.counts.failed_indexes) > self.spec.get("maxFailedIndexes", self.spec["completions"]):
                return "FailureTarget", "MaxFailedIndexesExceeded", _MANY_FAILED
            if len(self.counts.failed_indexes) + len(self.counts.succeeded_indexes) >= self.spec["completions"]:
                return _FAILED_INDEXES
        met = success(self.job, self.counts.succeeded_indexes)
        return None if met is None else ("SuccessCriteriaMet", "SuccessPolicy", met)

    def _manage(self) -> tuple[list[Object], int]:
        """The active pods that stay, and how many there are with the new ones."""
        active = self.counts.active
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
        missing = wanted - len(active) - (self.terminating if self.counts.only_replaces_ended else 0)
        if missing <= 0:
            return active, len(active)
        new, wait = self._new_pods(missing)
        if wait > 0:
            # So does the real controller: what still runs is not named while a retry waits.
            self.made.sync_within(wait)
            return active, 0
        self.made.create += new
        return active, len(active) + len(new)

    def _wanted(self) -> int:
        parallelism: int = self.spec["parallelism"]
        if "completions" not in self.spec:
            return len(self.counts.active) if self.counts.succeeded else parallelism
        left: int = self.spec["completions"] - self.counts.succeeded - len(self.counts.failed_indexes)
        return max(min(left, parallelism), 0)

    def _new_pods(self, count: int) -> tuple[list[NewPod], float]:
        """Pods to make now, or the seconds until there are some."""
        if not self.counts.per_index and (wait := self.made.attempts.wait(self.now, self.backoff)) > 0:
            return [], wait
        if self.counts.succeeded_indexes is None:
            return [NewPod()] * count, 0
        taken = (
            {indexes.index_of(pod) for pod in self.counts.active}
            | self.counts.succeeded_indexes
            | self.counts.failed_indexes
        )
        if self.counts.only_replaces_ended:
            taken |= {indexes.index_of(pod) for pod in self.pods if phase(pod) not in ENDED}
        free = indexes.first_pending(count, self.spec["completions"], {index for index in taken if index is not None})
        if not self.counts.per_index:
            return [NewPod(index) for index in free], 0
        new, waits = [], []
        for index in free:
            last = self.counts.last_failures.get(index)
            failures = 0 if last is None else indexes.failures_of(last) + (on_failure(self.job, last)[0] != "Ignore")
            wait = 0.0 if last is None else Attempts(max(failures, 1), finished_at(last)).wait(self.now, self.backoff)
            if wait <= 0:
                new.append(NewPod(index, failures))
            else:
                waits.append(wait)
        return new, 0 if new or not waits else min(waits)

    def _is_complete(self, active: int) -> bool:
        if "completions" not in self.spec:
            return self.counts.succeeded > 0 and not self.counts.active
        return active == 0 and not self.counts.active and self.counts.succeeded >= self.spec["completions"]

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
        kept = {uid_of(pod) for pod in self.made.release}
        if verdict is None:
            kept |= {uid_of(pod) for pod in self.counts.last_failures.values()}
        for pod in self.counts.tracked:
            failed = self.counts.is_failed(pod)
            if uid_of(pod) in kept or not (verdict or phase(pod) == "Succeeded" or failed):
                continue
            self.made.release.append(pod)
            failing = verdict is not None and verdict[0] == "FailureTarget"
            if phase(pod) == "Succeeded":
                if self.counts.succeeded_indexes is None:
                    self._note("succeeded", pod)
            elif (failed or failing) and on_failure(self.job, pod)[0] != "Ignore":
                self._note("failed", pod)
        if self.counts.succeeded_indexes is not None:
            done = self.counts.succeeded_indexes
            set_counts(self.status, succeeded=len(done), completedIndexes=indexes.text_of(done))
            if self.counts.per_index:
                self.status["failedIndexes"] = indexes.text_of(self.counts.failed_indexes)

    def _note(self, kind: str, pod: Object) -> None:
        noted = self.counts.uncounted.setdefault(kind, [])
        if uid_of(pod) not in noted:
            noted.append(uid_of(pod))

    def _conclude(self, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        kind, reason, message = verdict
        conditions = self.status.setdefault("conditions", [])
        if find_condition(self.status, kind) is None:
            conditions.append(condition(kind, reason, message, self.now))
        elif not any(self.counts.uncounted.values()) and not self.terminating and not self.counts.tracked:
            final = condition(_FINAL[kind], reason, message, self.now)
            conditions.append(final)
            if kind == "SuccessCriteriaMet":
                self.status["completionTime"] = final["lastTransitionTime"]
                self.made.events.append(("Normal", "Completed", "Job completed"))
            else:
                self.made.events.append(("Warning", reason, message))
