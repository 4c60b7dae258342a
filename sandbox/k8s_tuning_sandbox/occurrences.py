"""How the control plane writes Events: the older form with counts, and the scheduler's with an eventTime."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from k8s_tuning_sandbox.resources import EVENTS
from k8s_tuning_sandbox.simulation import Simulation

Object = Mapping[str, Any]


def note(
    sim: Simulation, about: Object, kind: str, level: str, reason: str, message: str, component: str, count: int = 1
) -> None:
    """An event as the Job controller and the kubelet write it. `level`: Normal or Warning."""
    now = sim.now()
    event = _event(sim, about, kind, level, reason, message)
    event |= {"source": {"component": component}, "firstTimestamp": now, "lastTimestamp": now, "count": count}
    if sim.dialect.since(27):
        event["reportingComponent"] = component
    sim.store.put(EVENTS, event)


def schedule(sim: Simulation, pod: Object, level: str, reason: str, message: str, action: str) -> None:
    """An event as the scheduler writes it: through events.k8s.io, with an eventTime and no other timestamp."""
    event = _event(sim, pod, "Pod", level, reason, message)
    event |= {
        "eventTime": sim.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingComponent": "default-scheduler",
        "reportingInstance": "default-scheduler-sandbox",
        "action": action,
    }
    sim.store.put(EVENTS, event)


def _event(sim: Simulation, about: Object, kind: str, level: str, reason: str, message: str) -> dict[str, Any]:
    meta = about["metadata"]
    return {
        "metadata": {
            "name": f"{meta['name']}.{uuid.uuid4().hex[:15]}",
            "namespace": meta["namespace"],
            "uid": str(uuid.uuid4()),
            "creationTimestamp": sim.now(),
        },
        "involvedObject": {
            "kind": kind,
            **{name: meta[name] for name in ("namespace", "name", "uid")},
            "apiVersion": "batch/v1" if kind == "Job" else "v1",
            "resourceVersion": meta["resourceVersion"],
        },
        "reason": reason,
        "message": message,
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "type": level,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    }
