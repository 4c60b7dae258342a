"""What is done to a pod: its conditions and containers' states set, its finalizer taken off, the pod deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from k8s_tuning.timestamps import to_text
from k8s_tuning_sandbox.plans import ENDED, phase
from k8s_tuning_sandbox.pod_counts import FINALIZER
from k8s_tuning_sandbox.resources import PODS, Object
from k8s_tuning_sandbox.simulation import Simulation


def remove_finalizer(pod: Object) -> None:
    """Take the Job controller's finalizer off the pod, in place."""
    meta = pod["metadata"]
    left = [name for name in meta.get("finalizers", ()) if name != FINALIZER]
    meta.pop("finalizers", None)
    if left:
        meta["finalizers"] = left


def delete_pod(sim: Simulation, pod: Object, grace: int | None = None) -> None:
    """Delete a pod as the API does: it goes when its node has stopped it and its last finalizer is gone.

    `grace`: the seconds for its node to stop it that the request asks for.
    """
    meta, seconds = pod["metadata"], 0
    if sim.dialect.tracks_pods and phase(pod) not in ENDED and "nodeName" in pod["spec"]:
        seconds = pod["spec"]["terminationGracePeriodSeconds"] if grace is None else grace
    if not seconds and not meta.get("finalizers"):
        sim.store.remove(PODS, meta["namespace"], meta["name"])
        return
    if "deletionTimestamp" not in meta or seconds < meta.get("deletionGracePeriodSeconds", 0):
        meta["deletionTimestamp"] = to_text(sim.clock() + timedelta(seconds=seconds))
        meta["deletionGracePeriodSeconds"] = seconds
    sim.store.put(PODS, pod)


def set_condition(pod: Object, kind: str, status: str, now: str, reason: str = "", message: str = "") -> None:
    """Set the pod's condition of a type, in place."""
    found = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": now}
    found |= {name: text for name, text in (("reason", reason), ("message", message)) if text}
    others = [one for one in pod["status"].get("conditions") or () if one["type"] != kind]
    pod["status"]["conditions"] = [*others, found]


def set_ready(pod: Object, status: str, now: str, reason: str = "") -> None:
    """Say whether the pod and its containers are ready, in place."""
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, status, now, reason)


def set_containers(
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
    started = next((found.get("startedAt") for found in state.values()), None)
    if container.get("restartPolicy") == "Always":
        runs = phase == "Running"
        own = {"running": {"startedAt": started}} if runs else _stopped(state, 137 if phase == "Failed" else 0)
        return {**_container(container, own if "waiting" not in state or runs else state, {}, 0), "started": runs}
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": started}
    return {**_container(container, {"terminated": ended}, {}, 0), "ready": True, "started": False}


def _stopped(state: Object, code: int) -> Object:
    ended = state.get("terminated", {})
    return {"terminated": {**ended, "exitCode": code, "reason": "Error" if code else "Completed"}}
