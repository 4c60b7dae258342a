"""Jobs and pods as the API gives them, read into D32's facts: the phase, the containers' fates, which logs there are.

Pure, and patient with odd objects: a missing or mistyped field is an absent fact. Sources: the batch/v1 and core/v1
API references (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.stages.monitor import K8sContainerStatus, K8sJobStatus, K8sPodStatus
from k8s_tuning.stages.quantities import parse_quantity

Json = dict[str, Any]


@dataclass(frozen=True)
class LogWanted:
    """One container's log worth asking for; `previous`: that of its run before the last restart."""

    pod_name: str
    container_name: str
    previous: bool = False


def job_status(job: Json, pods: Iterable[Json] = ()) -> K8sJobStatus:
    """A batch/v1 Job and its pods, as the API gives them. Missing or odd fields are absent facts, never an error."""
    metadata, spec, status = _dict(job, "metadata"), _dict(job, "spec"), _dict(job, "status")
    phase, condition = _phase(spec, status)
    return K8sJobStatus(
        job_name=_text(metadata, "name") or "",
        namespace=_text(metadata, "namespace") or "",
        labels=_texts(metadata, "labels"),
        completions=_number(spec, "completions"),
        succeeded=_count(status, "succeeded"),
        failed=_count(status, "failed"),
        active=_count(status, "active"),
        phase=phase,
        start_time=_text(status, "startTime"),
        completion_time=_text(status, "completionTime"),
        uid=_text(metadata, "uid") or "",
        created_at=_text(metadata, "creationTimestamp"),
        annotations=_texts(metadata, "annotations"),
        condition_reason=_text(condition, "reason"),
        condition_message=_text(condition, "message"),
        condition_time=_text(condition, "lastTransitionTime"),
        pods=[pod_status(pod) for pod in pods],
    )


def job_times(job: K8sJobStatus) -> tuple[str | None, str | None]:
    """When a Job started, and when it ended, whether well or not; None where it has not, or nobody says when."""
    ended = (job.completion_time or job.condition_time) if job.phase in ("SUCCEEDED", "FAILED") else None
    return _instant(job.start_time), _instant(ended)


def pod_status(pod: Json) -> K8sPodStatus:
    """A pod as the API gives it. A pod without container statuses (evicted, never started) has no containers here."""
    metadata, status = _dict(pod, "metadata"), _dict(pod, "status")
    scheduled = next((c for c in _dicts(status, "conditions") if c.get("type") == "PodScheduled"), {})
    unscheduled = scheduled.get("status") == "False" and scheduled.get("reason") in ("Unschedulable", "SchedulingGated")
    return K8sPodStatus(
        pod_name=_text(metadata, "name") or "",
        namespace=_text(metadata, "namespace") or "",
        phase=_text(status, "phase") or "Unknown",
        reason=_text(status, "reason"),
        message=_text(status, "message"),
        node=_text(_dict(pod, "spec"), "nodeName"),
        created_at=_text(metadata, "creationTimestamp"),
        unschedulable=(_text(scheduled, "message") or _text(scheduled, "reason")) if unscheduled else None,
        containers=[_container_status(status) for status in _container_statuses(pod)],
    )


def owner_uids(pod: Json) -> set[str]:
    """The uids of the objects that own a pod: its Job's is among them, whatever the pod's labels say."""
    return {str(owner.get("uid")) for owner in _dicts(_dict(pod, "metadata"), "ownerReferences") if owner.get("uid")}


def logs_wanted(pod: Json) -> list[LogWanted]:
    """The logs that a pod can have: of every container that has started, and of the run before, where one crashed.

    A container that waits for its restart has only the log of the run that crashed (the kubelet gives the same text
    with and without `previous`). Without container statuses every container of a pod that left Pending is asked for.
    """
    name = _text(_dict(pod, "metadata"), "name")
    spec, status = _dict(pod, "spec"), _dict(pod, "status")
    if not name or not spec.get("nodeName"):
        return []
    wanted = []
    statuses = _container_statuses(pod)
    for container in statuses:
        container_name = _text(container, "name")
        if not container_name:
            continue
        state = _dict(container, "state")
        if "running" in state or "terminated" in state:
            wanted.append(LogWanted(name, container_name))
        if "terminated" in _dict(container, "lastState"):
            wanted.append(LogWanted(name, container_name, previous=True))
    if not statuses and status.get("phase") in ("Running", "Succeeded", "Failed"):
        wanted = [LogWanted(name, str(c["name"])) for c in _dicts(spec, "containers") if c.get("name")]
    return wanted


def usage_by_pod(pod_metrics: Iterable[Json]) -> dict[str, tuple[int | None, int | None]]:
    """PodMetrics (metrics.k8s.io) as {pod: (CPU in millicores, memory in bytes)}, rounded up as `kubectl top` does.

    None where a container's figure is missing or not a quantity: a sum without it would be made up.
    """
    usage = {}
    for entry in pod_metrics:
        containers = [_dict(container, "usage") for container in _dicts(entry, "containers")]
        cores, memory = (_sum([container.get(key) for container in containers]) for key in ("cpu", "memory"))
        usage[_text(_dict(entry, "metadata"), "name") or ""] = (
            None if cores is None else math.ceil(cores * 1000),
            None if memory is None else math.ceil(memory),
        )
    return usage


def log_lines(body: bytes, max_lines: int) -> list[str]:
    """The last `max_lines` lines of a log. What is not UTF-8, and NULs (databases refuse them), become U+FFFD."""
    text = body.decode("utf-8", errors="replace").replace("\0", "�")
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines[-max_lines:]]


def _phase(spec: Json, status: Json) -> tuple[str, Json]:
    """The phase, and the condition that decided it ({} where none did)."""
    conditions = {c.get("type"): c for c in _dicts(status, "conditions") if c.get("status") == "True"}
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
    succeeded, failed, active = (_count(status, key) for key in ("succeeded", "failed", "active"))
    completions, backoff_limit = _number(spec, "completions"), _number(spec, "backoffLimit")
    uncounted = _dict(status, "uncountedTerminatedPods")
    if not status.get("startTime"):
        return "PENDING", {}
    if active or uncounted.get("succeeded") or uncounted.get("failed") or _count(status, "terminating"):
        return "RUNNING", {}
    if succeeded and succeeded >= (completions or 1):
        return "SUCCEEDED", {}
    if failed and (backoff_limit is None or failed > backoff_limit):
        return "FAILED", {}
    # Between two pods: the next one of several completions, or the retry that waits for its back-off.
    if succeeded or failed:
        return "RUNNING", {}
    return "UNKNOWN", {}


def _container_statuses(pod: Json) -> list[Json]:
    status = _dict(pod, "status")
    return [*_dicts(status, "initContainerStatuses"), *_dicts(status, "containerStatuses")]


def _container_status(container: Json) -> K8sContainerStatus:
    state = _dict(container, "state")
    waiting = _dict(state, "waiting")
    terminated = _dict(state, "terminated") or _dict(_dict(container, "lastState"), "terminated")
    return K8sContainerStatus(
        name=_text(container, "name") or "",
        restart_count=_count(container, "restartCount"),
        waiting_reason=_text(waiting, "reason"),
        waiting_message=_text(waiting, "message"),
        terminated_reason=_text(terminated, "reason"),
        terminated_message=_text(terminated, "message"),
        exit_code=_number(terminated, "exitCode"),
        finished_at=_text(terminated, "finishedAt"),
    )


def _sum(quantities: list[Any]) -> Decimal | None:
    parsed = [parse_quantity(quantity) if isinstance(quantity, str) else None for quantity in quantities]
    known = [quantity for quantity in parsed if quantity is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(parsed) else None


def _instant(text: str | None) -> str | None:
    try:
        return None if text is None else timestamps.to_text(timestamps.to_datetime(text))
    except InputError:
        return None


def _dict(source: Json, key: str) -> Json:
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def _dicts(source: Json, key: str) -> list[Json]:
    value = source.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(source: Json, key: str) -> str | None:
    value = source.get(key)
    return value if isinstance(value, str) and value else None


def _texts(source: Json, key: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in _dict(source, key).items()}


def _number(source: Json, key: str) -> int | None:
    value = source.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _count(source: Json, key: str) -> int:
    return _number(source, key) or 0
