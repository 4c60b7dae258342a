"""How the control plane writes Events: the older form with counts, and the scheduler's with an eventTime."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from k8s_tuning.timestamps import to_text
from k8s_tuning_sandbox.resources import EVENTS
from k8s_tuning_sandbox.store import Store

Object = Mapping[str, Any]


class Recorder:
    """Writes Events about objects into the store; `clock` returns the present time, aware.

    `names_reporter`: the older form has a reportingComponent too, as it has since 1.27.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime], *, names_reporter: bool) -> None:
        self._store = store
        self._clock = clock
        self._names_reporter = names_reporter

    def note(
        self, about: Object, kind: str, level: str, reason: str, message: str, component: str, count: int = 1
    ) -> None:
        """An event as the Job controller and the kubelet write it. `level`: Normal or Warning."""
        now = to_text(self._clock())
        self._write(about, kind, level, reason, message, component, {"count": count, "first": now, "last": now})

    def schedule(self, pod: Object, level: str, reason: str, message: str, action: str) -> None:
        """An event as the scheduler writes it: through events.k8s.io, with an eventTime and no other timestamp."""
        now = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._write(pod, "Pod", level, reason, message, "default-scheduler", {"at": now, "action": action})

    def _write(
        self, about: Object, kind: str, level: str, reason: str, message: str, component: str, when: Object
    ) -> None:
        meta = about["metadata"]
        event: dict[str, Any] = {
            "metadata": {
                "name": f"{meta['name']}.{uuid.uuid4().hex[:15]}",
                "namespace": meta["namespace"],
                "uid": str(uuid.uuid4()),
                "creationTimestamp": to_text(self._clock()),
            },
            "involvedObject": {
                "kind": kind,
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "apiVersion": "batch/v1" if kind == "Job" else "v1",
                "resourceVersion": meta["resourceVersion"],
            },
            "reason": reason,
            "message": message,
            "source": {} if "at" in when else {"component": component},
            "firstTimestamp": when.get("first"),
            "lastTimestamp": when.get("last"),
            "type": level,
            "eventTime": when.get("at"),
            "reportingComponent": component if "at" in when or self._names_reporter else "",
            "reportingInstance": f"{component}-sandbox" if "at" in when else "",
        }
        if "at" in when:
            event["action"] = when["action"]
        else:
            event["count"] = when["count"]
        self._store.put(EVENTS, event)
