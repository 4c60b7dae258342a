"""D31 apply: what would be done for each manifest, and what was."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ApplyStatus(StrEnum):
    """SKIPPED: a dry run, or a Job that is already there with the same spec; the item's `stdout` says which."""

    SKIPPED = "SKIPPED"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


@dataclass
class K8sApplyPlanItem:
    """One manifest. `kubectl_command`: what a person would type to do the same."""

    job_name: str
    namespace: str
    yaml_path: str
    kubectl_command: str


@dataclass
class K8sApplyPlan:
    """The manifests of one directory, in the order of their file names."""

    jobs: list[K8sApplyPlanItem]
    total_jobs: int


@dataclass
class K8sApplyJobResult:
    """What became of one manifest. `command`: as in the plan; `return_code`: 0 or 1, as kubectl's would be."""

    job_name: str
    namespace: str
    yaml_path: str
    command: str
    return_code: int
    stdout: str
    stderr: str
    status: ApplyStatus
    timestamp: str


@dataclass
class K8sApplyResult:
    """What became of the whole plan."""

    total_jobs: int
    successful_jobs: int
    failed_jobs: int
    skipped_jobs: int
    job_results: list[K8sApplyJobResult] = field(default_factory=list)
