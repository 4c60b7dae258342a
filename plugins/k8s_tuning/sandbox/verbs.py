"""The API's verbs on one resource: create, update, patch, delete. State only; HTTP is app.py's business."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from k8s_tuning.sandbox import admission, ownership, patches, schema
from k8s_tuning.sandbox.bodies import read_yaml
from k8s_tuning.sandbox.jobs import generated_name
from k8s_tuning.sandbox.resources import JOBS, NAMESPACES, PODS, Resource
from k8s_tuning.sandbox.status import (
    Cause,
    Refusal,
    already_exists,
    bad_request,
    invalid,
    modified,
    not_found,
    of,
    terminating,
)
from k8s_tuning.sandbox.store import Record, Selection, Store
from k8s_tuning.timestamps import to_text

Object = dict[str, Any]

_APPLY = "application/apply-patch+yaml"
_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json")
_POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True)
class Target:
    """What a request is about: the resource, the namespace ('' where it has none), the name, and how it is written."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    manager: str = ""
    dry_run: bool = False
    strict: bool = False


class Verbs:
    """Writes to the store as an API server does; `clock` gives the present instant, aware."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def read(self, target: Target) -> Record:
        """The object's newest version; Refusal 404."""
        record = self._store.get(target.resource, target.namespace, target.name)
        if record is None:
            raise not_found(target.resource, target.name)
        return record

    def create(self, target: Target, body: Any) -> Object:
        """Store a new object; Refusal 400, 403, 404, 409 or 422."""
        obj = self._decoded(target, body)
        meta = obj["metadata"]
        if meta.get("resourceVersion") and not target.dry_run:
            raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = generated_name(meta["generateName"])
        obj = self._new(target, obj)
        ownership.update(target.resource, None, obj, target.manager, self._now())
        return self._add(target, obj)

    def replace(self, target: Target, body: Any) -> Object:
        """PUT: the object as it shall be; its status stays, or only its status changes, by the subresource."""
        live = self.read(target).load()
        return self._write(target, live, self._decoded(target, body))

    def patch(self, target: Target, kind: str, body: bytes, *, force: bool) -> tuple[Object, bool]:
        """Any of the four patches; the object, and whether it was created (only an apply creates)."""
        if kind == _APPLY:
            return self._apply(target, read_yaml(body, target.resource.kind), force=force)
        if kind not in _PATCHES:
            raise Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        live = self.read(target).load()
        head = {"kind": target.resource.kind, "apiVersion": target.resource.api_version}
        try:
            patch = orjson.loads(body)
        except ValueError as error:
            raise Refusal(500, "", "Invalid JSON Patch") from error
        whole = {**head, **live}
        if kind == _PATCHES[0]:
            patched = patches.merge_patch(whole, patch)
        elif kind == _PATCHES[1]:
            patched = patches.strategic(whole, patch, schema.resolve(target.resource.definition))
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

    def delete(self, target: Target, options: Mapping[str, Any]) -> Object:
        """Delete an object by its policy; the answer is a Status, or the object with its deletionTimestamp."""
        policy = options.get("propagationPolicy") or ("Orphan" if target.resource is JOBS else "Background")
        if options.get("orphanDependents") is not None:
            policy = "Orphan" if options["orphanDependents"] else "Background"
        if policy not in _POLICIES:
            listed = ", ".join(f'"{one}"' for one in (*_POLICIES, "nil"))
            text = f'Unsupported value: "{policy}": supported values: {listed}'
            cause = Cause("propagationPolicy", "FieldValueNotSupported", text)
            raise invalid("DeleteOptions", "meta.k8s.io", "", [cause])
        record = self.read(target)
        obj = record.load()
        self._check_preconditions(target, record, options.get("preconditions") or {})
        if not target.dry_run:
            self._remove(target, record, orphan=policy == "Orphan")
        gone: Object = {"deletionTimestamp": self._now(), "deletionGracePeriodSeconds": 0}
        if target.resource is NAMESPACES:
            gone = {"deletionTimestamp": gone["deletionTimestamp"]}
            obj["status"] = {"phase": "Terminating"}
        elif target.resource is PODS and "nodeName" in obj["spec"] and obj["status"]["phase"] == "Running":
            gone["deletionGracePeriodSeconds"] = obj["spec"]["terminationGracePeriodSeconds"]
        elif target.resource is JOBS and policy == "Background":
            details = {**of(target.resource, target.name), "uid": record.uid}
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        elif target.resource is not PODS:
            gone["finalizers"] = ["orphan" if policy == "Orphan" else "foregroundDeletion"]
        obj["metadata"] |= gone
        return {"kind": target.resource.kind, "apiVersion": target.resource.api_version, **obj}

    def delete_all(self, selection: Selection, target: Target, options: Mapping[str, Any]) -> list[Record]:
        """Delete what is selected; the objects as they were."""
        records = self._store.records(selection)
        for record in records:
            one = Target(target.resource, record.namespace, record.name, dry_run=target.dry_run)
            self.delete(one, options)
        return records

    def _now(self) -> str:
        return to_text(self._clock())

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
        obj, unknown = schema.decode(kind, version, resource.definition, body)
        if unknown and target.strict:
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
        kept |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._now()}
        # metadata first, as a server's types have it.
        fresh: Object = {"metadata": kept, **{name: value for name, value in obj.items() if name != "metadata"}}
        if target.resource in (JOBS, PODS):
            fresh.pop("status", None)
        admission.fill_in(target.resource, fresh)
        return fresh

    def _add(self, target: Target, obj: Object) -> Object:
        self._check_namespace(target, obj["metadata"].get("name", ""))
        admission.check(target.resource, obj)
        name = obj["metadata"]["name"]
        if self._store.get(target.resource, target.namespace, name) is not None:
            raise already_exists(target.resource, name)
        if not target.dry_run:
            self._store.put(target.resource, obj)
        return obj

    def _check_namespace(self, target: Target, name: str) -> None:
        if not target.resource.namespaced:
            return
        space = self._store.get(NAMESPACES, "", target.namespace)
        if space is None:
            raise not_found(NAMESPACES, target.namespace)
        if space.fields.get("status.phase") == "Terminating":
            raise terminating(target.resource, name, target.namespace)

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
            admission.fill_in(target.resource, fresh)
            given = obj["metadata"].get("uid", live["metadata"]["uid"])
            if given != live["metadata"]["uid"]:
                text = (
                    f"Precondition failed: UID in precondition: {given}, UID in object meta: {live['metadata']['uid']}"
                )
                raise Refusal(409, "Conflict", text, of(target.resource, target.name))
            admission.check(target.resource, fresh, live)
            ownership.update(target.resource, live, fresh, target.manager, self._now())
        return self._commit(target, fresh)

    def _apply(self, target: Target, applied: Object, *, force: bool) -> tuple[Object, bool]:
        if not target.manager:
            cause = Cause("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")
            raise invalid("PatchOptions", "meta.k8s.io", "", [cause])
        resource = target.resource
        if not isinstance(applied, dict):
            raise bad_request("error decoding YAML: the patch must be an object")
        if applied.get("apiVersion") != resource.api_version:
            given = applied.get("apiVersion", "")
            text = f"Incorrect version specified in apply patch. Specified patch version: {given}, expected: "
            raise bad_request(text + resource.api_version)
        _, unknown = schema.decode(resource.kind, resource.api_version, resource.definition, applied)
        if (applied.get("metadata") or {}).get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        if unknown:
            text = f"failed to create typed patch object: .{unknown[0]}: field not declared in schema"
            raise Refusal(500, "", text)
        wanted = self._decoded(target, applied)
        record = self._store.get(resource, target.namespace, target.name)
        if record is None:
            if wanted["metadata"].get("resourceVersion") or wanted["metadata"].get("uid"):
                raise modified(resource, target.name)
            created = ownership.apply(resource, None, wanted, target.manager, self._now(), force=force)
            managed = created["metadata"]["managedFields"]
            obj = self._new(target, created)
            obj["metadata"]["managedFields"] = managed
            return self._add(target, obj), True
        live = record.load()
        version = wanted["metadata"].get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise modified(resource, target.name)
        merged = ownership.apply(resource, live, wanted, target.manager, self._now(), force=force)
        merged["metadata"] |= _kept(live["metadata"])
        if resource in (JOBS, PODS):
            merged["status"] = live.get("status", {})
        admission.fill_in(resource, merged)
        admission.check(resource, merged, live)
        return self._commit(target, merged), False

    def _commit(self, target: Target, obj: Object) -> Object:
        if target.dry_run:
            return obj
        return self._store.put(target.resource, obj).load()

    def _check_preconditions(self, target: Target, record: Record, wanted: Mapping[str, Any]) -> None:
        if (uid := wanted.get("uid")) and uid != record.uid:
            kind = target.resource.kind + (f".{target.resource.group}" if target.resource.group else "")
            text = (
                f'Operation cannot be fulfilled on {kind} "{target.name}": the UID in the precondition ({uid}) does'
                f" not match the UID in record ({record.uid}). The object might have been deleted and then recreated"
            )
            raise Refusal(409, "Conflict", text, {**of(target.resource, target.name), "kind": target.resource.kind})
        if (version := wanted.get("resourceVersion")) and version != str(record.revision):
            raise modified(target.resource, target.name)

    def _remove(self, target: Target, record: Record, *, orphan: bool) -> None:
        if target.resource is NAMESPACES:
            # The namespace controller empties and removes it.
            obj = record.load()
            obj["metadata"].setdefault("deletionTimestamp", self._now())
            obj["status"] = {"phase": "Terminating"}
            self._store.put(NAMESPACES, obj)
            return
        if orphan:
            for pod in self._store.owned(record.uid, PODS):
                obj = pod.load()
                obj["metadata"].pop("ownerReferences")
                self._store.put(PODS, obj)
        self._store.remove(target.resource, *record.key)


def _kept(meta: Mapping[str, Any]) -> Object:
    # What a writer cannot change about an object that is there.
    names = ("name", "namespace", "uid", "creationTimestamp", "generateName", "resourceVersion")
    return {name: meta[name] for name in names if name in meta}
