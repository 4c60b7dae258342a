"""D33 health: OK, WARN or ERROR for every Job and for the whole selection."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class HealthLevel(StrEnum):
    """How ill a Job, or a whole selection, is."""

    OK = "OK"
    WARN = "WARN"
    ERROR = "ERROR"


@dataclass
class K8sJobHealth:
    """One Job's health, with why. `cause`: the probable cause in a sentence, None where nothing is wrong."""

    job_name: str
    namespace: str
    phase: str
    succeeded: int
    failed: int
    active: int
    health: HealthLevel
    reasons: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    cause: str | None = None
    exit_code: int | None = None
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass
class K8sHealthSnapshot:
    """The health of every selected Job. `errors`: what monitoring could not read."""

    namespace: str
    selector: str
    jobs_health: list[K8sJobHealth]
    errors: list[str]
    overall_health: HealthLevel
    timestamp: str
