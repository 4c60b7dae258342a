"""Jobs and pods as the API gives them since 1.26, shaped as real clusters recorded them, and what D33 says of them."""

from __future__ import annotations

from typing import Any

from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, K8sJobHealth
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot

NOW = "2026-11-25T09:00:00Z"
CREATED, STARTED, ENDED = "2026-11-25T06:00:00Z", "2026-11-25T06:00:05Z", "2026-11-25T06:10:00Z"
LATER = "2026-11-25T06:20:00Z"
A_MOMENT_AGO = "2026-11-25T08:59:50Z"
LIMIT_REACHED = {
    "type": "Failed",
    "status": "True",
    "reason": "BackoffLimitExceeded",
    "message": "Job has reached the specified backoff limit",
    "lastTransitionTime": LATER,
}
FAILED = {"failed": 1, "conditions": [LIMIT_REACHED]}
Json = dict[str, Any]


def ended(code: int = 0, reason: str = "", at: str = ENDED, **more: str) -> Json:
    why = reason or ("Error" if code else "Completed")
    return {"terminated": {"exitCode": code, "reason": why, "startedAt": STARTED, "finishedAt": at, **more}}


RUNNING: Json = {"running": {"startedAt": STARTED}}


def waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, "message": message}}


def pod(
    phase: str = "Running",
    containers: dict[str, Json] | None = None,
    *,
    init: dict[str, Json] | None = None,
    native: tuple[str, ...] = (),
    conditions: tuple[Json, ...] = (),
    metadata: Json | None = None,
    spec: Json | None = None,
    name: str = "p",
    **status: Any,
) -> Json:
    """A pod of the node node-7. `native`: which of `init` have restartPolicy Always. Statuses come sorted by name."""
    containers, init = containers or {}, init or {}
    return {
        "metadata": {"name": name, "creationTimestamp": CREATED, **(metadata or {})},
        "spec": {
            "nodeName": "node-7",
            "restartPolicy": "Never",
            "initContainers": [{"name": n, **({"restartPolicy": "Always"} if n in native else {})} for n in init],
            "containers": [{"name": n} for n in containers],
            **(spec or {}),
        },
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "initContainerStatuses": [status_of(n, state) for n, state in sorted(init.items())],
            "containerStatuses": [status_of(n, state) for n, state in sorted(containers.items())],
            **status,
        },
    }


def status_of(name: str, state: Json) -> Json:
    """A container status; what the state says beside its kind belongs to the status."""
    kinds = {key: value for key, value in state.items() if key in ("running", "waiting", "terminated")}
    rest = {key: value for key, value in state.items() if key not in kinds}
    return {"name": name, "restartCount": 0, "ready": "running" in kinds, "state": kinds, **rest}


def disrupted(reason: str, message: str, at: str | None = None) -> Json:
    condition: Json = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return condition | ({"lastTransitionTime": at} if at else {})


def job(
    status: Json, *pods: Json, spec: Json | None = None, metadata: Json | None = None, name: str = "j"
) -> K8sJobStatus:
    raw = {
        "metadata": {"name": name, "namespace": "n", "creationTimestamp": CREATED, **(metadata or {})},
        "spec": {"completions": 1, "backoffLimit": 0, **(spec or {})},
        "status": {"startTime": CREATED, **status},
    }
    return job_status(raw, pods)


def judge(status: Json, *pods: Json, spec: Json | None = None, metadata: Json | None = None) -> K8sJobHealth:
    one = job(status, *pods, spec=spec, metadata=metadata)
    snapshot = K8sMonitorSnapshot("n", "a=b", [one], [], "2000-01-01T00:00:00Z", server_time=NOW)
    return K8sHealthEvaluator().evaluate(snapshot).jobs_health[0]


def said(result: K8sJobHealth) -> tuple[str, list[str], int | None]:
    return result.health.value, result.reasons, result.exit_code
