"""DELETE, of one object or a selection: by policy and preconditions, with finalizers and a pod's time to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from k8s_tuning_sandbox.jobs import FOREGROUND
from k8s_tuning_sandbox.pods import delete_pod, remove_finalizer
from k8s_tuning_sandbox.resources import EVENTS, JOBS, NAMESPACES, PODS, Object
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.status import Refusal, invalid, modified, of, unsupported
from k8s_tuning_sandbox.store import Record, Selection
from k8s_tuning_sandbox.target import Target, live

_EMPTYING_SECONDS = 0.1
_POLICIES = ("Foreground", "Background", "Orphan")
_PODS_STAY = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set"
    " propagationPolicy=Orphan to suppress this warning"
)


class Deletes:
    """Deletes from the store as an API server does."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation

    def delete(self, target: Target, options: Mapping[str, Any]) -> Object:
        """Delete an object by its policy; the answer is a Status, or the object with its deletionTimestamp."""
        policy = options.get("propagationPolicy") or ("Orphan" if target.resource is JOBS else "Background")
        if options.get("orphanDependents") is not None:
            policy = "Orphan" if options["orphanDependents"] else "Background"
        if policy not in _POLICIES:
            cause = unsupported("propagationPolicy", policy, (*_POLICIES, "nil"))
            raise invalid("DeleteOptions", "meta.k8s.io", "", [cause])
        record = live(self._sim.store, target)
        obj = record.load()
        self._check_preconditions(target, record, options.get("preconditions") or {})
        unsaid = options.get("propagationPolicy") is None and options.get("orphanDependents") is None
        if target.resource is JOBS and unsaid and self._sim.dialect.since(26) and _PODS_STAY not in target.warnings:
            target.warnings.append(_PODS_STAY)
        if not target.dry_run:
            self._remove(target, record, policy, options.get("gracePeriodSeconds"))
        gone: Object = {"deletionTimestamp": self._sim.now()}
        if target.resource is NAMESPACES:
            obj["status"] = {"phase": "Terminating"}
        elif target.resource is PODS:
            runs = "nodeName" in obj["spec"] and obj["status"]["phase"] == "Running"
            gone["deletionGracePeriodSeconds"] = obj["spec"]["terminationGracePeriodSeconds"] if runs else 0
        elif (left := self._left(target, record)) is not None:
            obj, gone = left.load(), {}
        elif policy == "Background":
            details = {**of(target.resource, target.name), "uid": record.uid}
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        else:
            gone |= {"deletionGracePeriodSeconds": 0, "finalizers": ["orphan" if policy == "Orphan" else FOREGROUND]}
        obj["metadata"] |= gone
        return {"kind": target.resource.kind, "apiVersion": target.resource.api_version, **obj}

    def delete_all(self, selection: Selection, target: Target, options: Mapping[str, Any]) -> list[Record]:
        """Delete what is selected; the objects as they were."""
        records = self._sim.store.records(selection)
        for record in records:
            one = replace(target, namespace=record.namespace, name=record.name)
            self.delete(one, options)
        return records

    def _left(self, target: Target, record: Record) -> Record | None:
        """The object where its finalizers keep it, None where it went (or would go)."""
        found = self._sim.store.get(target.resource, *record.key)
        kept = found is not None and not target.dry_run and found.load()["metadata"].get("finalizers")
        return found if kept else None

    def _empty(self, name: str) -> None:
        """What the namespace controller does: remove what is in a namespace that is being deleted, and it."""
        for resource in (JOBS, PODS, EVENTS):
            for record in self._sim.store.records(Selection(resource, name)):
                self._sim.store.remove(resource, *record.key)
        self._sim.store.remove(NAMESPACES, "", name)

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

    def _remove(self, target: Target, record: Record, policy: str, grace: Any) -> None:
        obj = record.load()
        meta = obj["metadata"]
        if target.resource is PODS:
            delete_pod(self._sim, obj, grace if isinstance(grace, int) else None)
            return
        if target.resource is NAMESPACES:
            if "deletionTimestamp" not in meta:
                meta["deletionTimestamp"] = self._sim.now()
                obj["status"] = {"phase": "Terminating"}
                self._sim.store.put(NAMESPACES, obj)
                self._sim.later(_EMPTYING_SECONDS, lambda: self._empty(record.name))
            return
        if policy == "Orphan":
            for owned in self._sim.store.owned(record.uid, PODS):
                pod = owned.load()
                pod["metadata"].pop("ownerReferences")
                remove_finalizer(pod)
                self._sim.store.put(PODS, pod)
        if policy == "Foreground" and target.resource is JOBS:
            meta["finalizers"] = [*dict.fromkeys((*meta.get("finalizers", ()), FOREGROUND))]
        if not meta.get("finalizers"):
            self._sim.store.remove(target.resource, *record.key)
            return
        meta.setdefault("deletionTimestamp", self._sim.now())
        meta["deletionGracePeriodSeconds"] = 0
        self._sim.store.put(target.resource, obj)
