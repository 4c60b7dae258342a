"""D32 monitor: what the API says of the Jobs and their pods, as one snapshot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from k8s_tuning.choices import fill
from k8s_tuning.printable import end_of, log_line, one_line
from k8s_tuning.stages.events.snapshot import K8sEvent

_ORDER = ("FAILED", "UNKNOWN", "PENDING", "RUNNING", "SUCCEEDED")
_WIDEST_LINE = 200
_TAIL_OF_TROUBLE, _TAIL = 5, 1


@dataclass
class K8sContainerStatus:
    """One container of a pod. Absent facts are None: a pod may lack container statuses altogether.

    `kind`: container; init; or sidecar, a native one (an init container with restartPolicy Always). `state`: waiting,
    running or terminated. `terminated_*`, `exit_code`, `started_at` and `finished_at` are of the present run where that
    has ended (`state` terminated), else of the run before it. `restart_policy`: its own, else its pod's.
    """

    name: str
    restart_count: int = 0
    waiting_reason: str | None = None
    waiting_message: str | None = None
    terminated_reason: str | None = None
    terminated_message: str | None = None
    exit_code: int | None = None
    finished_at: str | None = None
    kind: str = "container"
    state: str | None = None
    started_at: str | None = None
    running_since: str | None = None
    ready: bool | None = None
    started: bool | None = None
    restart_policy: str | None = None


@dataclass
class K8sPodCondition:
    """One condition of a pod. `status`: True, False or Unknown."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None


@dataclass
class K8sPodStatus:
    """One pod of a Job. `phase` is the pod's own (Pending, Running, Succeeded, Failed, Unknown).

    `containers`: init containers first, each kind in the order of the pod's spec. `conditions`: those that are not as
    in a pod that is well: DisruptionTarget where it is True, any other where it is not; of a pod that has ended,
    DisruptionTarget alone. `deleted_at`: its deletionTimestamp, by which it should be gone. `scheduling_gates`: what
    holds it before the scheduler. `completion_index`: an Indexed Job's. `default_container`: kubectl's annotation.
    `claims`: the PersistentVolumeClaims that it mounts.
    """

    pod_name: str
    namespace: str
    phase: str
    reason: str | None = None
    message: str | None = None
    node: str | None = None
    created_at: str | None = None
    unschedulable: str | None = None
    containers: list[K8sContainerStatus] = field(default_factory=list)
    cpu_millicores: int | None = None
    memory_bytes: int | None = None
    conditions: list[K8sPodCondition] = field(default_factory=list)
    deleted_at: str | None = None
    deletion_grace_seconds: int | None = None
    scheduling_gates: list[str] = field(default_factory=list)
    completion_index: int | None = None
    default_container: str | None = None
    claims: list[str] = field(default_factory=list)


@dataclass
class K8sJobStatus:
    """One Job. `phase`: PENDING, RUNNING, SUCCEEDED, FAILED or UNKNOWN; its conditions decide first.

    `condition_time`: since when the condition that decided has been so. A Job that failed has no `completion_time`.
    `suspended`: held by spec.suspend. `managed_by`: another controller than Kubernetes' own. `template_containers`:
    those of its own template; a pod may have more, injected. `ready`, `terminating`: None where the server does
    not count them (before 1.24 and 1.28). `uncounted`: pods that have ended and are not in `succeeded` or `failed`
    yet. `completed_indexes`, `failed_indexes`: of an Indexed Job, as "1,3-5". `deleted_at`: since when it is being
    deleted; its `finalizers` hold it until then.
    `events`: of a Job that does not run as it should, its own, its
    waiting pods' and their claims', oldest first and without `raw`; none were asked for where all is well.
    """

    job_name: str
    namespace: str
    labels: dict[str, str]
    completions: int | None
    succeeded: int
    failed: int
    active: int
    phase: str
    start_time: str | None = None
    completion_time: str | None = None
    uid: str = ""
    created_at: str | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    condition_reason: str | None = None
    condition_message: str | None = None
    condition_time: str | None = None
    pods: list[K8sPodStatus] = field(default_factory=list)
    parallelism: int | None = None
    backoff_limit: int | None = None
    suspended: bool = False
    managed_by: str | None = None
    has_success_policy: bool = False
    template_containers: list[str] = field(default_factory=list)
    ready: int | None = None
    terminating: int | None = None
    uncounted: int = 0
    completed_indexes: str | None = None
    failed_indexes: str | None = None
    deleted_at: str | None = None
    finalizers: list[str] = field(default_factory=list)
    events: list[K8sEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take None for a count of 0, as the API leaves it out, and for no labels."""
        fill(self, labels={}, succeeded=0, failed=0, active=0, annotations={}, pods=[], uncounted=0, events=[])


@dataclass
class K8sPodLog:
    """The last lines of one container; `previous`: of its run before the last restart."""

    pod_name: str
    namespace: str
    container_name: str
    lines: list[str]
    previous: bool = False
    truncated: bool = False


@dataclass
class K8sMonitorSnapshot:
    """Everything read in one look. `errors` is not empty where anything could not be read: then it is not whole.

    `jobs_listed`: the list of Jobs itself was read, so that a Job that is not in `jobs` is not in the cluster; what the
    errors tell of then is pods or logs. `timestamp`: this machine's clock; `server_time`: the API server's at that
    moment (its answers' Date), against which ages count; None where it did not say. `cluster`: what the reader calls
    the cluster (in Airflow the connection's id), else host and port of its API server.
    """

    namespace: str
    selector: str
    jobs: list[K8sJobStatus]
    pods_logs: list[K8sPodLog]
    timestamp: str
    errors: list[str] = field(default_factory=list)
    jobs_listed: bool = False
    server_time: str | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Take None for nothing."""
        fill(self, jobs=[], pods_logs=[], errors=[])


def generate_monitor_report_text(snapshot: K8sMonitorSnapshot) -> str:
    """The snapshot for a person: errors on top, then the Jobs, troubled ones first, with pods and last log lines."""
    phases = Counter(job.phase for job in snapshot.jobs)
    known = [phase for phase in _ORDER if phases[phase]]
    told = ", ".join(f"{phases[phase]} {phase}" for phase in [*known, *sorted(set(phases) - set(_ORDER))])
    counts = f" ({told})" if told else ""
    is_known = snapshot.jobs_listed or bool(snapshot.jobs) or not snapshot.errors
    lines = [
        "=== Kubernetes Jobs ===",
        f"Namespace:  {snapshot.namespace}",
        f"Selector:   {snapshot.selector or '(every Job)'}",
        f"Read at:    {snapshot.timestamp}",
        f"Jobs:       {f'{len(snapshot.jobs)}{counts}' if is_known else 'not known'}",
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
        if job.condition_reason or job.condition_message:
            told = ": ".join(part for part in (job.condition_reason, job.condition_message) if part)
            lines.append(f"           {one_line(told, _WIDEST_LINE)}")
        lines += [f"           {one_line(told, _WIDEST_LINE)}" for told in [*_held(job), *_warnings(job)]]
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
    told = "; ".join([pod.phase, *(part for part in used if part), *troubles])
    lines = [f"           pod {pod.pod_name}: {one_line(told, 500)}"]
    tail = _TAIL_OF_TROUBLE if troubles or job.phase in ("FAILED", "UNKNOWN") else _TAIL
    for log in sorted(logs, key=lambda log: (log.container_name, not log.previous)):
        if not log.lines:
            continue
        which = f"{log.container_name}{' before its restart' if log.previous else ''}"
        lines += [f"             {which} | {end_of(log_line(line), _WIDEST_LINE)}" for line in log.lines[-tail:]]
    return lines


def _troubles(pod: K8sPodStatus) -> list[str]:
    troubles = []
    if pod.reason or pod.message:
        troubles.append(": ".join(part for part in (pod.reason, pod.message) if part))
    if pod.unschedulable:
        troubles.append(f"unschedulable: {pod.unschedulable}")
    if pod.scheduling_gates:
        troubles.append(f"held by {', '.join(pod.scheduling_gates)}")
    disruptions = [condition for condition in pod.conditions if condition.type == "DisruptionTarget"]
    troubles += [": ".join(part for part in ("disrupted", one.reason, one.message) if part) for one in disruptions]
    if pod.deleted_at is not None:
        troubles.append(f"to be gone by {pod.deleted_at}")
    told = [(container.name, _container_trouble(container)) for container in pod.containers]
    return troubles + [f"container {name} {trouble}" for name, trouble in told if trouble]


def _container_trouble(container: K8sContainerStatus) -> str:
    parts = []
    if container.waiting_reason and container.waiting_reason not in ("ContainerCreating", "PodInitializing"):
        parts.append("waits: " + ": ".join(p for p in (container.waiting_reason, container.waiting_message) if p))
    if container.exit_code:
        ended = f"ended with exit code {container.exit_code}"
        said = ": ".join(part for part in (container.terminated_reason, container.terminated_message) if part)
        parts.append(f"{ended} ({said})" if said else ended)
    if container.restart_count:
        parts.append(f"restarted {container.restart_count} time{'' if container.restart_count == 1 else 's'}")
    return ", ".join(parts)


def _urgency(job: K8sJobStatus) -> tuple[int, bool, str]:
    ill = any(_troubles(pod) for pod in job.pods)
    # A "running" Job whose pod can't start is nearer to the failed ones than to the running ones.
    phase = "UNKNOWN" if ill and job.phase in ("PENDING", "RUNNING") else job.phase
    return (_ORDER.index(phase) if phase in _ORDER else 1, not ill, job.job_name)
