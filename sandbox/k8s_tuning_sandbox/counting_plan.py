"""The Job controller's decisions as v1.20 has them: it counts the pods that are there. Pure.

(k8s.io/kubernetes/pkg/controller/job/job_controller.go)
"""

from __future__ import annotations

import copy
from datetime import datetime

from k8s_tuning.timestamps import seconds_between, to_text
from k8s_tuning_sandbox.plans import (
    ENDED,
    Attempts,
    NewPod,
    Plan,
    Situation,
    condition,
    past_restarts,
    phase,
    set_counts,
)
from k8s_tuning_sandbox.resources import Object

_LIMIT = "BackoffLimitExceeded", "Job has reached the specified backoff limit"


def plan(situation: Situation) -> Plan:
    """What to do about a Job that is not over."""
    job, now = situation.job, situation.now
    status: Object = copy.deepcopy(job.get("status") or {})
    # A start time alone is no reason to write.
    made = Plan(status, situation.attempts, worth_writing=("active", "succeeded", "failed", "conditions"))
    active = [pod for pod in situation.pods if phase(pod) not in ENDED and "deletionTimestamp" not in pod["metadata"]]
    succeeded, failed = (sum(phase(pod) == ended for pod in situation.pods) for ended in ENDED)
    if "startTime" not in status:
        status["startTime"] = to_text(now)
        if (deadline := job["spec"].get("activeDeadlineSeconds")) is not None:
            made.sync_within(deadline)
    count = len(active)
    if (failure := _failure(job, status, situation.pods, count, failed, now)) is not None:
        made.delete += active
        failed, count = failed + count, 0
        status["conditions"] = [condition("Failed", *failure, now)]
        made.events.append(("Warning", *failure))
    else:
        count = _manage(job["spec"], active, succeeded, made)
        if _complete(job["spec"], succeeded, count):
            status["conditions"] = [condition("Complete", "", "", now)]
            status["completionTime"] = to_text(now)
            made.events.append(("Normal", "Completed", "Job completed"))
    if succeeded > status.get("succeeded", 0):
        made.attempts = Attempts()
    set_counts(status, active=count, succeeded=succeeded, failed=failed)
    return made


def _failure(
    job: Object, status: Object, pods: list[Object], active: int, failed: int, now: datetime
) -> tuple[str, str] | None:
    spec = job["spec"]
    new = failed > status.get("failed", 0)
    if (new and active != spec["parallelism"] and failed > spec["backoffLimit"]) or past_restarts(job, pods):
        return _LIMIT
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and seconds_between(status["startTime"], to_text(now)) >= deadline:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _manage(spec: Object, active: list[Object], succeeded: int, made: Plan) -> int:
    count = len(active)
    wanted: int = spec["parallelism"]
    if count < wanted:
        missing = wanted - count
        if "completions" in spec:
            missing = min(missing, spec["completions"] - succeeded - count)
        elif succeeded:
            missing = 0
        wanted = count + max(missing, 0)
    made.delete += active[wanted:]
    made.create += [NewPod()] * (wanted - count)
    return wanted


def _complete(spec: Object, succeeded: int, active: int) -> bool:
    if "completions" in spec:
        return bool(succeeded >= spec["completions"])
    return succeeded > 0 and active == 0
