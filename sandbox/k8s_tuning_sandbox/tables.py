"""Objects as rows, as the API server prints them for `kubectl get` (Accept: application/json;as=Table)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from k8s_tuning.timestamps import seconds_between
from k8s_tuning_sandbox.dialect import Dialect
from k8s_tuning_sandbox.resources import Resource

Object = Mapping[str, Any]

# What `kubectl get` shows; with * only for -o wide.
_COLUMNS: Mapping[str, str] = {
    "Job": "Name, Completions, Duration, Age, Containers*, Images*, Selector*",
    "Pod": "Name, Ready, Status, Restarts, Age, IP*, Node*, Nominated Node*, Readiness Gates*",
    "Event": "Last Seen, Type, Reason, Object, Subobject*, Source*, Message, First Seen*, Count*, Name*",
    "Namespace": "Name, Status, Age",
    "Node": "Name, Status, Roles, Age, Version",
}


def table(
    resource: Resource, objects: Iterable[Object], metadata: Object, now: str, include: str, dialect: Dialect
) -> dict[str, Any]:
    """A meta.k8s.io/v1 Table. `include`: None, Metadata or Object, what each row carries of its object."""
    rows = []
    for obj in objects:
        row: dict[str, Any] = {"cells": _cells(resource.kind, obj, now, dialect)}
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        if include == "Object":
            row["object"] = {**head, **obj}
        elif include != "None":
            partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            row["object"] = {**partial, "metadata": obj["metadata"]}
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_column(name, dialect) for name in _names(resource.kind, dialect)],
        "rows": rows,
    }


def _names(kind: str, dialect: Dialect) -> list[str]:
    names = _COLUMNS[kind].split(", ")
    if kind == "Job" and dialect.since(31):
        names.insert(1, "Status")
    return names


def _column(marked: str, dialect: Dialect) -> dict[str, Any]:
    name = marked.removesuffix("*")
    return {
        "name": name,
        "type": "integer" if name == "Restarts" and not dialect.since(22) else "string",
        "format": "name" if name == "Name" else "",
        "description": name,
        "priority": int(marked != name),
    }


def duration(seconds: float) -> str:
    """Seconds as kubectl shows them: 5s, 3m20s, 45m, 2h10m, 4d."""
    whole = int(seconds)
    if seconds < 0:
        return "0s" if whole >= -1 else "<invalid>"
    if whole < 120:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    return f"{days}d{hours % 24}h" if days < 8 and hours % 24 else f"{days}d"


def _cells(kind: str, obj: Object, now: str, dialect: Dialect) -> list[Any]:
    meta, status = obj["metadata"], obj.get("status") or {}
    age = _since(meta.get("creationTimestamp"), now)
    match kind:
        case "Job":
            return _job_cells(obj, status, [_job_status(obj, status)] if dialect.since(31) else [], age, now)
        case "Pod":
            return _pod_cells(obj, status, age, dialect)
        case "Event":
            return _event_cells(obj, now)
        case "Namespace":
            return [meta["name"], status.get("phase", ""), age]
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in status["conditions"])
    return [meta["name"], "Ready" if ready else "NotReady", "<none>", age, status["nodeInfo"]["kubeletVersion"]]


def _job_status(job: Object, status: Object) -> str:
    held = [found["type"] for found in status.get("conditions") or () if found["status"] == "True"]
    final = [kind for kind in ("Complete", "Failed") if kind in held]
    if not final and "deletionTimestamp" in job["metadata"]:
        return "Terminating"
    return next(
        (kind for kind in (*final, "Suspended", "FailureTarget", "SuccessCriteriaMet") if kind in held), "Running"
    )


def _job_cells(job: Object, status: Object, shown: list[str], age: str, now: str) -> list[Any]:
    spec, succeeded, parallelism = job["spec"], status.get("succeeded", 0), job["spec"].get("parallelism", 0)
    if "completions" in spec:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    started = status.get("startTime")
    lasted = duration(seconds_between(started, status.get("completionTime", now))) if started else ""
    containers = spec["template"]["spec"]["containers"]
    names, images = (",".join(container[field] for container in containers) for field in ("name", "image"))
    labels = spec["selector"].get("matchLabels", {})
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return [job["metadata"]["name"], *shown, completions, lasted, age, names, images, selector or "<none>"]


def _pod_cells(pod: Object, status: Object, age: str, dialect: Dialect) -> list[Any]:
    reason = status.get("reason") or status.get("phase", "")
    if any(found.get("reason") == "SchedulingGated" for found in status.get("conditions") or ()):
        reason = "SchedulingGated"
    ready, restarts, running = 0, 0, False
    for container in reversed(status.get("containerStatuses") or ()):
        state = container.get("state") or {}
        restarts += container.get("restartCount", 0)
        ended = state.get("terminated")
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif ended is not None:
            reason = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
        elif container.get("ready") and "running" in state:
            running = True
            ready += 1
    if reason == "Completed" and running:
        reason = "Running"
    if pod["metadata"].get("deletionTimestamp"):
        reason = "Terminating"
    total, node = len(pod["spec"]["containers"]), pod["spec"].get("nodeName", "<none>")
    shown = str(restarts) if dialect.since(22) else restarts
    address = status.get("podIP", "<none>")
    return [pod["metadata"]["name"], f"{ready}/{total}", reason, shown, age, address, node, "<none>", "<none>"]


def _event_cells(event: Object, now: str) -> list[Any]:
    first = event.get("firstTimestamp") or event.get("eventTime")
    series, last = event.get("series") or {}, event.get("lastTimestamp") or first
    involved, source = event.get("involvedObject") or {}, event.get("source") or {}
    kind, name = involved.get("kind", "").lower(), involved.get("name")
    where = source.get("component") or event.get("reportingComponent", "")
    instance = source.get("host") or event.get("reportingInstance", "")
    return [
        _since(series.get("lastObservedTime") or last, now),
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        involved.get("fieldPath", ""),
        f"{where}, {instance}" if where and instance else where,
        event.get("message", "").strip(),
        _since(first, now),
        series["count"] + 1 if series else event.get("count") or 1,
        event["metadata"]["name"],
    ]


def _since(time: str | None, now: str) -> str:
    return duration(seconds_between(time, now)) if time else "<unknown>"
