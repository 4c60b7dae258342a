"""D33: what the events of a Job tell that neither it nor its pods do."""

from __future__ import annotations

import pytest

from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, K8sJobHealth
from k8s_tuning.stages.health.event_signs import wants_events
from k8s_tuning.stages.monitor.snapshot import K8sContainerStatus, K8sJobStatus, K8sMonitorSnapshot, K8sPodStatus

JOB, POD = "arb-tuning-s-worker-1-0", "arb-tuning-s-worker-1-0-abcde"
QUOTA = 'Error creating: pods "x" is forbidden: exceeded quota: compute, requested: requests.cpu=4'


def at(second: int) -> str:
    return f"2025-11-16T10:{second // 60:02}:{second % 60:02}Z"


def event(second: int, reason: str, message: str = "", about: str = JOB, **more: object) -> K8sEvent:
    kind = {JOB: "Job", POD: "Pod"}.get(about, "PersistentVolumeClaim")
    level = "Normal" if reason in ("SuccessfulCreate", "Pulling", "Scheduled", "ProvisioningSucceeded") else "Warning"
    fields = {"first_timestamp": at(second), "last_timestamp": at(second)} | more
    return K8sEvent(level, reason, message, kind, about, "trading-bots", **fields)  # type: ignore[arg-type]


def pod(phase: str = "Pending", *containers: K8sContainerStatus, second: int = 0, **more: object) -> K8sPodStatus:
    fields = {"node": "node-7", "created_at": at(second)} | more
    return K8sPodStatus(POD, "trading-bots", phase, containers=list(containers), **fields)  # type: ignore[arg-type]


def job(*events: K8sEvent, phase: str = "PENDING", pods: tuple[K8sPodStatus, ...] = (), **more: object) -> K8sJobStatus:
    fields = {"completions": 1, "parallelism": 1, "succeeded": 0, "failed": 0, "active": 0, "created_at": at(0)} | more
    return K8sJobStatus(
        JOB, "trading-bots", {}, phase=phase, uid="u", pods=list(pods), events=list(events), **fields  # type: ignore[arg-type]
    )  # fmt: skip


def judge(one: K8sJobStatus, second: int = 3000) -> K8sJobHealth:
    snapshot = K8sMonitorSnapshot("trading-bots", "app=arbitrage-tuning", [one], [], at(second), jobs_listed=True)
    return K8sHealthEvaluator().evaluate(snapshot).jobs_health[0]


def creating(**more: object) -> K8sPodStatus:
    return pod("Pending", K8sContainerStatus("tuning", waiting_reason="ContainerCreating"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "message",
    [
        QUOTA,
        'Error creating: pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
        'Error creating: pods "x-" is forbidden: error looking up service account n/t: serviceaccount "t" not found',
        'Error creating: admission webhook "policy.example" denied the request: 이미지 🚫',
        'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
        'Error creating: Internal error occurred: failed calling webhook "inject.example": connection refused',
        '(combined from similar events): Error creating: pods "x" is forbidden: exceeded quota: compute',
    ],
    ids=["quota", "LimitRange", "service account", "webhook", "PodSecurity", "webhook is away", "combined"],
)
@pytest.mark.parametrize(
    "server",
    [
        pytest.param({"phase": "PENDING"}, id="no start time"),
        pytest.param({"phase": "UNKNOWN", "start_time": at(0)}, id="start time at once"),
        pytest.param({"phase": "RUNNING", "failed": 1, "completions": 1}, id="a retry is refused"),
    ],
)
def test_a_job_whose_pods_are_refused_says_why_whatever_the_server(message: str, server: dict[str, object]) -> None:
    refused = job(event(10, "FailedCreate", message, count=12, last_timestamp=at(2400)), **server)  # type: ignore[arg-type]
    early, late = judge(refused, 40), judge(refused)
    assert (early.health, early.reasons) == ("WARN", ["pods_refused"])
    assert (late.health, late.reasons) == ("ERROR", ["pods_refused"])
    assert late.cause is not None
    assert message.removeprefix("(combined from similar events): ") in late.cause


@pytest.mark.parametrize(
    "now",
    [
        job(event(10, "FailedCreate", QUOTA), event(50, "SuccessfulCreate"), phase="RUNNING", failed=1),
        job(event(10, "FailedCreate", QUOTA), phase="RUNNING", failed=1, pods=(pod("Failed", second=60),)),
        job(event(10, "FailedCreate", QUOTA), phase="RUNNING", active=1, pods=(pod("Running"),)),
        job(event(10, "FailedCreate", QUOTA), phase="SUCCEEDED", succeeded=1),
    ],
    ids=["a pod was made, and is gone", "a pod was made, and failed", "all its pods run", "it succeeded"],
)
def test_a_refusal_before_the_jobs_last_pod_is_past(now: K8sJobStatus) -> None:
    assert "pods_refused" not in judge(now).reasons


def test_the_grace_begins_anew_after_a_pod_was_made() -> None:
    """One event counts the refusals of before and of now together."""
    refused = event(10, "FailedCreate", QUOTA, count=9, last_timestamp=at(2990))
    health = judge(job(refused, event(2980, "SuccessfulCreate"), phase="RUNNING", failed=1))
    assert (health.health, health.reasons) == ("WARN", ["pods_refused"])


def test_a_job_some_of_whose_pods_run_is_a_warning() -> None:
    running = {"parallelism": 3, "completions": 3, "active": 1, "phase": "RUNNING", "pods": (pod("Running"),)}
    health = judge(job(event(10, "FailedCreate", QUOTA), **running))  # type: ignore[arg-type]
    assert (health.health, health.reasons) == ("WARN", ["pods_refused"])
    assert QUOTA in (health.cause or "")


def test_a_deadline_that_passed_without_a_pod_is_explained_by_the_refusal() -> None:
    health = judge(job(event(10, "FailedCreate", QUOTA), phase="FAILED", condition_reason="DeadlineExceeded"))
    assert health.health == "ERROR"
    assert "pods_refused" in health.reasons
    assert QUOTA in (health.cause or "")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("FailedMount", "volume_not_mounted"),
        ("FailedAttachVolume", "volume_not_mounted"),
        ("FailedMapVolume", "volume_not_mounted"),
        ("FailedCreatePodSandBox", "sandbox_not_created"),
        ("NetworkNotReady", "sandbox_not_created"),
        ("FailedValidation", "not_starting"),
        ("HostPortConflict", "not_starting"),
    ],
)
def test_a_pod_that_does_not_start_is_explained_by_its_newest_warning(reason: str, expected: str) -> None:
    older = event(20, "FailedScheduling", "0/1 nodes are available", POD)
    waiting = job(older, event(30, reason, 'secret "키" not found', POD), phase="RUNNING", active=1, pods=(creating(),))
    early, late = judge(waiting, 40), judge(waiting)
    assert late.reasons == [expected]
    assert late.cause == f'pod {POD} has not started: {reason}: secret "키" not found'
    assert late.health == ("WARN" if expected == "not_starting" else "ERROR")
    assert early.health == ("OK" if expected == "not_starting" else "WARN")


@pytest.mark.parametrize("later", ["Pulling", "Failed"])
def test_a_volume_that_was_mounted_after_all_is_no_cause(later: str) -> None:
    """A large image is pulled now: the warnings of the mount are past."""
    events = (event(20, "FailedMount", "timed out", POD), event(30, later, "Error: x", POD))
    health = judge(job(*events, phase="RUNNING", active=1, pods=(creating(),)))
    assert health.reasons == ["not_starting"]
    assert "timed out" not in (health.cause or "")


@pytest.mark.parametrize(
    ("condition", "events", "words"),
    [
        (None, [event(9, "FailedScheduling", "0/2 nodes: no GPU", POD)], "FailedScheduling: 0/2 nodes: no GPU"),
        ("unbound claims", [event(9, "ProvisioningFailed", "no class", "data")], "ProvisioningFailed: no class"),
        ("unbound claims", [event(9, "FailedBinding", "no class", "data")], "FailedBinding: no class"),
        (
            "1 Insufficient cpu",
            [event(9, "ProvisioningFailed", "no class", "data"), event(20, "ProvisioningSucceeded", "", "data")],
            "1 Insufficient cpu",
        ),
        ("unbound claims", [event(9, "ProvisioningFailed", "no class", "another")], "unbound claims"),
    ],
    ids=["the scheduler's event", "a claim without a class", "a claim nobody binds", "bound by now", "another's claim"],
)
def test_a_pod_without_a_node_says_what_it_lacks(condition: str | None, events: list[K8sEvent], words: str) -> None:
    waits = creating(node=None, unschedulable=condition, claims=["data"])
    health = judge(job(*events, phase="RUNNING", active=1, pods=(waits,)))
    assert health.reasons == ["unschedulable"]
    assert health.cause == f"no node takes pod {POD}: {words}"


def test_why_an_image_is_not_pulled_is_in_the_event() -> None:
    waiting = K8sContainerStatus("tuning", waiting_reason="ImagePullBackOff", waiting_message='Back-off "reg/x:2"')
    events = [
        event(10, "Failed", 'Failed to pull image "reg/other:1": not found', POD),
        event(20, "Failed", 'Failed to pull image "reg/x:2": unauthorized', POD),
        event(30, "Failed", "Error: ErrImagePull", POD),
        event(40, "BackOff", 'Back-off pulling image "reg/x:2"', POD),
    ]
    health = judge(job(*events, phase="RUNNING", active=1, pods=(pod("Pending", waiting),)))
    assert health.cause == (
        'container tuning cannot pull its image: ImagePullBackOff: Failed to pull image "reg/x:2": unauthorized'
    )


def test_a_failed_pulls_own_words_come_before_another_containers_event() -> None:
    waiting = K8sContainerStatus("tuning", waiting_reason="ErrImagePull", waiting_message="unauthorized")
    other = event(20, "Failed", 'Failed to pull image "reg/other:1": not found', POD)
    health = judge(job(other, phase="RUNNING", active=1, pods=(pod("Pending", waiting),)))
    assert health.cause == "container tuning cannot pull its image: ErrImagePull: unauthorized"


def test_an_image_that_is_still_being_pulled_is_what_a_pod_waits_for() -> None:
    pulling = event(20, "Pulling", 'Pulling image "reg/cuda:12"', POD)
    health = judge(job(pulling, phase="RUNNING", active=1, pods=(creating(),)))
    assert health.reasons == ["not_starting"]
    assert health.cause == f'pod {POD} has not started: Pulling: Pulling image "reg/cuda:12"'


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (job(), True),
        (job(phase="UNKNOWN"), True),
        (job(phase="FAILED"), True),
        (job(phase="RUNNING", active=1, pods=(pod("Pending"),)), True),
        (job(phase="RUNNING", active=1, completions=3, parallelism=2, pods=(pod("Running"),)), True),
        (job(phase="RUNNING", active=1, pods=(pod("Running"),)), False),
        (job(phase="RUNNING", active=1, completions=2, succeeded=1, parallelism=2, pods=(pod("Running"),)), False),
        (job(phase="RUNNING", active=1, completions=None, succeeded=1, parallelism=4), False),
        (job(phase="SUCCEEDED", succeeded=1), False),
        (job(phase="FAILED", failed=1, pods=(pod("Failed"),)), False),
        (job(phase="PENDING", suspended=True), False),
        (job(phase="RUNNING", active=1, pods=(pod("Pending", node=None, scheduling_gates=["kueue"]),)), False),
    ],
)
def test_events_are_asked_for_where_something_does_not_run(asked: K8sJobStatus, wanted: bool) -> None:
    assert wants_events(asked) is wanted
