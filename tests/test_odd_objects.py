"""Whatever the API server sends, reading it gives a snapshot or an error of ours: objects, lists, refusals, a watch."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cluster.api_double import Answer, ApiDouble, page, serving
from tests.odd_values import ODD, changed, places
from tests.profiles import examples

from k8s_tuning import plain_values
from k8s_tuning.cluster import faults
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.cluster.progress import follow_jobs
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import ClusterError, TuningError
from k8s_tuning.stages.apply.plan import decide, with_hash
from k8s_tuning.stages.events.snapshot import (
    K8sEventSnapshot,
    Selected,
    generate_events_report_text,
    read_event,
    select_events,
)
from k8s_tuning.stages.health.evaluate import (
    K8sHealthEvaluator,
    count_reasons,
    failing_jobs,
    generate_health_report_text,
)
from k8s_tuning.stages.history.latest import latest_snapshot
from k8s_tuning.stages.monitor import pod_reading
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot

AT = "2025-11-16T10:00:00Z"
JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {
        "name": "arb-tuning-1", "namespace": "n", "uid": "u", "resourceVersion": "5", "creationTimestamp": AT,
        "deletionTimestamp": AT, "finalizers": ["x"], "labels": {"app": "a"}, "annotations": {"a": "b"},
    },
    "spec": {
        "completions": 1, "parallelism": 1, "backoffLimit": 1, "suspend": True, "managedBy": "x",
        "ttlSecondsAfterFinished": 5, "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
        "template": {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}},
    },
    "status": {
        "startTime": AT, "completionTime": AT, "active": 1, "succeeded": 0, "failed": 1, "ready": 1, "terminating": 1,
        "uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["b"]}, "completedIndexes": "1", "failedIndexes": "2",
        "conditions": [
            {"type": "Suspended", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": AT},
        ],
    },
}  # fmt: skip
ENDED = {"terminated": {"exitCode": 1, "reason": "OOMKilled", "message": "m", "startedAt": AT, "finishedAt": AT}}
ONE = {"name": "c", "restartCount": 1, "ready": False, "started": True, "state": ENDED, "lastState": ENDED}
POD: dict[str, Any] = {
    "metadata": {
        "name": "p", "namespace": "n", "uid": "pu", "creationTimestamp": AT, "deletionTimestamp": AT,
        "deletionGracePeriodSeconds": 30, "ownerReferences": [{"kind": "Job", "name": "arb-tuning-1", "uid": "u"}],
        "labels": {"job-name": "arb-tuning-1", "batch.kubernetes.io/job-completion-index": "1"},
        "annotations": {"kubectl.kubernetes.io/default-container": "c"},
    },
    "spec": {
        "nodeName": "x", "restartPolicy": "Never", "containers": [{"name": "c"}], "schedulingGates": [{"name": "g"}],
        "initContainers": [{"name": "i", "restartPolicy": "Always"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "v"}}, {"name": "w", "ephemeral": {}}],
    },
    "status": {
        "phase": "Failed", "reason": "Evicted", "message": "m", "startTime": AT,
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "m"},
            {"type": "DisruptionTarget", "status": "True", "reason": "x", "message": "y", "lastTransitionTime": AT},
            {"type": "Ready", "status": "False", "reason": "NodeLost", "lastTransitionTime": AT},
        ],
        "containerStatuses": [ONE],
        "initContainerStatuses": [{**ONE, "name": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}],
    },
}  # fmt: skip
RUNNING = copy.deepcopy(POD)
RUNNING["status"] |= {"phase": "Running", "containerStatuses": [{**ONE, "state": {"running": {"startedAt": AT}}}]}
del RUNNING["metadata"]["deletionTimestamp"]
PENDING = changed(POD, ("status", "phase"), "Pending")
EVENT: dict[str, Any] = {
    "metadata": {"name": "e", "namespace": "n", "resourceVersion": "4", "creationTimestamp": AT, "uid": "e"},
    "type": "Warning", "reason": "FailedCreate", "message": "m", "note": "n", "count": 3, "eventTime": AT,
    "involvedObject": {"kind": "Job", "name": "arb-tuning-1", "namespace": "n", "uid": "u"},
    "firstTimestamp": AT, "lastTimestamp": AT, "series": {"count": 4, "lastObservedTime": AT},
    "regarding": {"kind": "Job", "name": "j"},
}  # fmt: skip
USAGE = {"metadata": {"name": "p"}, "containers": [{"name": "c", "usage": {"cpu": "1m", "memory": "1Ki"}}]}
REFUSAL: dict[str, Any] = {
    "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
    "message": 'jobs.batch "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
    "details": {
        "name": "x", "kind": "jobs", "group": "batch", "uid": "u", "retryAfterSeconds": 1,
        "causes": [{"reason": "r", "message": "m", "field": "f"}],
    },
}  # fmt: skip
CHANGE = {"type": "MODIFIED", "object": JOB}
CODES = [400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 302, 999]


def read_all(job: Any = JOB, pods: Any = (POD, RUNNING, PENDING), event: Any = EVENT, usage: Any = USAGE) -> None:
    """D32 to D34 without a network: everything that is made of these objects."""
    status = job_status(job, pods)
    status.events = [read_event(event)]
    pod_reading.usage_by_pod([usage])
    for pod in pods:
        pod_reading.logs_wanted(pod)
        pod_reading.owner_uids(pod)
    for clock in (AT, "2025-11-16T11:00:00Z", None):
        snapshot = K8sMonitorSnapshot("n", "a=b", [status], [], AT, [], True, clock)
        health = K8sHealthEvaluator().evaluate(snapshot)
        generate_monitor_report_text(snapshot)
        generate_health_report_text(health)
        orjson.dumps([plain_values.dump(snapshot), plain_values.dump(health), count_reasons(health.jobs_health)])
        failing_jobs(health.jobs_health)
    events = K8sEventSnapshot("n", "a=b", select_events([event], Selected(), 5, ["arb-tuning-1"]), AT)
    latest_snapshot(health, snapshot, events, "run", "target")
    generate_events_report_text(events)
    orjson.dumps(plain_values.dump(events))


def refused(said: Any) -> None:
    for code in CODES:
        call = faults.Call("create", "jobs", "batch", "n", "x")
        error = faults.from_answer(code, {"content-type": "application/json"}, orjson.dumps(said), call, "host:1")
        assert isinstance(error, ClusterError)


OBJECTS: dict[str, tuple[Any, Any]] = {
    "a Job": (JOB, lambda odd: read_all(job=odd)),
    "a Job that is there already": (JOB, lambda odd: decide(odd, with_hash(JOB))),
    "a pod that failed": (POD, lambda odd: read_all(pods=(odd,))),
    "a pod that runs": (RUNNING, lambda odd: read_all(pods=(odd, RUNNING))),
    "a pod that waits": (PENDING, lambda odd: read_all(pods=(odd,))),
    "an event": (EVENT, lambda odd: read_all(event=odd)),
    "a pod's usage": (USAGE, lambda odd: read_all(usage=odd)),
    "a refusal": (REFUSAL, refused),
}
PLACES = {name: [path for path in places(base) if path] for name, (base, _) in OBJECTS.items()}
# What JSON holds of itself; larger integers are floats to its readers.
JSON_ODD = [odd for odd in ODD if odd not in (2**63, 10**30)]


@settings(max_examples=examples(150))
@given(data=st.data())
@pytest.mark.parametrize("name", OBJECTS)
def test_an_odd_value_anywhere_in_an_object_is_read_or_refused_by_an_error_of_ours(name: str, data: Any) -> None:
    base, use = OBJECTS[name]
    odd = base
    for path in data.draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=2)):
        if path in list(places(odd)):
            odd = changed(odd, path, data.draw(st.sampled_from(JSON_ODD)))
    said = ""
    try:
        use(odd)
    except TuningError as error:
        said = str(error)
    assert "\n" not in said


RAW = [
    b"", b"null", b"[]", b'"x"', b"{", b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000,
    b'{"items": [' + b"[" * 5000, b'{"kind": "JobList", "items": null}', b'{"items": {"a": 1}}',
    b'{"items": [1, null, {}]}', b'{"metadata": [], "items": [{}]}', b'{"metadata": {"continue": {}}, "items": []}',
    b'{"items": [{"metadata": 1e999}]}',
    b'{"items": [{"metadata": {"name": "\\ud800"}}]}', b'{"items": [{"metadata": {"name": "a\x00b"}}]}',
    b'{"items": [{"status": ' + b"9" * 400 + b"}]}", b"HTTP/1.1", b'{"items": []} {"items": []}',
]  # fmt: skip


@pytest.fixture(scope="module")
def api() -> Any:
    with serving() as double:
        yield double


@pytest.mark.slow
@pytest.mark.parametrize("code", [200, 403, 500])
@pytest.mark.parametrize("raw", RAW, ids=[str(raw[:24]) for raw in RAW])
def test_odd_bytes_for_every_list_are_a_snapshot_that_says_so(
    raw: bytes, code: int, api: ApiDouble, tmp_path: Path
) -> None:
    api.script(Answer(raw, code))
    access = ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), retry_seconds=0)
    calls = (K8sJobMonitor("n", "a=b", access=access).load, K8sEventCollector("n", "a=b", access=access).load)
    for call in calls:
        try:
            errors = asyncio.run(in_time(call())).errors
        except TuningError as error:
            errors = [str(error)]
        assert not any("\n" in error for error in errors)


async def in_time(work: Any) -> Any:
    async with asyncio.timeout(20):
        return await work


@settings(max_examples=examples(40))
@given(data=st.data())
def test_odd_watch_lines_are_followed_or_end_in_an_error_of_ours(
    api: ApiDouble, data: Any, tmp_path_factory: Any
) -> None:
    """The list first, then one odd change, then the end of the watch."""
    base = data.draw(st.sampled_from([CHANGE, {"type": "ERROR", "object": REFUSAL}, {**CHANGE, "type": "DELETED"}]))
    odd = changed(base, data.draw(st.sampled_from(list(places(base)))), data.draw(st.sampled_from(JSON_ODD)))
    line = data.draw(st.sampled_from([orjson.dumps(odd), *RAW[:10]])) + b"\n"

    def answer(request: Any) -> Answer:
        if "watch" in request.query:
            return Answer(line, 200)
        return page("Job", [JOB]) if request.path.endswith("/jobs") else page("Pod", [])

    api.answer = answer
    kubeconfig = api.kubeconfig(tmp_path_factory.getbasetemp())

    async def follow() -> None:
        left = 3

        async def sleep(_: float) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                raise EndOfTestError

        async with ClusterReader(ClusterAccess(kubeconfig=kubeconfig, retry_seconds=0), sleep) as reader:
            async for jobs in follow_jobs(reader, "n", "a=b"):
                assert isinstance(jobs, dict)

    with pytest.raises((TuningError, EndOfTestError)):
        asyncio.run(in_time(follow()))


class EndOfTestError(Exception):
    """Enough was followed."""
