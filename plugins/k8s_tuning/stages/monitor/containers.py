"""Which of a pod's containers does the Job's work, and which only stands beside it."""

from __future__ import annotations

import re

from k8s_tuning.stages.monitor.snapshot import K8sContainerStatus, K8sJobStatus, K8sPodStatus

# Names that meshes, secret agents, log shippers and cloud proxies are known by; what a Job's own work is never called.
_SIDECAR_NAME = re.compile(
    r"(?:.*-)?(?:proxy|sidecar|agent|envoy|exporter|collector|reloader)(?:-v?\d+)?"
    r"|daprd|fluent-?bit|fluentd|filebeat|promtail|vector|otc-container|consul-dataplane|gcsfuse|tailscale|xray-daemon"
)


def main_container(pod: K8sPodStatus, job: K8sJobStatus) -> str | None:
    """The container that does the Job's work; None for a pod without container statuses.

    The one that the annotation kubectl.kubernetes.io/default-container names; else the first of the Job's own template
    (of the pod, where the Job's is not known) that has no sidecar's name; else the first. Injected containers, which
    the template does not have, come in front of the others in some meshes.
    """
    names = [container.name for container in pod.containers if container.kind == "container"]
    if pod.default_container in names:
        return pod.default_container
    own = [name for name in names if name in job.template_containers] or names
    return next((name for name in own if not _SIDECAR_NAME.fullmatch(name)), own[0] if own else None)


def is_sidecar(container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus) -> bool:
    """Whether it stands beside the Job's work: native, injected, known by its name, or not the one that was named."""
    if container.kind != "container":
        return container.kind == "sidecar"
    main = main_container(pod, job)
    if container.name == main:
        return False
    injected = bool(job.template_containers) and container.name not in job.template_containers
    return injected or pod.default_container == main or _SIDECAR_NAME.fullmatch(container.name) is not None


def label(container: K8sContainerStatus, pod: K8sPodStatus, job: K8sJobStatus) -> str:
    """`container tuning`, `init container fetch`, `sidecar istio-proxy`."""
    if container.kind == "init":
        return f"init container {container.name}"
    return f"{'sidecar' if is_sidecar(container, pod, job) else 'container'} {container.name}"
