"""The Job controller, the TTL controller and the garbage collector: they do what the dialect's plan decides.

Nothing here sleeps. (k8s.io/kubernetes/pkg/controller/job, ttlafterfinished)
"""

from __future__ import annotations

import copy
import secrets
import uuid
from datetime import datetime

from k8s_tuning.timestamps import to_text
from k8s_tuning_sandbox import admission, indexes
from k8s_tuning_sandbox.occurrences import note
from k8s_tuning_sandbox.plans import Attempts, NewPod, Plan, Situation, finished
from k8s_tuning_sandbox.pod_counts import FINALIZER
from k8s_tuning_sandbox.pods import delete_pod, remove_finalizer
from k8s_tuning_sandbox.resources import JOBS, PODS, Object
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.store import Change, Key

# Kubernetes draws the five characters of a pod's name from letters that make no words.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
FOREGROUND = "foregroundDeletion"
_MANAGER = "kubernetes.io/job-controller"


def generated_name(prefix: str) -> str:
    """A name from metadata.generateName: at most 63 characters, the last five random."""
    return prefix[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


class JobController:
    """Watches the store and does to Jobs what Kubernetes does. `backoff_seconds`: the first wait before a retry."""

    def __init__(self, simulation: Simulation, backoff_seconds: float = 10.0) -> None:
        self._sim = simulation
        self._backoff = backoff_seconds
        self._queued: set[Key] = set()
        self._attempts: dict[Key, Attempts] = {}
        self._refused: dict[Key, int] = {}
        simulation.store.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        record = change.record
        if change.resource is JOBS and change.kind == "DELETED":
            self._attempts.pop(record.key, None)
            self._refused.pop(record.key, None)
            self._sim.later(0, lambda: self._collect(record.uid))
        elif change.resource is JOBS:
            self._enqueue(record.key)
        elif change.resource is PODS and (job := record.labels.get("job-name")):
            key = record.namespace, job
            failed = record.fields.get("status.phase") == "Failed"
            new = failed and (change.before is None or change.before.fields.get("status.phase") != "Failed")
            if new and not self._sim.dialect.tracks_pods:
                now, failures = self._sim.clock(), self._attempts.get(key, Attempts()).failures
                self._attempts[key] = Attempts(failures + 1, now)
                # The first retry is at once; each later one waits, because the controller reads the pod later.
                self._sim.later(Attempts(failures, now).wait(now, self._backoff), lambda: self._enqueue(key))
            else:
                self._enqueue(key)

    def _enqueue(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._sim.later(0, lambda: self._sync(key))

    def _collect(self, uid: str) -> None:
        for record in self._sim.store.owned(uid, PODS):
            pod = record.load()
            remove_finalizer(pod)
            delete_pod(self._sim, pod)

    def _sync(self, key: Key) -> None:
        self._queued.discard(key)
        record = self._sim.store.get(JOBS, *key)
        if record is None:
            return
        job = record.load()
        if self._is_emptied(job) or job["spec"].get("managedBy", _MANAGER) != _MANAGER:
            return
        if finished(job.get("status") or {}) is not None:
            self._expire(key, job)
            return
        pods = [pod.load() for pod in self._sim.store.owned(record.uid, PODS)]
        attempts = self._attempts.get(key, Attempts())
        plan = self._sim.dialect.plan(Situation(job, pods, self._sim.clock(), attempts, self._backoff))
        self._attempts[key] = plan.attempts
        self._carry_out(key, job, plan)

    def _carry_out(self, key: Key, job: Object, plan: Plan) -> None:
        before = job.get("status") or {}
        self._create_pods(key, job, plan)
        for pod in plan.delete:
            name = pod["metadata"]["name"]
            delete_pod(self._sim, pod)
            self._note(job, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
        fields = plan.worth_writing or {*before, *plan.status}
        if any(plan.status.get(field) != before.get(field) for field in fields):
            self._sim.store.put(JOBS, {**job, "status": plan.status})
        for pod in plan.release:
            live = self._sim.store.get(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
            if live is not None:
                freed = live.load()
                remove_finalizer(freed)
                self._sim.store.put(PODS, freed)
        for event in plan.events:
            self._note(job, *event)
        if plan.again is not None:
            self._sim.later(plan.again, lambda: self._enqueue(key))

    def _is_emptied(self, job: Object) -> bool:
        """Whether the Job is being deleted in the foreground: its pods go, and it with the last of them."""
        meta = job["metadata"]
        if "deletionTimestamp" not in meta or FOREGROUND not in meta.get("finalizers", ()):
            return False
        self._collect(meta["uid"])
        if not self._sim.store.owned(meta["uid"], PODS):
            meta["finalizers"] = [name for name in meta["finalizers"] if name != FOREGROUND]
            self._sim.store.put(JOBS, job)
        return True

    def _create_pods(self, key: Key, job: Object, plan: Plan) -> None:
        if not plan.create:
            return
        rule = self._sim.scenario.outcome(job["metadata"]["name"], "")
        if rule["outcome"] != "pods-refused":
            self._refused.pop(key, None)
            for new in plan.create:
                self._create_pod(job, new, gated=rule["outcome"] == "gated")
            return
        count = plan.status.pop("active", 0) - len(plan.create)
        if count > 0:
            plan.status["active"] = count
        for new in plan.create:
            name = _pod_name(job, new)
            text = rule.get("message") or "exceeded quota: tuning, requested: pods=1, used: pods=10, limited: pods=10"
            refusal = f'Error creating: pods "{name}" is forbidden: {text}'
            self._note(job, "Warning", "FailedCreate", refusal)
        tries = self._refused[key] = self._refused.get(key, 0) + 1
        plan.sync_within(min(self._backoff * 2.0 ** (tries - 1), 60.0))

    def _create_pod(self, job: Object, new: NewPod, *, gated: bool) -> None:
        meta, template = job["metadata"], copy.deepcopy(job["spec"]["template"])
        name = _pod_name(job, new)
        pod: Object = {
            "metadata": {
                "name": name,
                "generateName": name[:-5],
                "namespace": meta["namespace"],
                "uid": str(uuid.uuid4()),
                "creationTimestamp": to_text(self._sim.clock()),
                **{field: found for field in ("labels", "annotations") if (found := template["metadata"].get(field))},
                "ownerReferences": [
                    {
                        "apiVersion": "batch/v1",
                        "kind": "Job",
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        if self._sim.dialect.tracks_pods:
            pod["metadata"]["finalizers"] = [FINALIZER]
        if new.index is not None:
            _number(pod, new)
        if gated:
            pod["spec"]["schedulingGates"] = [{"name": "sandbox/queue"}]
        admission.fill_in(PODS, pod, self._sim.dialect)
        self._sim.store.put(PODS, pod)
        self._note(job, "Normal", "SuccessfulCreate", f"Created pod: {name}")

    def _note(self, job: Object, level: str, reason: str, message: str) -> None:
        note(self._sim, job, "Job", level, reason, message, "job-controller")

    def _expire(self, key: Key, job: Object) -> None:
        ttl, ended = job["spec"].get("ttlSecondsAfterFinished"), finished(job["status"])
        if ttl is None or ended is None:
            return
        left = ttl - (self._sim.clock() - datetime.fromisoformat(ended["lastTransitionTime"])).total_seconds()
        if left > 0:
            self._sim.later(left, lambda: self._enqueue(key))
        else:
            self._sim.store.remove(JOBS, *key)


def _pod_name(job: Object, new: NewPod) -> str:
    end = "-" if new.index is None else f"-{new.index}-"
    return generated_name(job["metadata"]["name"][: 58 - len(end)] + end)


def _number(pod: Object, new: NewPod) -> None:
    """Say everywhere which index the pod has: name, hostname, annotation, label and environment."""
    meta, text = pod["metadata"], str(new.index)
    meta["annotations"] = {**meta.get("annotations", {}), indexes.INDEX: text}
    if new.failures is not None:
        meta["annotations"][indexes.FAILURES] = str(new.failures)
    meta["labels"] = {**meta.get("labels", {}), indexes.INDEX: text}
    pod["spec"].setdefault("hostname", meta["generateName"].rstrip("-"))
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{indexes.INDEX}']"}}
    for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
        env = container.setdefault("env", [])
        if not any(one["name"] == "JOB_COMPLETION_INDEX" for one in env):
            env.append({"name": "JOB_COMPLETION_INDEX", "valueFrom": source})
