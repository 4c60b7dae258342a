"""Which resources the sandbox serves, and what a client may ask of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_META = ("metadata.name", "metadata.namespace")
_READ = ("get", "list", "watch")
_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One kind of object: its names, its scope, its verbs and the field selectors that it supports."""

    plural: str
    kind: str
    group: str
    version: str
    definition: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL
    selectable: tuple[str, ...] = _META

    @property
    def api_version(self) -> str:
        """`batch/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`jobs.batch`, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def head(self) -> bytes:
        """What a lone object's JSON has before its metadata, and an item of a list has not."""
        return f'"kind":"{self.kind}","apiVersion":"{self.api_version}",'.encode()


NAMESPACES = Resource(
    "namespaces",
    "Namespace",
    "",
    "v1",
    "io.k8s.api.core.v1.Namespace",
    namespaced=False,
    short=("ns",),
    verbs=tuple(verb for verb in _ALL if verb != "deletecollection"),
    selectable=("metadata.name", "name", "status.phase"),
)
NODES = Resource(
    "nodes",
    "Node",
    "",
    "v1",
    "io.k8s.api.core.v1.Node",
    namespaced=False,
    short=("no",),
    verbs=_READ,
    selectable=("metadata.name", "spec.unschedulable"),
)
PODS = Resource(
    "pods",
    "Pod",
    "",
    "v1",
    "io.k8s.api.core.v1.Pod",
    short=("po",),
    selectable=(
        *_META,
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.nominatedNodeName",
        "status.phase",
        "status.podIP",
    ),
)
EVENTS = Resource(
    "events",
    "Event",
    "",
    "v1",
    "io.k8s.api.core.v1.Event",
    short=("ev",),
    selectable=(
        *_META,
        *(
            f"involvedObject.{part}"
            for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        ),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
)
JOBS = Resource("jobs", "Job", "batch", "v1", "io.k8s.api.batch.v1.Job", selectable=(*_META, "status.successful"))

POD_METRICS = Resource("pods", "PodMetrics", "metrics.k8s.io", "v1beta1", "", verbs=("get", "list"))
REVIEWS = Resource(
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    "authorization.k8s.io",
    "v1",
    "",
    namespaced=False,
    verbs=("create",),
)

STORED = (NAMESPACES, NODES, PODS, EVENTS, JOBS)
# Both have a `status` subresource with a writer of its own, pods a log as well.
SUBRESOURCES: Mapping[str, tuple[str, ...]] = {"pods": ("log", "status"), "jobs": ("status",)}


def selectable_fields(resource: Resource, obj: Mapping[str, Any]) -> dict[str, str]:
    """The object's values of the fields that a field selector may ask for; what is not there counts as empty."""
    fields = {}
    for path in resource.selectable:
        if path == "name":
            value: Any = obj["metadata"]["name"]
        elif path == "source":
            value = (obj.get("source") or {}).get("component") or obj.get("reportingComponent")
        elif path == "status.successful":
            value = (obj.get("status") or {}).get("succeeded", 0)
        else:
            value = obj
            for part in path.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None and value != "":
            fields[path] = str(value).lower() if isinstance(value, bool) else str(value)
    return fields
