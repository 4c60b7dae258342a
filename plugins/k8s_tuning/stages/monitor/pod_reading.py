"""Pods as the API gives them, read into D32's facts: conditions, deletion, how containers ended, which logs there are.

Pure; odd objects are no error (`api_values`). Source: the core/v1 Pod reference
(https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from k8s_tuning.printable import log_line
from k8s_tuning.stages.api_values import Json, count, flag, mapping, mappings, number, text, texts
from k8s_tuning.stages.monitor.snapshot import ENDED_PODS, K8sContainerStatus, K8sPodCondition, K8sPodStatus
from k8s_tuning.stages.quantities import parse_quantity

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
# A pod's conditions are the kubelet's, the scheduler's and a few controllers'; more is none of theirs.
_MOST_CONDITIONS, _LONGEST_MESSAGE = 16, 1_000


@dataclass(frozen=True)
class LogWanted:
    """One container's log worth asking for; `previous`: that of its run before the last restart."""

    pod_name: str
    container_name: str
    previous: bool = False


def pod_status(pod: Json) -> K8sPodStatus:
    """A pod as the API gives it. A pod without container statuses (evicted, never started) has no containers here."""
    metadata, spec, status = mapping(pod, "metadata"), mapping(pod, "spec"), mapping(pod, "status")
    phase = text(status, "phase") or "Unknown"
    scheduled = next((c for c in mappings(status, "conditions") if c.get("type") == "PodScheduled"), {})
    unscheduled = text(scheduled, "reason") if scheduled.get("status") == "False" else None
    return K8sPodStatus(
        pod_name=text(metadata, "name") or "",
        namespace=text(metadata, "namespace") or "",
        phase=phase,
        reason=text(status, "reason"),
        message=text(status, "message"),
        node=text(spec, "nodeName"),
        created_at=text(metadata, "creationTimestamp"),
        unschedulable=(text(scheduled, "message") or unscheduled) if unscheduled == "Unschedulable" else None,
        containers=_containers(spec, status),
        conditions=_conditions(status, phase),
        deleted_at=text(metadata, "deletionTimestamp"),
        deletion_grace_seconds=number(metadata, "deletionGracePeriodSeconds"),
        scheduling_gates=_gates(spec, unscheduled),
        completion_index=_index(metadata),
        default_container=texts(metadata, "annotations").get(DEFAULT_CONTAINER),
        claims=_claims(metadata, spec),
    )


def _claims(metadata: Json, spec: Json) -> list[str]:
    """The claims that a pod names, and those that its ephemeral volumes are given: POD-VOLUME."""
    claims = []
    for volume in mappings(spec, "volumes"):
        if (claim := text(mapping(volume, "persistentVolumeClaim"), "claimName")) is not None:
            claims.append(claim)
        elif "ephemeral" in volume:
            claims.append(f"{text(metadata, 'name')}-{text(volume, 'name')}")
    return claims


def owner_uids(pod: Json) -> set[str]:
    """The uids of the objects that own a pod: its Job's is among them, whatever the pod's labels say."""
    return {
        str(owner.get("uid")) for owner in mappings(mapping(pod, "metadata"), "ownerReferences") if owner.get("uid")
    }


def logs_wanted(pod: Json) -> list[LogWanted]:
    """The logs that a pod can have: of every container that has started, and of the run before, where one crashed.

    A container that waits for its restart has only the log of the run that crashed (the kubelet gives the same text
    with and without `previous`). Without container statuses every container of a pod that left Pending is asked for.
    """
    name = text(mapping(pod, "metadata"), "name")
    spec, status = mapping(pod, "spec"), mapping(pod, "status")
    if not name or not spec.get("nodeName"):
        return []
    wanted = []
    statuses = [*mappings(status, "initContainerStatuses"), *mappings(status, "containerStatuses")]
    for container in statuses:
        container_name = text(container, "name")
        if not container_name:
            continue
        state = mapping(container, "state")
        if "running" in state or "terminated" in state:
            wanted.append(LogWanted(name, container_name))
        if "terminated" in mapping(container, "lastState"):
            wanted.append(LogWanted(name, container_name, previous=True))
    if not statuses and status.get("phase") in ("Running", *ENDED_PODS):
        wanted = [LogWanted(name, str(c["name"])) for c in mappings(spec, "containers") if c.get("name")]
    return wanted


def log_lines(body: bytes, max_lines: int) -> list[str]:
    """The last `max_lines` lines of a log, each as `printable.log_line` has it. What is not UTF-8 becomes U+FFFD."""
    decoded = body.decode("utf-8", errors="replace")
    lines = decoded.removesuffix("\n").split("\n") if decoded else []
    return [log_line(line) for line in lines[-max_lines:]]


def usage_by_pod(pod_metrics: Iterable[Json]) -> dict[str, tuple[int | None, int | None]]:
    """PodMetrics (metrics.k8s.io) as {pod: (CPU in millicores, memory in bytes)}, rounded up as `kubectl top` does.

    None where a container's figure is missing or not a quantity: a sum without it would be made up.
    """
    usage = {}
    for entry in pod_metrics:
        containers = [mapping(container, "usage") for container in mappings(entry, "containers")]
        cores, memory = (_sum([container.get(key) for container in containers]) for key in ("cpu", "memory"))
        usage[text(mapping(entry, "metadata"), "name") or ""] = (
            None if cores is None else math.ceil(cores * 1000),
            None if memory is None else math.ceil(memory),
        )
    return usage


def _containers(spec: Json, status: Json) -> list[K8sContainerStatus]:
    """Init containers first, each kind in the order of the pod's spec: the kubelet sorts statuses by name."""
    found = []
    for statuses, specs, kind in (
        ("initContainerStatuses", "initContainers", "init"),
        ("containerStatuses", "containers", "container"),
    ):
        written = {str(container.get("name")): container for container in mappings(spec, specs)}
        order = list(written)
        read = [
            _container(one, written.get(str(one.get("name")), {}), kind, text(spec, "restartPolicy"))
            for one in mappings(status, statuses)
        ]
        found += sorted(read, key=lambda one: order.index(one.name) if one.name in written else len(order))
    return found


def _container(status: Json, spec: Json, kind: str, pods_policy: str | None) -> K8sContainerStatus:
    state = mapping(status, "state")
    waiting, ended_now = mapping(state, "waiting"), mapping(state, "terminated")
    terminated = ended_now or mapping(mapping(status, "lastState"), "terminated")
    policy = text(spec, "restartPolicy") or pods_policy
    now = next((name for name in ("terminated", "running", "waiting") if isinstance(state.get(name), dict)), None)
    return K8sContainerStatus(
        name=text(status, "name") or "",
        restart_count=count(status, "restartCount"),
        waiting_reason=text(waiting, "reason"),
        waiting_message=text(waiting, "message"),
        terminated_reason=text(terminated, "reason"),
        terminated_message=text(terminated, "message"),
        exit_code=number(terminated, "exitCode"),
        finished_at=text(terminated, "finishedAt"),
        kind="sidecar" if kind == "init" and text(spec, "restartPolicy") == "Always" else kind,
        state=now,
        started_at=text(terminated, "startedAt"),
        running_since=text(mapping(state, "running"), "startedAt"),
        ready=flag(status, "ready"),
        started=flag(status, "started"),
        restart_policy=policy,
    )


def _conditions(status: Json, phase: str) -> list[K8sPodCondition]:
    """What is not as it is in a pod that is well; of one that has ended, only why it was disrupted."""
    return [
        K8sPodCondition(
            type=kind,
            status=text(condition, "status") or "Unknown",
            reason=text(condition, "reason"),
            message=(text(condition, "message") or "")[:_LONGEST_MESSAGE] or None,
            last_transition_time=text(condition, "lastTransitionTime"),
        )
        for condition in mappings(status, "conditions")[:_MOST_CONDITIONS]
        if (kind := text(condition, "type"))
        and (
            condition.get("status") == "True"
            if kind == "DisruptionTarget"
            else condition.get("status") != "True" and phase not in ENDED_PODS
        )
    ]


def _gates(spec: Json, unscheduled: str | None) -> list[str]:
    gates = [name for gate in mappings(spec, "schedulingGates") if (name := text(gate, "name"))]
    gated = unscheduled == "SchedulingGated"
    return gates or (["a scheduling gate"] if gated and not spec.get("nodeName") else [])


def _index(metadata: Json) -> int | None:
    """An Indexed Job's pod says which completion it works on, by an annotation and (since 1.28) a label."""
    said = texts(metadata, "annotations").get(COMPLETION_INDEX) or texts(metadata, "labels").get(COMPLETION_INDEX)
    return int(said) if said is not None and said.isascii() and said.isdigit() and len(said) < 10 else None


def _sum(quantities: list[Any]) -> Decimal | None:
    parsed = [parse_quantity(quantity) if isinstance(quantity, str) else None for quantity in quantities]
    known = [quantity for quantity in parsed if quantity is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(parsed) else None
