"""D35 incident: the unbroken run of non-OK records that a person should hear of, and what to tell them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from k8s_tuning.stages.events import K8sEvent
from k8s_tuning.stages.health import HealthLevel


class IncidentSeverity(StrEnum):
    """How urgent an incident is: ERROR is CRITICAL, WARN is WARN; INFO is for tests and resolved notices."""

    INFO = "INFO"
    WARN = "WARN"
    CRITICAL = "CRITICAL"


@dataclass
class K8sIncident:
    """One unbroken run of non-OK health of one target. The id stays the same while it lasts."""

    id: str
    severity: IncidentSeverity
    namespace: str
    selector: str
    current_health: HealthLevel
    previous_health: HealthLevel | None
    started_at: str
    detected_at: str
    summary: str
    job_counts: dict[str, int]
    recent_events: list[K8sEvent] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    target: str | None = None


@dataclass
class K8sAlertPayload:
    """What a channel is given to say. `text` is Markdown; `raw_incident` is the incident as JSON values."""

    title: str
    text: str
    severity: IncidentSeverity
    namespace: str
    selector: str
    current_health: HealthLevel
    metadata: dict[str, Any] = field(default_factory=dict)
    raw_incident: dict[str, Any] = field(default_factory=dict)
