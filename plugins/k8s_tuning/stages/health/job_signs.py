"""What a Job itself says of its health: its phase, conditions, indexes, and that it does not end.

Reasons of conditions are batch/v1's (kubernetes pkg/apis/batch/types.go).
"""

from __future__ import annotations

import re

from k8s_tuning.stages.health.event_signs import pods_refused
from k8s_tuning.stages.health.reasons import CONDITION, Rank, sentence
from k8s_tuning.stages.health.sign import Sign, said
from k8s_tuning.stages.monitor.snapshot import ENDED_PODS, K8sJobStatus, K8sPodStatus

_KUEUE = "kueue.x-k8s.io/queue-name"
_RANGE = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10})?)?")
_OWN_CONTROLLER = "kubernetes.io/job-controller"
_PHASE_REASONS = {"PENDING": "pending", "FAILED": "job_failed", "UNKNOWN": "unknown_phase"}
_HEALTHY_PHASES = ("SUCCEEDED", "RUNNING")


def job_signs(job: K8sJobStatus) -> list[Sign]:
    """The signs that need no single pod."""
    refused = pods_refused(job)
    # That such a Job has not started follows from it.
    phase = None if refused and job.phase != "FAILED" else _phase(job)
    found = [refused, phase, _condition(job), _failed_indexes(job), _uncounted(job), _deleting(job)]
    return [sign for sign in found if sign is not None]


def phase_reason(phase: str) -> str:
    """D33's reason for a phase that is not well."""
    return _PHASE_REASONS.get(phase, "unexpected_phase")


def failure_reason(job: K8sJobStatus) -> str:
    """The reason for a pod's plain failure that counts: an index's that is past its limit, or the phase's own."""
    return "index_failed" if job.phase == "RUNNING" else phase_reason(job.phase)


def is_held(job: K8sJobStatus) -> bool:
    """Whether somebody holds the Job on purpose, before it has pods."""
    return job.suspended and job.phase == "PENDING"


def index_in(indexes: str | None, index: int | None) -> bool:
    """Whether an index is one of "1,3-5", as completedIndexes and failedIndexes are written."""
    ranges = [_RANGE.fullmatch(part.strip()) for part in (indexes or "").split(",")]
    return index is not None and any(int(found[1]) <= index <= int(found[2] or found[1]) for found in ranges if found)


def _phase(job: K8sJobStatus) -> Sign | None:
    if job.phase in _HEALTHY_PHASES:
        return None
    reason = phase_reason(job.phase)
    cause = _why_pending(job) if reason == "pending" else sentence(reason, phase=job.phase)
    return Sign(reason, cause, since=job.created_at, rank=Rank.CAUSE if is_held(job) else None)


def _why_pending(job: K8sJobStatus) -> str:
    queue = job.labels.get(_KUEUE)
    if job.suspended:
        by = f"Kueue's queue {queue} has not admitted it" if queue else "it starts when somebody resumes it"
        return f"the Job is suspended: {by}"
    if job.managed_by and job.managed_by != _OWN_CONTROLLER:
        return f"the Job has not started: {job.managed_by} manages it, not this cluster's Job controller"
    if job.parallelism == 0:
        return "the Job's parallelism is 0: it has no pod until somebody raises that"
    return "the Job has no pod yet" if job.start_time else "the Job has not started"


def _condition(job: K8sJobStatus) -> Sign | None:
    if job.phase != "FAILED" or not (job.condition_reason or job.condition_message):
        return None
    why = said(job.condition_reason, job.condition_message)
    known = CONDITION.get(job.condition_reason)
    if known is None:
        return Sign("job_failed", f"the Job failed: {why}", rank=Rank.CONSEQUENCE)
    return Sign(known.reason, known.sentence.format(why=why))


def _failed_indexes(job: K8sJobStatus) -> Sign | None:
    """Past its limit an index is not retried: a Job that runs on with the others will fail, or meet its policy."""
    if job.phase != "RUNNING" or not job.failed_indexes:
        return None
    indexes = job.failed_indexes if len(job.failed_indexes) <= 60 else f"{job.failed_indexes[:60]}…"
    cause = f"index {indexes} failed and is not tried again, while the Job runs on"
    return Sign("index_failed", cause, mild=job.has_success_policy)


def _uncounted(job: K8sJobStatus) -> Sign | None:
    """The Job controller counts a pod within seconds of its end; where it does not, the Job never ends."""
    ended = [pod for pod in job.pods if pod.phase in ENDED_PODS]
    if job.phase not in ("RUNNING", "PENDING") or is_held(job) or not ended or len(ended) < len(job.pods):
        return None
    if not job.uncounted and len(ended) <= job.succeeded + job.failed:
        return None
    since = max(_end(pod) for pod in ended)
    pods = f"pod {ended[0].pod_name} has" if len(ended) == 1 else f"all {len(ended)} pods have"
    cause = f"{pods} ended (the last at {since or 'an unknown time'}), and the Job controller has not counted that"
    return Sign("not_ending", cause, since=since or None)


def _end(pod: K8sPodStatus) -> str:
    ends = [container.finished_at for container in pod.containers if container.finished_at]
    disrupted = [c.last_transition_time for c in pod.conditions if c.last_transition_time]
    return max(ends or disrupted or [pod.created_at or ""])


def _deleting(job: K8sJobStatus) -> Sign | None:
    if job.deleted_at is None:
        return None
    held = f"; its finalizers hold it: {', '.join(job.finalizers)}" if job.finalizers else ""
    return Sign("not_deleted", sentence("not_deleted", since=job.deleted_at, held=held), since=job.deleted_at)
