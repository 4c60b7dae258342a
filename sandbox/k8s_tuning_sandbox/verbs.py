"""The API's verbs that write one object: create, update, patch. State only; HTTP is app.py's business."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from k8s_tuning_sandbox import admission, job_checks, ownership, patches
from k8s_tuning_sandbox.bodies import read_yaml
from k8s_tuning_sandbox.jobs import generated_name
from k8s_tuning_sandbox.resources import JOBS, NAMESPACES, PODS, Object
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.status import Cause, Refusal, bad_request, invalid, modified, not_found, of, required
from k8s_tuning_sandbox.target import Target
from k8s_tuning_sandbox.target import live as live_of

APPLY = "application/apply-patch+yaml"
_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json")


class Verbs:
    """Writes to the store as an API server does."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        self._schema = simulation.dialect.schema

    def create(self, target: Target, body: Any) -> Object:
        """Store a new object; Refusal 400, 403, 404, 409 or 422."""
        obj = self._decoded(target, body)
        meta = obj["metadata"]
        if meta.get("resourceVersion") and not target.dry_run:
            raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = generated_name(meta["generateName"])
        obj = self._new(target, obj)
        ownership.update(self._schema, target.resource, None, obj, target.manager, self._sim.now())
        return self._add(target, obj)

    def replace(self, target: Target, body: Any) -> Object:
        """PUT: the object as it shall be; its status stays, or only its status changes, by the subresource."""
        live = live_of(self._sim.store, target).load()
        return self._write(target, live, self._decoded(target, body))

    def patch(self, target: Target, kind: str, body: bytes, *, force: bool) -> tuple[Object, bool]:
        """Any of the four patches; the object, and whether it was created (only an apply creates)."""
        if kind == APPLY:
            return self._apply(target, read_yaml(body, target.resource.kind), force=force)
        if kind not in _PATCHES:
            raise Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        live = live_of(self._sim.store, target).load()
        head = {"kind": target.resource.kind, "apiVersion": target.resource.api_version}
        try:
            patch = orjson.loads(body)
        except ValueError as error:
            raise Refusal(500, "", "Invalid JSON Patch") from error
        whole = {**head, **live}
        if kind == _PATCHES[0]:
            patched = patches.merge_patch(whole, patch)
        elif kind == _PATCHES[1]:
            patched = patches.strategic(self._schema, whole, patch, self._schema.resolve(target.resource.definition))
        else:
            patched = patches.json_patch(whole, patch)
        try:
            obj = self._decoded(target, patched)
        except Refusal as refusal:
            if refusal.message.startswith("the name"):
                raise
            text = f"Invalid value: {refusal.message}"
            raise invalid("", "", "", [Cause("patch", "FieldValueInvalid", text)]) from refusal
        return self._write(target, live, obj), False

    def _decoded(self, target: Target, body: Any) -> Object:
        resource = target.resource
        kind, version = resource.kind, resource.api_version
        if not isinstance(body, dict):
            raise bad_request(f"the object provided is unrecognized (must be of type {kind})")
        given = body.get("kind") or kind, body.get("apiVersion") or version
        if given != (kind, version):
            short = given[1].rpartition("/")[2] if isinstance(given[1], str) else given[1]
            text = f'no kind "{given[0]}" is registered for version "{given[1]}"'
            raise bad_request(f'{given[0]} in version "{short}" cannot be handled as a {kind}: {text}')
        obj, unknown = self._schema.decode(kind, version, resource.definition, body)
        if unknown and target.validation == "Warn" and self._sim.dialect.since(27):
            target.warnings.extend(f'unknown field "{path}"' for path in unknown)
        if unknown and target.validation == "Strict":
            listed = ", ".join(f'unknown field "{path}"' for path in unknown)
            short = version.rpartition("/")[2]
            raise bad_request(
                f'{kind} in version "{short}" cannot be handled as a {kind}: strict decoding error: {listed}'
            )
        meta = obj.setdefault("metadata", {})
        if resource.namespaced and meta.setdefault("namespace", target.namespace) != target.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if target.name and meta.setdefault("name", target.name) != target.name:
            text = f"the name of the object ({meta['name']}) does not match the name on the URL ({target.name})"
            raise bad_request(text)
        obj.pop("kind", None)
        obj.pop("apiVersion", None)
        return obj

    def _new(self, target: Target, obj: Object) -> Object:
        given = obj["metadata"]
        kept = {name: value for name, value in given.items() if name not in ("selfLink", "managedFields", "generation")}
        kept |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._sim.now()}
        if target.resource is JOBS and self._sim.dialect.since(26):
            kept["generation"] = 1
        # metadata first, as a server's types have it.
        fresh: Object = {"metadata": kept, **{name: value for name, value in obj.items() if name != "metadata"}}
        if target.resource in (JOBS, PODS):
            fresh.pop("status", None)
        name, suspends = kept.get("name", ""), "suspend" in self._sim.dialect.job_defaults
        # As a queueing system's webhook holds a Job back.
        if target.resource is JOBS and suspends and self._sim.scenario.outcome(name, "")["outcome"] == "suspended":
            fresh.setdefault("spec", {})["suspend"] = True
        admission.fill_in(target.resource, fresh, self._sim.dialect)
        return fresh

    def _add(self, target: Target, obj: Object) -> Object:
        self._check_namespace(target, obj["metadata"].get("name", ""))
        admission.check(target.resource, obj, self._sim.dialect)
        self._warn(target, obj)
        name = obj["metadata"]["name"]
        if self._sim.store.get(target.resource, target.namespace, name) is not None:
            text = f'{target.resource.qualified} "{name}" already exists'
            raise Refusal(409, "AlreadyExists", text, of(target.resource, name))
        if not target.dry_run:
            self._sim.store.put(target.resource, obj)
        return obj

    def _check_namespace(self, target: Target, name: str) -> None:
        if not target.resource.namespaced:
            return
        space = self._sim.store.get(NAMESPACES, "", target.namespace)
        if space is None:
            raise not_found(NAMESPACES, target.namespace)
        if space.fields.get("status.phase") == "Terminating":
            why = f"namespace {target.namespace} is being terminated"
            cause = Cause("metadata.namespace", "NamespaceTerminating", why)
            text = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            message = f'{target.resource.qualified} "{name}" is forbidden: {text}'
            raise Refusal(403, "Forbidden", message, {**of(target.resource, name), "causes": [cause.body()]})

    def _write(self, target: Target, live: Object, obj: Object) -> Object:
        version = obj["metadata"].get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise modified(target.resource, target.name)
        if target.subresource == "status":
            fresh = {**live, "status": obj.get("status", {})}
        else:
            fresh = {**live, **obj, "metadata": {**obj["metadata"], **_kept(live["metadata"])}}
            if target.resource in (JOBS, PODS):
                fresh["status"] = live.get("status", {})
            for name in set(live) - set(obj) - {"status", "metadata"}:
                del fresh[name]
            admission.fill_in(target.resource, fresh, self._sim.dialect)
            given = obj["metadata"].get("uid", live["metadata"]["uid"])
            if given != live["metadata"]["uid"]:
                text = (
                    f"Precondition failed: UID in precondition: {given}, UID in object meta: {live['metadata']['uid']}"
                )
                raise Refusal(409, "Conflict", text, of(target.resource, target.name))
            admission.check(target.resource, fresh, self._sim.dialect, live)
            ownership.update(self._schema, target.resource, live, fresh, target.manager, self._sim.now())
        return self._commit(target, fresh, live)

    def _apply(self, target: Target, applied: Object, *, force: bool) -> tuple[Object, bool]:
        if not target.manager:
            raise invalid("PatchOptions", "meta.k8s.io", "", [required("fieldManager", "is required for apply patch")])
        resource = target.resource
        if not isinstance(applied, dict):
            raise bad_request("error decoding YAML: the patch must be an object")
        if applied.get("apiVersion") != resource.api_version:
            given = applied.get("apiVersion", "")
            text = f"Incorrect version specified in apply patch. Specified patch version: {given}, expected: "
            raise bad_request(text + resource.api_version)
        self._schema.decode(resource.kind, resource.api_version, resource.definition, applied)
        if (applied.get("metadata") or {}).get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        if problem := ownership.type_problem(self._sim.dialect, resource.definition, applied):
            of_object = f" ({target.namespace}/{target.name}; {resource.api_version}, Kind={resource.kind})"
            named = of_object if self._sim.dialect.since(26) else ""
            raise Refusal(500, "", f"failed to create typed patch object{named}: {problem}")
        wanted = self._decoded(target, applied)
        record = self._sim.store.get(resource, target.namespace, target.name)
        if record is None:
            if wanted["metadata"].get("resourceVersion") or wanted["metadata"].get("uid"):
                raise modified(resource, target.name)
            created = ownership.apply(
                self._schema, resource, None, wanted, target.manager, self._sim.now(), force=force
            )
            managed = created["metadata"]["managedFields"]
            obj = self._new(target, created)
            obj["metadata"]["managedFields"] = managed
            return self._add(target, obj), True
        live = record.load()
        version = wanted["metadata"].get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise modified(resource, target.name)
        merged = ownership.apply(self._schema, resource, live, wanted, target.manager, self._sim.now(), force=force)
        merged["metadata"] |= _kept(live["metadata"])
        if resource in (JOBS, PODS):
            merged["status"] = live.get("status", {})
        admission.fill_in(resource, merged, self._sim.dialect)
        admission.check(resource, merged, self._sim.dialect, live)
        return self._commit(target, merged, live), False

    def _warn(self, target: Target, obj: Object) -> None:
        if target.resource is JOBS and self._sim.dialect.since(26):
            target.warnings.extend(job_checks.warnings(obj))

    def _commit(self, target: Target, obj: Object, live: Object) -> Object:
        if target.resource is JOBS and self._sim.dialect.since(26):
            changed = obj["spec"] != live["spec"]
            obj["metadata"]["generation"] = live["metadata"].get("generation", 1) + changed
            self._warn(target, obj)
        if target.dry_run:
            return obj
        return self._sim.store.put(target.resource, obj).load()


_NOT_THE_WRITERS = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generateName",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def _kept(meta: Mapping[str, Any]) -> Object:
    # What a writer cannot change about an object that is there.
    return {name: meta[name] for name in _NOT_THE_WRITERS if name in meta}
