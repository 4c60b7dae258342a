"""The Job controller, the TTL controller and the garbage collector, as v1.20 has them.

`later(seconds, call)` is how time passes; nothing here sleeps. (k8s.io/kubernetes/pkg/controller/job, ttlafterfinished)
"""

from __future__ import annotations

import copy
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from k8s_tuning.sandbox import admission
from k8s_tuning.sandbox.occurrences import Recorder
from k8s_tuning.sandbox.resources import JOBS, PODS
from k8s_tuning.sandbox.store import Change, Key, Store
from k8s_tuning.timestamps import seconds_between, to_text

Object = dict[str, Any]
Later = Callable[[float, Callable[[], None]], object]

# Kubernetes draws the five characters of a pod's name from letters that make no words.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_BACKOFF = 360.0


def generated_name(prefix: str) -> str:
    """A name from metadata.generateName: at most 63 characters, the last five random."""
    return prefix[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


class JobController:
    """Watches the store and does to Jobs what Kubernetes does. `backoff_seconds`: the wait before a second retry."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        clock: Callable[[], datetime],
        later: Later,
        backoff_seconds: float = 10.0,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._later = later
        self._backoff = backoff_seconds
        self._queued: set[Key] = set()
        self._failures: dict[Key, int] = {}
        store.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        record = change.record
        if change.resource is JOBS and change.kind == "DELETED":
            self._failures.pop(record.key, None)
            self._later(0, lambda: self._collect(record.uid))
        elif change.resource is JOBS:
            self._enqueue(record.key)
        elif change.resource is PODS and (job := record.labels.get("job-name")):
            key = record.namespace, job
            failed = record.fields.get("status.phase") == "Failed"
            if failed and (change.before is None or change.before.fields.get("status.phase") != "Failed"):
                tries = self._failures.get(key, 0)
                self._failures[key] = tries + 1
                wait = self._backoff * 2.0 ** (tries - 1) if tries else 0.0
                self._later(min(wait, _LONGEST_BACKOFF), lambda: self._enqueue(key))
            else:
                self._enqueue(key)

    def _enqueue(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._later(0, lambda: self._sync(key))

    def _collect(self, uid: str) -> None:
        for pod in self._store.owned(uid, PODS):
            self._store.remove(PODS, *pod.key)

    def _sync(self, key: Key) -> None:
        self._queued.discard(key)
        record = self._store.get(JOBS, *key)
        if record is None:
            return
        job = record.load()
        status: Object = job.setdefault("status", {})
        if _finished(status) is not None:
            self._expire(key, job)
            return
        if job["metadata"].get("deletionTimestamp"):
            return
        before = copy.deepcopy(status)
        pods = [pod.load() for pod in self._store.owned(record.uid, PODS)]
        active = [pod for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")]
        succeeded, failed = (sum(pod["status"]["phase"] == phase for pod in pods) for phase in ("Succeeded", "Failed"))
        if "startTime" not in status:
            status["startTime"] = to_text(self._clock())
            if (deadline := job["spec"].get("activeDeadlineSeconds")) is not None:
                self._later(deadline, lambda: self._enqueue(key))
        count = len(active)
        if (failure := self._failure(job, pods, count, failed)) is not None:
            for pod in active:
                self._delete_pod(job, pod)
            failed, count = failed + count, 0
            self._conclude(job, "Failed", *failure)
        else:
            count = self._manage(job, active, succeeded)
            if _complete(job["spec"], succeeded, count):
                self._conclude(job, "Complete", "", "")
        for field, value in (("active", count), ("succeeded", succeeded), ("failed", failed)):
            status.pop(field, None)
            if value:
                status[field] = value
        if succeeded > before.get("succeeded", 0):
            self._failures.pop(key, None)
        # As the real controller: a start time alone is no reason to write.
        if any(status.get(field) != before.get(field) for field in ("active", "succeeded", "failed", "conditions")):
            self._store.put(JOBS, job)

    def _failure(self, job: Object, pods: list[Object], active: int, failed: int) -> tuple[str, str] | None:
        spec, status = job["spec"], job["status"]
        new = failed > status.get("failed", 0)
        limit = "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        if new and active != spec["parallelism"] and failed > spec["backoffLimit"]:
            return limit
        if spec["template"]["spec"]["restartPolicy"] == "OnFailure":
            restarts = sum(
                container.get("restartCount", 0)
                for pod in pods
                if pod["status"]["phase"] in ("Running", "Pending")
                for container in pod["status"].get("containerStatuses") or ()
            )
            if restarts > 0 if spec["backoffLimit"] == 0 else restarts >= spec["backoffLimit"]:
                return limit
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and seconds_between(status["startTime"], to_text(self._clock())) >= deadline:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        return None

    def _conclude(self, job: Object, kind: str, reason: str, message: str) -> None:
        now = to_text(self._clock())
        condition = {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
        if reason:
            condition |= {"reason": reason, "message": message}
            self._recorder.note(job, "Job", "Warning", reason, message, "job-controller")
        else:
            job["status"]["completionTime"] = now
            self._recorder.note(job, "Job", "Normal", "Completed", "Job completed", "job-controller")
        job["status"]["conditions"] = [condition]

    def _manage(self, job: Object, active: list[Object], succeeded: int) -> int:
        spec, count = job["spec"], len(active)
        wanted: int = spec["parallelism"]
        if count < wanted:
            missing = wanted - count
            if "completions" in spec:
                missing = min(missing, spec["completions"] - succeeded - count)
            elif succeeded:
                missing = 0
            wanted = count + max(missing, 0)
        for pod in active[wanted:]:
            self._delete_pod(job, pod)
        for _ in range(wanted - count):
            self._create_pod(job)
        return wanted

    def _create_pod(self, job: Object) -> None:
        meta, template = job["metadata"], copy.deepcopy(job["spec"]["template"])
        pod: Object = {
            "metadata": {
                "name": generated_name(f"{meta['name']}-"),
                "generateName": f"{meta['name']}-",
                "namespace": meta["namespace"],
                "uid": str(uuid.uuid4()),
                "creationTimestamp": to_text(self._clock()),
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
        admission.fill_in(PODS, pod)
        self._store.put(PODS, pod)
        text = f"Created pod: {pod['metadata']['name']}"
        self._recorder.note(job, "Job", "Normal", "SuccessfulCreate", text, "job-controller")

    def _delete_pod(self, job: Object, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self._store.remove(PODS, pod["metadata"]["namespace"], name)
        self._recorder.note(job, "Job", "Normal", "SuccessfulDelete", f"Deleted pod: {name}", "job-controller")

    def _expire(self, key: Key, job: Object) -> None:
        ttl, ended = job["spec"].get("ttlSecondsAfterFinished"), _finished(job["status"])
        if ttl is None or ended is None:
            return
        left = ttl - (self._clock() - datetime.fromisoformat(ended)).total_seconds()
        if left > 0:
            self._later(left, lambda: self._enqueue(key))
        else:
            self._store.remove(JOBS, *key)


def _finished(status: Object) -> str | None:
    for condition in status.get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            ended: str = condition["lastTransitionTime"]
            return ended
    return None


def _complete(spec: Object, succeeded: int, active: int) -> bool:
    if "completions" in spec:
        return bool(succeeded >= spec["completions"])
    return succeeded > 0 and active == 0
