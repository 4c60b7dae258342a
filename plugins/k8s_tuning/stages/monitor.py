"""D32 monitor: what the API says of the Jobs and their pods, as one snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class K8sContainerStatus:
    """One container of a pod. Absent facts are None: a pod may lack container statuses altogether."""

    name: str
    restart_count: int = 0
    waiting_reason: str | None = None
    waiting_message: str | None = None
    terminated_reason: str | None = None
    terminated_message: str | None = None
    exit_code: int | None = None
    finished_at: str | None = None


@dataclass
class K8sPodStatus:
    """One pod of a Job. `phase` is the pod's own (Pending, Running, Succeeded, Failed, Unknown)."""

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


@dataclass
class K8sJobStatus:
    """One Job. `phase`: PENDING, RUNNING, SUCCEEDED, FAILED or UNKNOWN; its conditions decide first."""

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
    pods: list[K8sPodStatus] = field(default_factory=list)


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
    """Everything read in one look. `errors` is not empty where anything could not be read: then it is not whole."""

    namespace: str
    selector: str
    jobs: list[K8sJobStatus]
    pods_logs: list[K8sPodLog]
    timestamp: str
    errors: list[str] = field(default_factory=list)
