"""What a pod says of its Job's health: its disruption, its node, what it waits for.

Reasons of pods are the kubelet's and the controllers' own words: DisruptionTarget's are core/v1's
(https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions), those of evicted and
rejected pods the kubelet's (kubernetes pkg/kubelet/lifecycle, eviction, nodeshutdown, preemption).
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.stages.health.container_signs import container_signs, is_stuck
from k8s_tuning.stages.health.event_signs import pod_waits_for
from k8s_tuning.stages.health.job_signs import failure_reason, index_in
from k8s_tuning.stages.health.reasons import POD, Rank, sentence
from k8s_tuning.stages.health.sign import Sign, age, said, shortened
from k8s_tuning.stages.monitor.containers import label
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sPodCondition, K8sPodStatus

# Never let onto its node. Other words for it (a device plugin's, a topology manager's, next year's) are known by
# their shape: a failed pod with a reason, none of whose containers ever started.
_TURNED_AWAY = re.compile(
    r"NodeShutdown|NodeAffinity|NodeName|NodePorts|NodeUnschedulable|TaintToleration|TopologyAffinityError|OutOf\S+"
    r"|UnexpectedAdmissionError|UnexpectedPredicateFailureType|InvalidNodeInfo|PodOSSelectorNodeLabelDoesNotMatch"
)
# The pod used more than it was allowed itself; under a node's pressure the message speaks of its request.
_OWN_LIMIT = re.compile(r"\bexceed(?:s|ed)\b.*\blimit\b", re.DOTALL)
# Who says a pod is not ready. A node controller that the node has stopped reporting to says it without any of these.
_KUBELETS_UNREADY = {
    "ContainersNotReady",
    "ContainersNotInitialized",
    "ReadinessGatesNotReady",
    "PodCompleted",
    "PodFailed",
    "UnknownContainerStatuses",
}
_RETRYING = ("RUNNING", "PENDING")


def pod_signs(pod: K8sPodStatus, job: K8sJobStatus, at: str) -> list[Sign]:
    """The signs of one pod; none for one that succeeded."""
    if pod.phase == "Succeeded":
        return []
    past = pod.phase == "Failed" and _is_answered(pod, job)
    lost = _lost(pod, at)
    disrupted = None if lost else _disruption(pod, past)
    signs = [sign for sign in (lost, disrupted or _deadline(pod, past), _waiting(pod, job)) if sign]
    containers = [sign for one in pod.containers for sign in container_signs(one, pod, job, at, past)]
    signs += [sign for sign in containers if disrupted is None or _came_before(sign, disrupted)]
    if pod.phase == "Failed" and not signs:
        why = said(pod.reason, pod.message)
        rank = Rank.STATE if pod.reason or pod.message else Rank.PHASE
        reason = None if past else failure_reason(job)
        signs.append(Sign(reason, f"pod {pod.pod_name} failed: {why}", pod.created_at, rank=rank, past=past))
    if pod.phase == "Failed" and job.phase == "RUNNING" and job.has_success_policy:
        # Of an index past its limit: the Job may still succeed without it.
        return [replace(sign, mild=True) for sign in signs]
    return signs


def _is_answered(pod: K8sPodStatus, job: K8sJobStatus) -> bool:
    """Whether another attempt follows a failed pod, or has. Between two attempts `active` is 0 on newer servers."""
    if job.failed_indexes and pod.completion_index is not None:
        return not index_in(job.failed_indexes, pod.completion_index)
    return job.phase in _RETRYING


def _condition(pod: K8sPodStatus, kind: str) -> K8sPodCondition | None:
    return next((condition for condition in pod.conditions if condition.type == kind), None)


def _lost(pod: K8sPodStatus, at: str) -> Sign | None:
    """The node does not answer. Since 1.13 no pod gets the phase Unknown for it; a pod that cannot be stopped stays."""
    where = _node(pod)
    if pod.phase == "Unknown" or pod.reason == "NodeLost":
        cause = f"{where} does not tell of pod {pod.pod_name}: {said(pod.reason, pod.message)}"
        return Sign("node_lost", cause)
    if pod.phase == "Failed" or (pod.phase == "Pending" and not pod.node):
        return None
    due = _deletion_due(pod)
    if pod.deleted_at is not None and (due is None or age(due, at)):
        disruption = _condition(pod, "DisruptionTarget")
        why = f" ({said(disruption.reason, disruption.message)})" if disruption else ""
        cause = f"{where} does not answer: pod {pod.pod_name} should have been gone by {due or pod.deleted_at}{why}"
        return Sign("node_lost", cause, since=due)
    ready = _condition(pod, "Ready")
    if ready is not None and _stopped_reporting(pod, ready):
        since = f" since {ready.last_transition_time}" if ready.last_transition_time else ""
        cause = f"{where} does not answer{since}: pod {pod.pod_name} is not Ready, and its containers stand as running"
        return Sign("node_lost", cause, since=ready.last_transition_time)
    return None


def _deletion_due(pod: K8sPodStatus) -> str | None:
    if pod.deleted_at is None:
        return None
    try:
        grace = timedelta(seconds=max(0, pod.deletion_grace_seconds or 0))
        return timestamps.to_text(timestamps.to_datetime(pod.deleted_at) + grace)
    except (InputError, OverflowError):
        return None


def _stopped_reporting(pod: K8sPodStatus, ready: K8sPodCondition) -> bool:
    running = [container for container in pod.containers if container.state == "running"]
    if pod.phase != "Running" or not running or ready.status == "True":
        return False
    if ready.status == "Unknown" or ready.reason not in _KUBELETS_UNREADY:
        return True
    everyone_is_ready = all(container.ready for container in pod.containers if container.kind != "init")
    return ready.reason == "ContainersNotReady" and everyone_is_ready


def _disruption(pod: K8sPodStatus, past: bool) -> Sign | None:
    """Evicted, preempted, drained, or rejected by its node: no fault of the application, unless it broke its limit."""
    condition = _condition(pod, "DisruptionTarget")
    reason, message = pod.reason, pod.message
    failed = pod.phase == "Failed"
    never_started = all(c.state == "waiting" or (c.state is None and not c.exit_code) for c in pod.containers)
    known = POD.get(reason) if failed else None
    if known is not None and known.reason != "evicted":
        cause = known.sentence.format(node=_node(pod), pod=pod.pod_name, why=said(reason, message))
        return Sign(known.reason, cause, past=past, hopeless=known.hopeless)
    rejected = failed and known is None and reason is not None and reason != "DeadlineExceeded"
    rejected = rejected and (never_started or _TURNED_AWAY.fullmatch(reason or "") is not None)
    if known is not None or rejected:
        words = said(reason, message or (condition.message if condition else None))
    elif condition is not None:
        words = said(condition.reason, condition.message)
    else:
        return None
    over_its_limit = reason == "Evicted" and _OWN_LIMIT.search(message or "") is not None
    if rejected:
        cause = f"{_node(pod)} rejected pod {pod.pod_name}: {words}"
    else:
        is_or_was = "was" if failed else "is being"
        cause = POD["Evicted"].sentence.format(pod=pod.pod_name, is_or_was=is_or_was, why=words)
    return Sign(
        "evicted",
        cause,
        since=pod.created_at,
        at=condition.last_transition_time if condition else None,
        past=past,
        mild=not failed,
        excused=not over_its_limit,
    )


def _came_before(sign: Sign, disruption: Sign) -> bool:
    """What a container's end means beside a disruption: something only where it surely came first, on its own."""
    killed = sign.exit_code in (137, 143) and sign.reason != "oom_killed"
    return not killed and bool(sign.at and disruption.at and sign.at < disruption.at)


def _node(pod: K8sPodStatus) -> str:
    return f"node {pod.node}" if pod.node else "its node"


def _deadline(pod: K8sPodStatus, past: bool) -> Sign | None:
    if pod.reason != "DeadlineExceeded":
        return None
    cause = f"pod {pod.pod_name} ran past its deadline"
    return Sign("deadline_exceeded", cause, pod.created_at, past=past)


def _waiting(pod: K8sPodStatus, job: K8sJobStatus) -> Sign | None:
    if pod.phase != "Pending" or pod.deleted_at is not None:
        return None
    created = pod.created_at
    if pod.scheduling_gates and not pod.node:
        kueue = ": Kueue has not admitted it" if any("kueue" in gate for gate in pod.scheduling_gates) else ""
        cause = f"pod {pod.pod_name} is held on purpose by {', '.join(pod.scheduling_gates[:5])}{kueue}"
        return Sign("pending", cause, created, rank=Rank.CAUSE, at=created)
    if any(is_stuck(container) for container in pod.containers):
        return None
    evidence = pod_waits_for(job, pod)
    reason = evidence.reason if evidence else None
    if reason == "unschedulable" or pod.unschedulable:
        why = evidence.text if evidence and reason else pod.unschedulable or ""
        cause = sentence("unschedulable", pod=pod.pod_name, why=shortened(why))
        return Sign("unschedulable", cause, created, at=created)
    why = shortened(evidence.text) if evidence else _waits_for(pod, job)
    if evidence is not None and reason:
        return Sign(reason, evidence.sentence.format(pod=pod.pod_name, why=why), created)
    return Sign("not_starting", sentence("not_starting", pod=pod.pod_name, why=why), created)


def _waits_for(pod: K8sPodStatus, job: K8sJobStatus) -> str:
    """What the pod waits for at its source: the containers behind it all say PodInitializing."""
    waiting = [container for container in pod.containers if container.waiting_reason]
    for container in pod.containers:
        if container.kind == "init" and container.state == "running":
            since = f" since {container.running_since}" if container.running_since else ""
            return f"{label(container, pod, job)} has been running{since}"
        if container.kind == "sidecar" and container.state == "running" and container.started is False:
            return f"{label(container, pod, job)} has not passed its startup probe"
    first = next((container for container in waiting if container.waiting_reason != "PodInitializing"), None)
    if first is None and waiting:
        first = waiting[0]
    if first is not None:
        return f"{label(first, pod, job)}: {said(first.waiting_reason, first.waiting_message)}"
    return said(pod.reason, pod.message)
