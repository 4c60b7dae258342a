"""D32's snapshot as a text: what is wrong first."""

from __future__ import annotations

from collections import Counter

from k8s_tuning.printable import end_of, log_line, one_line
from k8s_tuning.stages.monitor.snapshot import (
    K8sContainerStatus,
    K8sJobStatus,
    K8sMonitorSnapshot,
    K8sPodLog,
    K8sPodStatus,
)

_ORDER = ("FAILED", "UNKNOWN", "PENDING", "RUNNING", "SUCCEEDED")
_WIDEST_LINE = 200
_TAIL_OF_TROUBLE, _TAIL = 5, 1


def generate_monitor_report_text(snapshot: K8sMonitorSnapshot) -> str:
    """The snapshot for a person: errors on top, then the Jobs, troubled ones first, with pods and last log lines."""
    phases = Counter(job.phase for job in snapshot.jobs)
    known = [phase for phase in _ORDER if phases[phase]]
    counted = ", ".join(f"{phases[phase]} {phase}" for phase in [*known, *sorted(set(phases) - set(_ORDER))])
    counts = f" ({counted})" if counted else ""
    lines = [
        "=== Kubernetes Jobs ===",
        f"Namespace:  {snapshot.namespace}",
        f"Selector:   {snapshot.selector or '(every Job)'}",
        f"Read at:    {snapshot.timestamp}",
        f"Jobs:       {f'{len(snapshot.jobs)}{counts}' if snapshot.jobs_known else 'not known'}",
    ]
    if snapshot.errors:
        lines += ["", f"ERRORS: {len(snapshot.errors)}; this snapshot is NOT whole"]
        lines += [f"  ! {one_line(error, 1000)}" for error in snapshot.errors]
    if snapshot.jobs:
        lines += ["", *_jobs(snapshot)]
    elif not snapshot.errors:
        lines += ["", "No Job matches the selector in this namespace."]
    return "\n".join(lines) + "\n"


def _jobs(snapshot: K8sMonitorSnapshot) -> list[str]:
    logs: dict[str, list[K8sPodLog]] = {}
    for log in snapshot.pods_logs:
        logs.setdefault(log.pod_name, []).append(log)
    width = max(len("JOB"), *(len(job.job_name) for job in snapshot.jobs))
    lines = [f"{'PHASE':<9}  {'JOB':<{width}}  {'DONE':>6}  {'ACTIVE':>6}  {'FAILED':>6}  STARTED"]
    for job in sorted(snapshot.jobs, key=_urgency):
        wanted = "?" if job.completions is None else job.completions
        done = f"{job.succeeded}/{wanted}"
        started = job.start_time or "-"
        ended = f"  ended {job.completion_time}" if job.completion_time else ""
        lines.append(
            f"{job.phase:<9}  {job.job_name:<{width}}  {done:>6}  {job.active:>6}  {job.failed:>6}  {started}{ended}"
        )
        if condition := _joined(job.condition_reason, job.condition_message):
            lines.append(f"           {one_line(condition, _WIDEST_LINE)}")
        lines += [f"           {one_line(remark, _WIDEST_LINE)}" for remark in [*_held(job), *_warnings(job)]]
        for pod in job.pods:
            lines += _pod(pod, job, logs.get(pod.pod_name, []))
    return lines


def _held(job: K8sJobStatus) -> list[str]:
    held = ["suspended"] if job.suspended and job.phase == "PENDING" else []
    if job.deleted_at is not None:
        by = f", held by {', '.join(job.finalizers)}" if job.finalizers else ""
        held.append(f"deleting since {job.deleted_at}{by}")
    return held


def _warnings(job: K8sJobStatus) -> list[str]:
    """The newest warning of each reason and object."""
    newest = {(event.involved_name, event.reason): event for event in job.events if event.type == "Warning"}
    return [f"{event.reason} ({event.involved_kind} {name}): {event.message}" for (name, _), event in newest.items()]


def _pod(pod: K8sPodStatus, job: K8sJobStatus, logs: list[K8sPodLog]) -> list[str]:
    troubles = _troubles(pod)
    used = [
        f"{pod.cpu_millicores}m CPU" if pod.cpu_millicores is not None else "",
        f"{pod.memory_bytes / 2**20:.0f}Mi memory" if pod.memory_bytes is not None else "",
    ]
    state = "; ".join([pod.phase, *(part for part in used if part), *troubles])
    lines = [f"           pod {pod.pod_name}: {one_line(state, 500)}"]
    tail = _TAIL_OF_TROUBLE if troubles or job.phase in ("FAILED", "UNKNOWN") else _TAIL
    for log in sorted(logs, key=lambda log: (log.container_name, not log.previous)):
        if not log.lines:
            continue
        which = f"{log.container_name}{' before its restart' if log.previous else ''}"
        lines += [f"             {which} | {end_of(log_line(line), _WIDEST_LINE)}" for line in log.lines[-tail:]]
    return lines


def _troubles(pod: K8sPodStatus) -> list[str]:
    troubles = [said] if (said := _joined(pod.reason, pod.message)) else []
    if pod.unschedulable:
        troubles.append(f"unschedulable: {pod.unschedulable}")
    if pod.scheduling_gates:
        troubles.append(f"held by {', '.join(pod.scheduling_gates)}")
    disruptions = [one for one in pod.conditions if one.type == "DisruptionTarget"]
    troubles += [_joined("disrupted", one.reason, one.message) for one in disruptions]
    if pod.deleted_at is not None:
        troubles.append(f"to be gone by {pod.deleted_at}")
    found = [(container.name, _container_trouble(container)) for container in pod.containers]
    return troubles + [f"container {name} {trouble}" for name, trouble in found if trouble]


def _container_trouble(container: K8sContainerStatus) -> str:
    parts = []
    if container.waiting_reason and container.waiting_reason not in ("ContainerCreating", "PodInitializing"):
        parts.append(_joined("waits", container.waiting_reason, container.waiting_message))
    if container.exit_code:
        ended = f"ended with exit code {container.exit_code}"
        said = _joined(container.terminated_reason, container.terminated_message)
        parts.append(f"{ended} ({said})" if said else ended)
    if container.restart_count:
        parts.append(f"restarted {container.restart_count} time{'' if container.restart_count == 1 else 's'}")
    return ", ".join(parts)


def _urgency(job: K8sJobStatus) -> tuple[int, bool, str]:
    has_trouble = any(_troubles(pod) for pod in job.pods)
    # A "running" Job whose pod can't start is nearer to the failed ones than to the running ones.
    phase = "UNKNOWN" if has_trouble and job.phase in ("PENDING", "RUNNING") else job.phase
    return (_ORDER.index(phase) if phase in _ORDER else 1, not has_trouble, job.job_name)


def _joined(*parts: str | None) -> str:
    return ": ".join(part for part in parts if part)
