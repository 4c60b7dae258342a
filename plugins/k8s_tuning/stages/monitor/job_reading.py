"""Jobs as the API gives them, read into D32's facts: the phase, and what its counts and conditions say.

Pure; odd objects are no error (`api_values`). Source: the batch/v1 Job reference
(https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/); pods are read by `pod_reading`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.stages.api_values import Json, count, mapping, mappings, number, text, text_list, texts
from k8s_tuning.stages.monitor.pod_reading import pod_status
from k8s_tuning.stages.monitor.snapshot import ENDED, K8sJobStatus
from k8s_tuning.stages.validate.secrets import LAST_APPLIED, shown_text

# The longest list of indexes that the Job controller writes is far below it.
_LONGEST_INDEXES = 50_000
_COUNTS = ("succeeded", "failed", "active")


def job_status(job: Json, pods: Iterable[Json] = ()) -> K8sJobStatus:
    """A batch/v1 Job and its pods, as the API gives them. Missing or odd fields are absent facts, never an error."""
    metadata, spec, status = mapping(job, "metadata"), mapping(job, "spec"), mapping(job, "status")
    phase, condition = _phase(job)
    # kubectl writes down the whole manifest that it applied, environment included.
    annotations = texts(metadata, "annotations")
    uncounted = mapping(status, "uncountedTerminatedPods")
    return K8sJobStatus(
        job_name=text(metadata, "name") or "",
        namespace=text(metadata, "namespace") or "",
        labels=texts(metadata, "labels"),
        completions=number(spec, "completions"),
        succeeded=count(status, "succeeded"),
        failed=count(status, "failed"),
        active=count(status, "active"),
        phase=phase,
        start_time=text(status, "startTime"),
        completion_time=text(status, "completionTime"),
        uid=text(metadata, "uid") or "",
        created_at=text(metadata, "creationTimestamp"),
        annotations={name: shown_text(value) for name, value in annotations.items() if name != LAST_APPLIED},
        condition_reason=text(condition, "reason"),
        condition_message=text(condition, "message"),
        condition_time=text(condition, "lastTransitionTime"),
        pods=[pod_status(pod) for pod in pods],
        parallelism=number(spec, "parallelism"),
        backoff_limit=number(spec, "backoffLimit"),
        suspended=spec.get("suspend") is True or condition.get("type") == "Suspended",
        managed_by=text(spec, "managedBy"),
        has_success_policy=bool(mapping(spec, "successPolicy")),
        template_containers=[
            name
            for container in mappings(mapping(mapping(spec, "template"), "spec"), "containers")
            if (name := text(container, "name"))
        ],
        ready=number(status, "ready"),
        terminating=number(status, "terminating"),
        uncounted=sum(len(text_list(uncounted, kind)) for kind in ("succeeded", "failed")),
        completed_indexes=(text(status, "completedIndexes") or "")[:_LONGEST_INDEXES] or None,
        failed_indexes=(text(status, "failedIndexes") or "")[:_LONGEST_INDEXES] or None,
        deleted_at=text(metadata, "deletionTimestamp"),
        finalizers=text_list(metadata, "finalizers"),
    )


def job_times(job: K8sJobStatus) -> tuple[str | None, str | None]:
    """When a Job started, and when it ended, whether well or not; None where it has not, or nobody says when."""
    ended = (job.completion_time or job.condition_time) if job.phase in ENDED else None
    return _instant(job.start_time), _instant(ended)


def _phase(job: Json) -> tuple[str, Json]:
    """The phase, and the condition that decided it ({} where none did)."""
    spec, status = mapping(job, "spec"), mapping(job, "status")
    conditions = {text(c, "type"): c for c in mappings(status, "conditions") if c.get("status") == "True"}
    # The two newer ones (1.31) say what the Job will be as soon as its last pods have gone.
    for kind, phase in (
        ("Complete", "SUCCEEDED"),
        ("Failed", "FAILED"),
        ("FailureTarget", "FAILED"),
        ("SuccessCriteriaMet", "SUCCEEDED"),
        ("Suspended", "PENDING"),
    ):
        if kind in conditions:
            return phase, conditions[kind]
    if spec.get("suspend") is True:
        return "PENDING", {}
    if not text(mapping(job, "metadata"), "name") or not _is_readable(job.get("status"), status):
        return "UNKNOWN", {}
    succeeded, failed, active = (count(status, key) for key in _COUNTS)
    completions, backoff_limit = number(spec, "completions"), number(spec, "backoffLimit")
    uncounted = mapping(status, "uncountedTerminatedPods")
    if not status.get("startTime"):
        return "PENDING", {}
    if active or uncounted.get("succeeded") or uncounted.get("failed") or count(status, "terminating"):
        return "RUNNING", {}
    if succeeded and succeeded >= (completions or 1):
        return "SUCCEEDED", {}
    if failed and (backoff_limit is None or failed > backoff_limit):
        return "FAILED", {}
    # Between two pods: the next one of several completions, or the retry that waits for its back-off.
    if succeeded or failed:
        return "RUNNING", {}
    # Newer servers (seen on 1.36) say when a Job started as soon as they have seen it, before there is a pod.
    return "PENDING", {}


def _is_readable(given: Any, status: Json) -> bool:
    return (given is None or isinstance(given, dict)) and all(
        status.get(key) is None or number(status, key) is not None for key in _COUNTS
    )


def _instant(said: str | None) -> str | None:
    try:
        return None if said is None else timestamps.to_text(timestamps.to_datetime(said))
    except InputError:
        return None
