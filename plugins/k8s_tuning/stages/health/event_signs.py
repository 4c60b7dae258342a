"""Why a Job has no pods, or a pod does not start, by their events.

The events' reasons are the Job controller's, the scheduler's, the attach-detach and volume controllers' and the
kubelet's own words (kubernetes pkg/controller/controller_utils.go, pkg/kubelet/events/event.go, pkg/controller/volume).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.health.reasons import EVENT, sentence
from k8s_tuning.stages.health.sign import Sign, shortened
from k8s_tuning.stages.monitor.snapshot import ENDED, K8sJobStatus, K8sPodStatus

JOB, POD, CLAIM = "Job", "Pod", "PersistentVolumeClaim"
WARNING, REFUSED = "Warning", "FailedCreate"

# These come only when the volumes are mounted and the sandbox stands: a warning before them is past.
_LATER_THAN_THE_START = {"Pulling", "Pulled", "Created", "Started", "Failed", "InspectFailed", "ErrImageNeverPull"}
# What the kubelet says beside, or of a container, whose own state says more.
_SAYS_NOTHING = {"BackOff", "DNSConfigForming", "Unhealthy", "FailedScheduling", "NotTriggerScaleUp"}
_COMBINED = "(combined from similar events): "
_QUOTED = re.compile(r'"[^"]+"')


@dataclass(frozen=True)
class Evidence:
    """What events say of a pod that waits: health's reason (None where they only say more of another), its sentence."""

    reason: str | None
    text: str
    sentence: str = ""


def wants_events(job: K8sJobStatus) -> bool:
    """Whether a Job does not run as it should, so that its events may say why."""
    if job.phase == "SUCCEEDED":
        return False
    if job.phase == "FAILED":
        return not job.pods
    return missing_pods(job) > 0 or any(pod.phase == "Pending" and not pod.scheduling_gates for pod in job.pods)


def missing_pods(job: K8sJobStatus) -> int:
    """How many pods a Job should have now and has not; 0 for one that is suspended or has ended."""
    if job.phase in ENDED or job.suspended:
        return 0
    wanted = 1 if job.parallelism is None else job.parallelism
    if job.completions is not None:
        wanted = min(wanted, job.completions - job.succeeded)
    elif job.succeeded:
        return 0  # a work queue: after the first success no pod is made any more
    return max(0, wanted - job.active)


def pods_refused(job: K8sJobStatus) -> Sign | None:
    """Why the API server lets the Job controller make no pod: quota, service account, an admission webhook.

    What came before the Job's last pod is past. A Job some of whose pods run goes on.
    """
    if job.phase == "FAILED":
        if job.failed or job.succeeded or job.pods:
            return None
    elif not missing_pods(job):
        return None
    events = _events(job, JOB, {job.job_name})
    made = [event.last_timestamp or "" for event in events if event.reason == "SuccessfulCreate"]
    last_made = max([*made, *(pod.created_at or "" for pod in job.pods)], default="")
    refusals = [event for event in events if event.reason == REFUSED and (event.last_timestamp or "") >= last_made]
    if not refusals:
        return None
    seen = [event.first_timestamp for event in refusals if event.first_timestamp]
    since = max(min(seen), last_made) if seen else None
    cause = sentence("pods_refused", why=shortened(_reason_and_message(refusals[-1])))
    return Sign("pods_refused", cause, since, at=since, mild=job.active > 0)


def pod_waits_for(job: K8sJobStatus, pod: K8sPodStatus) -> Evidence | None:
    """What keeps a pending pod from starting: its newest warning, where nothing that came later makes it past.

    For a pod without a node that is the scheduler's, or that of a claim which gets no volume.
    """
    own = _events(job, POD, {pod.pod_name})
    if pod.node is None:
        unbound = _unbound_claim(job, pod)
        if unbound is None and pod.unschedulable is None:
            unbound = next((event for event in reversed(own) if event.reason == "FailedScheduling"), None)
        return None if unbound is None else Evidence("unschedulable", _reason_and_message(unbound))
    for event in reversed(own):
        if event.reason == "Pulling":
            return Evidence(None, _reason_and_message(event))
        if event.reason in _LATER_THAN_THE_START:
            return None
        if event.type == WARNING and event.reason not in _SAYS_NOTHING:
            known = EVENT.get(event.reason)
            text = _reason_and_message(event)
            return Evidence(known.reason, text, known.sentence) if known else Evidence(None, text)
    return None


def pull_failure(job: K8sJobStatus, pod: K8sPodStatus, waiting_message: str | None) -> str | None:
    """Why the kubelet could not pull an image, where the container's own message only says that it waits."""
    image = _QUOTED.search(waiting_message or "")
    for event in reversed(_events(job, POD, {pod.pod_name})):
        says_why = event.reason in ("Failed", "InspectFailed") and not event.message.startswith("Error: ")
        if says_why and (image is None or image.group() in event.message):
            return event.message.removeprefix(_COMBINED)
    return None


def _unbound_claim(job: K8sJobStatus, pod: K8sPodStatus) -> K8sEvent | None:
    """Why a claim of the pod gets no volume: the scheduler only says that it has none."""
    for event in reversed(_events(job, CLAIM, pod.claims)):
        if event.reason in ("ProvisioningFailed", "FailedBinding"):
            return event
        if event.reason == "ProvisioningSucceeded":
            return None
    return None


def _events(job: K8sJobStatus, kind: str, names: Iterable[str]) -> list[K8sEvent]:
    wanted = set(names)
    return [event for event in job.events if event.involved_kind == kind and event.involved_name in wanted]


def _reason_and_message(event: K8sEvent) -> str:
    message = event.message.removeprefix(_COMBINED).strip()
    return f"{event.reason}: {message}" if message else event.reason
