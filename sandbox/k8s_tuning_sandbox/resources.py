"""Which resources the sandbox serves, and what a client may ask of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

_META = ("metadata.name", "metadata.namespace")
_READ = ("get", "list", "watch")
_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One kind of object: its names, its scope, its verbs and the field selectors that it supports."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL
    selectable: tuple[str, ...] = _META

    @property
    def definition(self) -> str:
        """The name of its type in Kubernetes' schemas."""
        return f"io.k8s.api.{self.group or 'core'}.{self.version}.{self.kind}"

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
    namespaced=False,
    short=("ns",),
    verbs=tuple(verb for verb in _ALL if verb != "deletecollection"),
    selectable=("metadata.name", "name", "status.phase"),
)
NODES = Resource(
    "nodes", "Node", namespaced=False, short=("no",), verbs=_READ, selectable=("metadata.name", "spec.unschedulable")
)
_POD_SPEC = tuple(f"spec.{name}" for name in ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName"))
_POD_STATUS = ("status.nominatedNodeName", "status.phase", "status.podIP")
PODS = Resource("pods", "Pod", short=("po",), selectable=(*_META, *_POD_SPEC, *_POD_STATUS))
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_INVOLVED = tuple(f"involvedObject.{name}" for name in _REFERENCE)
EVENTS = Resource(
    "events", "Event", short=("ev",), selectable=(*_META, *_INVOLVED, "reason", "reportingComponent", "source", "type")
)
JOBS = Resource("jobs", "Job", "batch", selectable=(*_META, "status.successful"))

POD_METRICS = Resource("pods", "PodMetrics", "metrics.k8s.io", "v1beta1", verbs=("get", "list"))
REVIEWS = Resource(
    "selfsubjectaccessreviews", "SelfSubjectAccessReview", "authorization.k8s.io", namespaced=False, verbs=("create",)
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
