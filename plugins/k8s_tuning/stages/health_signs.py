"""What a Job's pods and conditions tell of its health: each sign a reason, its facts in a sentence, and since when.

Reasons of waiting and terminated containers are the kubelet's and the container runtime's own words
(kubernetes pkg/kubelet/images/types.go and container/sync_result.go); conditions' reasons are batch/v1's.
"""

from __future__ import annotations

from dataclasses import dataclass

from k8s_tuning.errors import InputError
from k8s_tuning.printable import one_line
from k8s_tuning.stages.health_events import pod_waits_for, pods_refused, pull_failure
from k8s_tuning.stages.monitor import K8sContainerStatus, K8sJobStatus, K8sPodStatus
from k8s_tuning.timestamps import seconds_between

_IMAGE_PULL = {
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_CONFIG_ERROR = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
    "PreCreateHookError",
    "PreStartHookError",
    "PostStartHookError",
}
# Nothing but another manifest helps: no grace.
_HOPELESS = {"InvalidImageName", "ErrImageNeverPull"}
# Evicted by pressure, preempted by a critical pod, ended by the node's shutdown (its older and newer word).
_EVICTED = {"Evicted", "Preempting", "Shutdown", "Terminated"}
_CONDITIONS = {"BackoffLimitExceeded": "backoff_limit_exceeded", "DeadlineExceeded": "deadline_exceeded"}
# The kubelet forgets a container's crashes once it has run for ten minutes.
_CRASH_MEMORY_SECONDS = 600
_MANY_RESTARTS = 3
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Sign:
    """One thing wrong. `reason` is None for a plain failure that the phase already names.

    `past`: an earlier attempt's, while the Job or the container goes on. `hopeless`: it cannot heal by itself.
    """

    reason: str | None
    cause: str
    age_seconds: float | None = None
    exit_code: int | None = None
    past: bool = False
    hopeless: bool = False


def read_signs(job: K8sJobStatus, at: str) -> list[Sign]:
    """The signs of one Job, the most telling first; `at` is the snapshot's timestamp, against which ages count."""
    signs = [sign for pod in job.pods for sign in _pod_signs(pod, job, at, retried=job.active > 0)]
    if (refused := pods_refused(job)) is not None:
        cause = f"no pod can be created: {_shortened(refused.text)}"
        # A Job some of whose pods run goes on.
        signs.append(Sign("pods_refused", cause, _age(refused.since, at), past=job.active > 0))
    if job.phase == "FAILED":
        said = _said(job.condition_reason, job.condition_message)
        reason = _CONDITIONS.get(job.condition_reason or "")
        if reason or said:
            signs.append(Sign(reason, f"the Job failed: {said}"))
    signs.sort(key=lambda sign: (sign.past, _rank(sign)))
    return signs


_MOST_TELLING_FIRST = (
    "oom_killed",
    "pods_refused",
    "image_pull",
    "config_error",
    "evicted",
    "deadline_exceeded",
    "crash_loop",
    "unschedulable",
    "volume_not_mounted",
    "sandbox_not_created",
    None,
    "backoff_limit_exceeded",
    "node_lost",
    "not_starting",
)


def _rank(sign: Sign) -> float:
    # A failed Job's bare condition says less than the exit code of its container.
    is_condition = sign.reason is None and sign.exit_code is None
    return _MOST_TELLING_FIRST.index(sign.reason) + (0.5 if is_condition else 0)


def _pod_signs(pod: K8sPodStatus, job: K8sJobStatus, at: str, retried: bool) -> list[Sign]:
    if pod.phase == "Succeeded":
        return []
    age = _age(pod.created_at, at)
    ended = pod.phase == "Failed"
    past = ended and retried
    signs = []
    if pod.reason in _EVICTED:
        signs.append(
            Sign("evicted", f"pod {pod.pod_name} was evicted: {_said(pod.reason, pod.message)}", age, past=past)
        )
    elif pod.reason == "DeadlineExceeded":
        signs.append(Sign("deadline_exceeded", f"pod {pod.pod_name} ran past its deadline", age, past=past))
    if pod.phase == "Unknown" or pod.reason == "NodeLost":
        where = f"node {pod.node}" if pod.node else "its node"
        signs.append(
            Sign("node_lost", f"{where} does not tell of pod {pod.pod_name}: {_said(pod.reason, pod.message)}", age)
        )
    if pod.phase == "Pending":
        signs += _waiting_signs(pod, job, age)
    for container in pod.containers:
        signs += _container_signs(container, pod, job, at, age, past)
    if ended and not signs:
        signs.append(Sign(None, f"pod {pod.pod_name} failed: {_said(pod.reason, pod.message)}", age, past=past))
    return signs


def _waiting_signs(pod: K8sPodStatus, job: K8sJobStatus, age: float | None) -> list[Sign]:
    if any(_is_stuck(container) for container in pod.containers):
        return []
    evidence = pod_waits_for(job, pod)
    reason = evidence.reason if evidence else None
    if reason == "unschedulable" or pod.unschedulable:
        told = evidence.text if evidence and reason else pod.unschedulable or ""
        return [Sign("unschedulable", f"no node takes pod {pod.pod_name}: {_shortened(told)}", age)]
    waits_for = _shortened(evidence.text) if evidence else _waiting_for(pod)
    return [Sign(reason or "not_starting", f"pod {pod.pod_name} has not started: {waits_for}", age)]


def _container_signs(
    container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus, at: str, age: float | None, past: bool
) -> list[Sign]:
    name, waiting, code = container.name, container.waiting_reason, container.exit_code
    signs = []
    if waiting in _IMAGE_PULL:
        told = pull_failure(job, pod, container.waiting_message) or container.waiting_message
        cause = f"container {name} cannot pull its image: {_said(waiting, told)}"
        signs.append(Sign("image_pull", cause, age, hopeless=waiting in _HOPELESS))
    elif waiting in _CONFIG_ERROR:
        cause = f"container {name} cannot start: {_said(waiting, container.waiting_message)}"
        signs.append(Sign("config_error", cause, age))
    elif _is_crash_looping(container, pod, at):
        exits = f", last with exit code {code}" if code is not None else ""
        times = f"{container.restart_count} restart{'' if container.restart_count == 1 else 's'}"
        signs.append(Sign("crash_loop", f"container {name} keeps crashing: {times}{exits}", age, code))
    # With restarts and nothing to wait for, what is told of is the run before the present one.
    gone_on = past or (pod.phase == "Running" and waiting is None and container.restart_count > 0)
    if container.terminated_reason == "OOMKilled":
        exits = f" (exit code {code})" if code is not None else ""
        signs.append(Sign("oom_killed", f"container {name} was OOM-killed{exits}", age, code, past=gone_on))
    elif container.terminated_reason in _CONFIG_ERROR:
        cause = f"container {name} could not start: {_said(container.terminated_reason, container.terminated_message)}"
        signs.append(Sign("config_error", cause, age, code, past=gone_on))
    elif code and pod.phase == "Failed":
        said = _said(container.terminated_reason, container.terminated_message)
        signs.append(Sign(None, f"container {name} ended with exit code {code}: {said}", age, code, past=past))
    return signs


def _is_stuck(container: K8sContainerStatus) -> bool:
    return container.waiting_reason in _IMAGE_PULL | _CONFIG_ERROR | {"CrashLoopBackOff"}


def _is_crash_looping(container: K8sContainerStatus, pod: K8sPodStatus, at: str) -> bool:
    if container.waiting_reason == "CrashLoopBackOff":
        return True
    # Between two back-offs it runs for a moment, and would look well.
    since_crash = _age(container.finished_at, at)
    return (
        pod.phase == "Running"
        and container.restart_count >= _MANY_RESTARTS
        and bool(container.exit_code)
        and since_crash is not None
        and since_crash < _CRASH_MEMORY_SECONDS
    )


def _waiting_for(pod: K8sPodStatus) -> str:
    for container in pod.containers:
        if container.waiting_reason:
            return f"container {container.name}: {_said(container.waiting_reason, container.waiting_message)}"
    return _said(pod.reason, pod.message)


def _age(since: str | None, at: str) -> float | None:
    if since is None:
        return None
    try:
        return seconds_between(since, at)
    except InputError:
        return None


def _said(reason: str | None, message: str | None) -> str:
    parts = [part for part in (reason, _shortened(message or "")) if part]
    return ": ".join(parts) or "no reason given"


def _shortened(message: str) -> str:
    """One line of at most _LONGEST_MESSAGE characters: a container may write what it likes into its message."""
    return one_line(message, _LONGEST_MESSAGE)
