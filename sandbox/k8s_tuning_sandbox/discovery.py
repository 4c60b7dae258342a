"""What a client reads before it asks for an object: groups, resources, and as much OpenAPI as kubectl needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from k8s_tuning_sandbox.dialect import Dialect
from k8s_tuning_sandbox.resources import POD_METRICS, REVIEWS, STORED, SUBRESOURCES, Resource

Body = dict[str, Any]


def document(path: str, dialect: Dialect, *, metrics: bool) -> Body | str | None:
    """The discovery document at a path (JSON, or plain text for health), None where there is none."""
    path = path.rstrip("/") or "/"
    served: Sequence[Resource] = (*STORED, REVIEWS, *((POD_METRICS,) if metrics else ()))
    match path.split("/")[1:]:
        case [""]:
            return {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/openapi/v3", "/version"]}
        case ["version"]:
            return {"major": "1", "minor": str(dialect.minor), "gitVersion": dialect.version, "platform": "linux/amd64"}
        case ["healthz" | "livez" | "readyz", *_]:
            return "ok"
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = dict.fromkeys(resource.group for resource in served if resource.group)
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group, served) for group in groups]}
        case ["apis", group]:
            found = _group(group, served)
            return {"kind": "APIGroup", "apiVersion": "v1", **found} if found["versions"] else None
        case ["api", version]:
            return _resources("", version, served)
        case ["apis", group, version]:
            return _resources(group, version, served)
        case ["openapi", "v3"]:
            versions = dict.fromkeys(_prefix(resource).strip("/") for resource in STORED)
            return {"paths": {version: {"serverRelativeURL": f"/openapi/v3/{version}"} for version in versions}}
        case ["openapi", "v3", *rest]:
            return _openapi("/".join(rest), dialect.version)
    return None


def _prefix(resource: Resource) -> str:
    return f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"


def _group(group: str, served: Sequence[Resource]) -> Body:
    versions = dict.fromkeys(resource.api_version for resource in served if resource.group == group)
    listed = [{"groupVersion": version, "version": version.rpartition("/")[2]} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0] if listed else {}}


def _resources(group: str, version: str, served: Sequence[Resource]) -> Body | None:
    found = [resource for resource in served if (resource.group, resource.version) == (group, version)]
    if not found:
        return None
    listed: list[Body] = []
    for resource in found:
        base = {"singularName": "", "namespaced": resource.namespaced, "kind": resource.kind}
        entry: Body = {"name": resource.plural, **base, "verbs": list(resource.verbs)}
        if resource.short:
            entry["shortNames"] = list(resource.short)
        if resource.plural in ("jobs", "pods") and resource is not POD_METRICS:
            entry["categories"] = ["all"]
        listed.append(entry)
        for name in SUBRESOURCES.get(resource.plural, ()) if resource is not POD_METRICS else ():
            verbs = ["get"] if name == "log" else ["get", "patch", "update"]
            listed.append({"name": f"{resource.plural}/{name}", **base, "verbs": verbs})
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": found[0].api_version}
    return {**head, "resources": listed}


@cache
def _openapi(version: str, git_version: str) -> Body | None:
    """Enough to tell kubectl that the server itself checks fields (fieldValidation), so that it need not."""
    paths: Body = {}
    for resource in STORED:
        if _prefix(resource).strip("/") == version:
            middle = "/namespaces/{namespace}" if resource.namespaced else ""
            kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
            parameters = [
                {"name": name, "in": "query", "schema": {"type": "string"}}
                for name in ("dryRun", "fieldManager", "fieldValidation", "force")
            ]
            answer = {"responses": {"200": {"description": "OK"}}, "x-kubernetes-group-version-kind": kind}
            paths[f"{_prefix(resource)}{middle}/{resource.plural}/{{name}}"] = {
                "patch": {**answer, "x-kubernetes-action": "patch", "parameters": parameters}
            }
    info = {"title": "Kubernetes", "version": git_version}
    return {"openapi": "3.0.0", "info": info, "paths": paths} if paths else None
