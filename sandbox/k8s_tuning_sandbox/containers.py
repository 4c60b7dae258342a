"""What a pod's status says of its containers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k8s_tuning_sandbox.resources import Object


def fill_in(
    pod: Object, state: Object, last: Mapping[str, Any] | None, restarts: int, others: Object | None = None
) -> None:
    """Set the statuses of all containers, in place. `others`: of those beside the first, if they differ from it."""
    status = pod["status"]
    status["containerStatuses"] = [
        _container(container, state if others is None or not number else others, last or {}, restarts)
        for number, container in enumerate(pod["spec"]["containers"])
    ]
    if inits := pod["spec"].get("initContainers"):
        status["initContainerStatuses"] = [_init(container, state, status["phase"]) for container in inits]


def _container(container: Object, state: Object, last: Mapping[str, Any], restarts: int) -> Object:
    return {
        "name": container["name"],
        "state": state,
        "lastState": last,
        "ready": "running" in state,
        "restartCount": restarts,
        "image": container["image"],
        "imageID": "",
    }


def _init(container: Object, state: Object, phase: str) -> Object:
    """An init container has done its work before the others start; a native sidecar runs as long as they do."""
    if container.get("restartPolicy") == "Always":
        runs = phase == "Running"
        own = {"running": {"startedAt": _started(state)}} if runs else _stopped(state, 137 if phase == "Failed" else 0)
        return {**_container(container, own if "waiting" not in state or runs else state, {}, 0), "started": runs}
    done = {
        "terminated": {
            "exitCode": 0,
            "reason": "Completed",
            "startedAt": _started(state),
            "finishedAt": _started(state),
        }
    }
    return {**_container(container, done, {}, 0), "ready": True, "started": False}


def _stopped(state: Object, code: int) -> Object:
    ended = state.get("terminated", {})
    return {"terminated": {**ended, "exitCode": code, "reason": "Error" if code else "Completed"}}


def _started(state: Object) -> str | None:
    for found in state.values():
        started: str | None = found.get("startedAt")
        return started
    return None
