"""D32 monitor: what the API says of the Jobs and their pods, as one snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field

from k8s_tuning.choices import fill
from k8s_tuning.stages.events.snapshot import K8sEvent

# The phases of a Job that has ended, and those of a pod that has.
ENDED = ("SUCCEEDED", "FAILED")
ENDED_PODS = ("Succeeded", "Failed")


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
    """Everything that one check read. `errors` is not empty where anything could not be read: then it is not whole.

    `jobs_listed`: the list of Jobs itself was read, so that a Job that is not in `jobs` is not in the cluster; what the
    errors are about then is pods or logs. `timestamp`: this machine's clock; `server_time`: the API server's at that
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

    @property
    def jobs_known(self) -> bool:
        """Whether the Jobs were listed; a snapshot made by hand may have Jobs and say nothing of how they were."""
        return self.jobs_listed or bool(self.jobs) or not self.errors
