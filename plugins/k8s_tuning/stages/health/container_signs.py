"""What a container says of its Job's health: why it cannot start, how it ended, that it outlives the work."""

from __future__ import annotations

from k8s_tuning.stages.health.event_signs import pull_failure
from k8s_tuning.stages.health.job_signs import failure_reason
from k8s_tuning.stages.health.reasons import ENDED, WAITING, Rank
from k8s_tuning.stages.health.sign import Sign, age, exit_words, lies_ahead, said
from k8s_tuning.stages.monitor.containers import is_sidecar, label, main_container
from k8s_tuning.stages.monitor.snapshot import K8sContainerStatus, K8sJobStatus, K8sPodStatus

_CRASH_LOOP = "CrashLoopBackOff"
# The kubelet forgets a container's crashes once it has run for ten minutes.
_CRASH_MEMORY_SECONDS = 600
_MANY_RESTARTS = 3
_SIGKILLED = 137


def container_signs(
    container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus, at: str, past: bool
) -> list[Sign]:
    """The signs of one container. `past`: of a pod that another attempt has followed."""
    if container.kind == "sidecar" and pod.phase == "Failed":
        return []  # the kubelet ends native sidecars behind the others, and does not ask how they ended
    signs = [_stuck(container, pod, job, at), _ended(container, pod, job, at, past), _finished(container, pod, job)]
    return [sign for sign in signs if sign is not None]


def is_stuck(container: K8sContainerStatus) -> bool:
    """Whether it waits for something that has a reason of its own."""
    return container.waiting_reason in WAITING


def _stuck(container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus, at: str) -> Sign | None:
    waiting, code, happened = container.waiting_reason, None, pod.created_at
    known = WAITING.get(waiting)
    if known is not None and waiting != _CRASH_LOOP:
        why = container.waiting_message
        if known.reason == "image_pull" and (waiting == "ImagePullBackOff" or not why):  # else it is the pull's own
            why = pull_failure(job, pod, why) or why
        facts = {"why": said(waiting, why)}
    elif _is_crash_looping(container, pod, at):
        known, code, happened = WAITING[_CRASH_LOOP], container.exit_code, container.finished_at
        exits = f", last with {exit_words(code)}" if code is not None else ""
        facts = {"restarts": f"{container.restart_count} restart{'' if container.restart_count == 1 else 's'}"}
        facts["exits"] = exits
    else:
        return None
    cause = known.sentence.format(who=label(container, pod, job), **facts)
    sidecar, mild = is_sidecar(container, pod, job), _is_mild(container, pod, job)
    return Sign(
        known.reason, cause, pod.created_at, code, at=happened, hopeless=known.hopeless, mild=mild, sidecar=sidecar
    )


def _is_crash_looping(container: K8sContainerStatus, pod: K8sPodStatus, at: str) -> bool:
    if container.waiting_reason == _CRASH_LOOP:
        return True
    # Between two back-offs it runs for a moment, and would pass for healthy.
    since_crash = age(container.finished_at, at)
    recently = lies_ahead(container.finished_at, at) or (
        since_crash is not None and since_crash < _CRASH_MEMORY_SECONDS
    )
    return (
        pod.phase in ("Running", "Pending")
        and container.restart_count >= _MANY_RESTARTS
        and bool(container.exit_code)
        and recently
    )


def _ended(container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus, at: str, past: bool) -> Sign | None:
    """How a container ended, where that is not well: in a failed pod, or while others keep the pod running."""
    name, code, reason = label(container, pod, job), container.exit_code, container.terminated_reason
    why = said(reason, container.terminated_message)
    sidecar, mild = is_sidecar(container, pod, job), _is_mild(container, pod, job)

    def sign(kind: str, cause: str, since: str | None, past: bool = False) -> Sign:
        return Sign(kind, cause, since, code, at=container.finished_at, past=past, mild=mild, sidecar=sidecar)

    goes_on = past or _goes_on(container, pod)
    # What keeps killing a container is not over because it runs for a moment.
    over = past or (goes_on and not _is_crash_looping(container, pod, at))
    known = ENDED.get(reason)
    if known is not None:
        exits = f" (exit code {code})" if code is not None else ""
        return sign(known.reason, known.sentence.format(who=name, exits=exits, why=why), pod.created_at, over)
    if reason == "ContainerStatusUnknown":
        lost = f"node {pod.node or ''}".strip() + f" lost {name}: {why}"
        return Sign("node_lost", lost, at=container.finished_at, past=goes_on, excused=True)
    if not code:
        return None
    cause = f"{name} ended with {exit_words(code)}: {why}"
    if code == _SIGKILLED:
        cause += "; the kubelet does not call it an OOM kill"
    if pod.phase == "Failed" and container.state in ("terminated", None):
        return _plain_failure(container, pod, job, cause, past)
    if pod.deleted_at is not None:
        return None  # the kubelet ends the whole pod, and the Job controller counts it
    if pod.phase == "Running" and container.state == "terminated" and container.kind != "init" and not goes_on:
        up = [one.name for one in pod.containers if one.state == "running"]
        keeps = f"; {_keep_running(up)}" if up else ""
        return sign("container_failed", f"{cause}{keeps}", container.finished_at)
    return None


def _plain_failure(container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus, cause: str, past: bool) -> Sign:
    if pod.deleted_at is not None:
        cause += "; the pod was being deleted"
    if job.condition_reason == "PodFailurePolicy":
        cause += "; the Job's podFailurePolicy ends the Job at that"
    by_deadline = pod.reason == "DeadlineExceeded" or (
        job.phase == "FAILED" and job.condition_reason == "DeadlineExceeded"
    )
    return Sign(
        None if past else failure_reason(job),
        cause,
        pod.created_at,
        container.exit_code,
        rank=Rank.KILLED_AT_DEADLINE if by_deadline else Rank.CAUSE,
        at=container.finished_at,
        past=past,
        sidecar=is_sidecar(container, pod, job),
    )


def _goes_on(container: K8sContainerStatus, pod: K8sPodStatus) -> bool:
    """Whether the end is that of the run before the present one, or the kubelet restarts it."""
    if pod.phase == "Failed" or container.waiting_reason is not None:
        return False
    if container.state is None:
        return pod.phase == "Running" and container.restart_count > 0
    # A Job's pods are never restarted as a whole, and theirs is Never or OnFailure.
    return container.state == "running" or container.restart_policy in ("OnFailure", "Always")


def _is_mild(container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus) -> bool:
    """Whether it stands beside the work, and that goes on: WARN at most."""
    main = main_container(pod, job)
    return is_sidecar(container, pod, job) and any(
        one.name == main and one.state == "running" for one in pod.containers
    )


def _finished(container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus) -> Sign | None:
    """The work is done, and the pod runs on. Native sidecars the kubelet ends by itself."""
    done = container.state == "terminated" and container.exit_code == 0 and pod.phase == "Running"
    if not done or container.kind != "container" or container.name != main_container(pod, job):
        return None
    up = [one.name for one in pod.containers if one.kind == "container" and one.state == "running"]
    if not up and any(one.state != "terminated" or one.exit_code for one in pod.containers):
        return None
    at = f" at {container.finished_at}" if container.finished_at else ""
    why = _keep_running(up) if up else "the kubelet has not ended the pod, none of whose containers runs"
    cause = f"container {container.name} finished{at}, and {why}"
    return Sign("not_ending", cause, container.finished_at)


def _keep_running(names: list[str]) -> str:
    return f"{', '.join(names)} keep{'s' if len(names) == 1 else ''} the pod running"
