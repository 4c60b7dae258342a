"""Whatever a Job, a pod or an event holds in the place of what belongs there, it is read, judged and shown."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from tests.stages.api_objects import (
    CREATED,
    LIMIT_REACHED,
    NOW,
    RUNNING,
    Json,
    disrupted,
    ended,
    pod,
    waiting,
)

from k8s_tuning.stages.events.snapshot import involved, read_event
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, generate_health_report_text
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.pod_reading import logs_wanted, owner_uids
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot

JOB: Json = {
    "metadata": {
        "name": "j",
        "namespace": "n",
        "uid": "u",
        "creationTimestamp": CREATED,
        "deletionTimestamp": CREATED,
        "labels": {"kueue.x-k8s.io/queue-name": "q"},
        "annotations": {"a": "b"},
        "finalizers": ["f"],
    },
    "spec": {
        "completions": 2,
        "parallelism": 2,
        "backoffLimit": 6,
        "suspend": False,
        "managedBy": "m",
        "successPolicy": {"rules": [{"succeededCount": 1}]},
        "template": {"spec": {"containers": [{"name": "tuning"}]}},
    },
    "status": {
        "startTime": CREATED,
        "active": 1,
        "failed": 1,
        "succeeded": 0,
        "ready": 0,
        "terminating": 1,
        "failedIndexes": "1",
        "completedIndexes": "0",
        "uncountedTerminatedPods": {"failed": ["u"]},
    },
}
FAILED_JOB: Json = {**JOB, "status": {"failed": 1, "conditions": [LIMIT_REACHED]}}
CRASHED: Json = {**waiting("CrashLoopBackOff", "m"), "restartCount": 5, "lastState": ended(137, "OOMKilled")}
POD = pod(
    "Running",
    {"tuning": CRASHED, "istio-proxy": RUNNING},
    init={"a": ended(0), "b": RUNNING},
    native=("b",),
    conditions=(disrupted("r", "m", CREATED), {"type": "Ready", "status": "False", "lastTransitionTime": CREATED}),
    metadata={
        "deletionTimestamp": CREATED,
        "deletionGracePeriodSeconds": 30,
        "ownerReferences": [{"uid": "u"}],
        "annotations": {"batch.kubernetes.io/job-completion-index": "1"},
    },
    spec={"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "e", "ephemeral": {}}]},
)
WAITING_POD = pod("Pending", {"tuning": waiting("ContainerCreating")}, spec={"schedulingGates": [{"name": "g"}]})
EVENT: Json = {
    "metadata": {"name": "e", "creationTimestamp": CREATED, "resourceVersion": "1"},
    "type": "Warning",
    "reason": "FailedCreate",
    "message": "m",
    "involvedObject": {"kind": "Job", "name": "j", "namespace": "n", "uid": "u", "fieldPath": "x"},
    "firstTimestamp": CREATED,
    "lastTimestamp": CREATED,
    "eventTime": CREATED,
    "series": {"count": 3, "lastObservedTime": CREATED},
    "count": 2,
}
ODD = [None, [], {}, "x", -1, 5.5, True, [None], [[]], {"a": []}, 10**30, "2026-99-99T00:00:00Z"]


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place within it, as the keys that lead there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*above, key)
        yield from places(one, (*above, key))


def with_odd(value: Json, place: tuple[Any, ...], odd: Any) -> Json:
    changed = copy.deepcopy(value)
    inner: Any = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = odd
    return changed


def read(job: Json, one: Json, event: Json) -> None:
    status = job_status(job, [one, WAITING_POD])
    status.events = [read_event(event)]
    snapshot = K8sMonitorSnapshot("n", "a=b", [status], [], NOW, jobs_listed=True)
    health = K8sHealthEvaluator().evaluate(snapshot)
    assert generate_monitor_report_text(snapshot)
    assert generate_health_report_text(health)
    json.dumps([asdict(snapshot), asdict(health)])
    owner_uids(one), logs_wanted(one), involved(event)


@pytest.mark.parametrize(
    ("changed", "whole"),
    [("job", JOB), ("job", FAILED_JOB), ("pod", POD), ("pod", WAITING_POD), ("event", EVENT)],
    ids=["a Job", "a failed Job", "a pod", "a waiting pod", "an event"],
)
def test_an_odd_value_in_any_place_is_no_surprise(changed: str, whole: Json) -> None:
    for place in places(whole):
        for odd in ODD:
            objects = {"job": JOB, "pod": POD, "event": EVENT, changed: with_odd(whole, place, odd)}
            print(place, odd)  # shown where it fails
            read(objects["job"], objects["pod"], objects["event"])
