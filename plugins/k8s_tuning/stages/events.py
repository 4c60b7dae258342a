"""D34 events: which of a namespace's Kubernetes events belong to the selection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class K8sEvent:
    """One core/v1 Event. `raw`: the object as the API gave it."""

    type: str
    reason: str
    message: str
    involved_kind: str
    involved_name: str
    involved_namespace: str
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: int = 1
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass
class K8sEventSnapshot:
    """The selection's events, oldest first. `errors` is not empty where they could not be read in full."""

    namespace: str
    selector: str
    events: list[K8sEvent]
    timestamp: str
    errors: list[str] = field(default_factory=list)
