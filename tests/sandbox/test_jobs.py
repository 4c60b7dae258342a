"""The Job controller on a clock that the test turns: retries, deadlines, conditions and counts, in both dialects."""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from k8s_tuning_sandbox import admission
from k8s_tuning_sandbox.dialect import DIALECTS, TODAY, V1_20, Dialect
from k8s_tuning_sandbox.jobs import JobController
from k8s_tuning_sandbox.nodes import Nodes
from k8s_tuning_sandbox.pods import delete_pod
from k8s_tuning_sandbox.resources import EVENTS, JOBS, PODS
from k8s_tuning_sandbox.scenario import Scenario
from k8s_tuning_sandbox.scheduler import Scheduler
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.store import Selection, Store

both = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
CONTAINER = {"name": "c", "image": "i"}
INDEXED = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}


class World:
    """A store with its controller and its node, and a clock that only `pass_time` moves."""

    def __init__(self, *rules: dict[str, Any], dialect: Dialect = TODAY, scenario: Scenario | None = None) -> None:
        self.dialect = dialect
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.due: list[tuple[datetime, int, Callable[[], None]]] = []
        self.count = 0
        self.store = Store()
        self.statuses: list[dict[str, Any]] = []
        self.scenario = scenario or Scenario(outcomes=list(rules))
        self.simulation = simulation = Simulation(self.store, self.scenario, lambda: self.now, self.later, dialect)
        JobController(simulation)
        Scheduler(simulation)
        Nodes(simulation)
        self.store.listeners.append(
            lambda change: self.statuses.append(change.record.load()["status"]) if change.resource is JOBS else None
        )

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.due, (self.now + timedelta(seconds=seconds), self.count, call))

    def pass_time(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.due and self.due[0][0] <= end:
            self.now, _, call = heapq.heappop(self.due)
            call()
        self.now = end

    def create(self, **spec: Any) -> None:
        pod = {"restartPolicy": "Never", "containers": [dict(CONTAINER)]}
        job = {
            "metadata": {"name": "j", "namespace": "n", "uid": "u"},
            "spec": {"template": {"spec": pod}, **spec},
        }
        admission.fill_in(JOBS, job, self.dialect)
        self.store.put(JOBS, job)

    def change(self, **spec: Any) -> None:
        record = self.store.get(JOBS, "n", "j")
        assert record is not None
        job = record.load()
        job["spec"] |= spec
        self.store.put(JOBS, job)

    def status(self) -> dict[str, Any]:
        record = self.store.get(JOBS, "n", "j")
        assert record is not None
        found: dict[str, Any] = record.load()["status"]
        return found

    def conditions(self) -> list[tuple[str, str, str]]:
        found = self.status().get("conditions", ())
        return [(one["type"], one["status"], one.get("reason", "")) for one in found]

    def pods(self) -> list[str]:
        return [record.fields["status.phase"] for record in self.store.records(Selection(PODS))]

    def all_pods(self) -> list[dict[str, Any]]:
        return [record.load() for record in self.store.records(Selection(PODS))]

    def delete_pod(self, **how: Any) -> None:
        delete_pod(self.simulation, self.all_pods()[0], **how)

    def reasons(self) -> list[str]:
        return [record.fields["reason"] for record in self.store.records(Selection(EVENTS))]


@pytest.mark.parametrize(
    ("dialect", "waits"),
    # An older controller makes the first retry at once.
    [(TODAY, [11, 21, 41, 81]), (V1_20, [1, 11, 21, 41])],
    ids=["1.36", "1.20"],
)
def test_each_retry_waits_twice_as_long_as_the_one_before(dialect: Dialect, waits: list[int]) -> None:
    world = World({"outcome": "fail", "seconds": 1}, dialect=dialect)
    world.create(backoffLimit=4)
    world.pass_time(0.5)
    counts = [len(world.pods())]
    for _ in range(200):
        world.pass_time(1)
        counts.append(len(world.pods()))
    starts = [counts.index(number) for number in range(1, max(counts) + 1)]
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == waits


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (
            TODAY,
            [(0.5, 1, None), (1.5, None, 1), (9, None, 1), (11, 1, 1), (13, None, 2), (31, None, 2), (33, None, 3)],
        ),
        (V1_20, [(0.5, 1, None), (1.5, 1, 1), (9, 1, 1), (11, 1, 1), (33, None, 3)]),
    ],
    ids=["1.36", "1.20"],
)
def test_between_two_attempts_none_is_active(
    dialect: Dialect, expected: list[tuple[float, int | None, int | None]]
) -> None:
    world = World({"outcome": "fail", "seconds": 1}, dialect=dialect)
    world.create(backoffLimit=2)
    at, seen = 0.0, []
    for instant, _, _ in expected:
        world.pass_time(instant - at)
        at = instant
        seen.append((instant, world.status().get("active"), world.status().get("failed")))
    assert seen == expected


def test_a_success_ends_the_wait_for_retries() -> None:
    world = World({"match": "j-0-*", "outcome": "fail", "seconds": 1}, {"outcome": "succeed", "seconds": 2})
    world.create(completionMode="Indexed", completions=3, parallelism=1, backoffLimit=5)
    world.pass_time(2)
    # The first retry waits for ten seconds, nothing else runs meanwhile.
    assert world.pods() == ["Failed"]
    world.pass_time(10)
    assert len(world.pods()) == 2


def test_the_steps_of_a_failure_are_written_one_by_one() -> None:
    world = World({"outcome": "fail", "seconds": 1})
    world.create(backoffLimit=0)
    world.pass_time(5)
    (pod,) = world.all_pods()
    assert world.statuses[0] == {}
    assert world.statuses[1] == {
        "startTime": "2026-01-01T00:00:00Z",
        "active": 1,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    assert world.statuses[2]["ready"] == 1
    noted, over = world.statuses[-2:]
    assert noted["uncountedTerminatedPods"] == {"failed": [pod["metadata"]["uid"]]}
    assert [one["type"] for one in noted["conditions"]] == ["FailureTarget"]
    assert not {"failed", "active"} & set(noted)
    assert [one["type"] for one in over["conditions"]] == ["FailureTarget", "Failed"]
    assert (over["failed"], over["uncountedTerminatedPods"], over["ready"]) == (1, {}, 0)
    assert "finalizers" not in pod["metadata"]


@pytest.mark.parametrize(
    ("dialect", "found"),
    [
        (TODAY, [("FailureTarget", "True", "BackoffLimitExceeded"), ("Failed", "True", "BackoffLimitExceeded")]),
        (V1_20, [("Failed", "True", "BackoffLimitExceeded")]),
    ],
    ids=["1.36", "1.20"],
)
def test_the_backoff_limit_ends_the_job_with_its_failures_counted(
    dialect: Dialect, found: list[tuple[str, str, str]]
) -> None:
    world = World({"outcome": "fail", "seconds": 1}, dialect=dialect)
    world.create(backoffLimit=2)
    world.pass_time(60)
    status = world.status()
    assert status["failed"] == 3
    assert "active" not in status
    assert world.conditions() == found
    assert world.pods() == ["Failed"] * 3
    assert world.reasons().count("BackoffLimitExceeded") == 1


@both
def test_a_deadline_ends_what_still_runs(dialect: Dialect) -> None:
    world = World({"outcome": "hang"}, dialect=dialect)
    world.create(activeDeadlineSeconds=30, parallelism=2, completions=2)
    world.pass_time(29)
    assert world.pods() == ["Running", "Running"]
    world.pass_time(2)
    assert world.pods() == []
    assert world.status()["failed"] == 2
    assert world.reasons().count("SuccessfulDelete") == 2
    assert "DeadlineExceeded" in world.reasons()


def test_a_job_is_failed_only_when_its_last_pod_has_stopped() -> None:
    world = World({"outcome": "hang"})
    world.create(activeDeadlineSeconds=30)
    world.pass_time(30)
    assert world.conditions() == [("FailureTarget", "True", "DeadlineExceeded")]
    assert (world.status()["terminating"], world.status()["failed"]) == (1, 1)
    world.pass_time(1)
    assert [kind for kind, _, _ in world.conditions()] == ["FailureTarget", "Failed"]
    assert world.status()["terminating"] == 0


@both
def test_a_job_lives_as_long_as_its_time_to_live_says(dialect: Dialect) -> None:
    world = World({"outcome": "succeed", "seconds": 1}, dialect=dialect)
    world.create(ttlSecondsAfterFinished=60)
    world.pass_time(55)
    assert world.store.get(JOBS, "n", "j") is not None
    world.pass_time(10)
    assert world.store.get(JOBS, "n", "j") is None
    assert world.pods() == []


@both
def test_a_job_without_completions_is_complete_when_one_pod_succeeded_and_none_runs(dialect: Dialect) -> None:
    world = World({"outcome": "succeed", "seconds": 1}, dialect=dialect)
    world.create(parallelism=3)
    world.pass_time(5)
    assert world.status()["succeeded"] == 3
    assert [kind for kind, _, _ in world.conditions()][-1] == "Complete"
    assert "completionTime" in world.status()


def test_a_running_pod_that_somebody_deletes_ends_is_counted_and_replaced() -> None:
    world = World({"outcome": "hang"})
    world.create()
    world.pass_time(1)
    (first,) = world.all_pods()
    assert first["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    world.delete_pod()
    (going,) = world.all_pods()
    assert "deletionTimestamp" in going["metadata"]
    assert going["status"]["phase"] == "Running"
    world.pass_time(1)
    assert world.pods() == []
    assert world.status()["failed"] == 1
    world.pass_time(10)
    (second,) = world.all_pods()
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert world.status()["active"] == 1


def test_a_pod_that_somebody_deletes_is_replaced_and_not_counted_by_an_older_server() -> None:
    world = World({"outcome": "hang"}, dialect=V1_20)
    world.create()
    world.pass_time(1)
    (first,) = world.all_pods()
    world.delete_pod()
    world.pass_time(1)
    (second,) = world.all_pods()
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert world.status()["active"] == 1
    assert "failed" not in world.status()


def test_a_replacement_waits_for_the_end_of_the_pod_that_goes_where_the_job_says_so() -> None:
    world = World({"outcome": "node-lost", "seconds": 1})
    world.create(podReplacementPolicy="Failed")
    world.pass_time(100)
    assert world.pods() == ["Running"]
    assert world.status()["terminating"] == 1
    assert not {"active", "failed"} & set(world.status())


@both
def test_less_parallelism_takes_pods_away_and_counts_none_of_them(dialect: Dialect) -> None:
    world = World({"outcome": "hang"}, dialect=dialect)
    world.create(parallelism=3, completions=5)
    world.pass_time(1)
    world.change(parallelism=1)
    world.pass_time(1)
    assert world.pods() == ["Running"]
    assert world.status()["active"] == 1
    assert "failed" not in world.status()


@both
def test_a_pod_that_waits_for_room_starts_when_there_is_some(dialect: Dialect) -> None:
    world = World({"outcome": "succeed", "seconds": 10}, dialect=dialect)
    big = {"requests": {"cpu": "3000"}}
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "resources": big}]}
    world.create(parallelism=2, completions=2, template={"spec": pod})
    world.pass_time(1)
    assert sorted(world.pods()) == ["Pending", "Running"]
    world.pass_time(10)
    assert sorted(world.pods()) == ["Running", "Succeeded"]
    assert world.reasons().count("FailedScheduling") == 1


def test_a_suspended_job_has_no_pods_and_its_time_starts_when_it_is_resumed() -> None:
    world = World({"outcome": "hang"})
    world.create(suspend=True, activeDeadlineSeconds=60)
    world.pass_time(100)
    assert world.pods() == []
    assert world.conditions() == [("Suspended", "True", "JobSuspended")]
    assert "startTime" not in world.status()
    world.change(suspend=False)
    world.pass_time(1)
    assert world.pods() == ["Running"]
    assert world.conditions() == [("Suspended", "False", "JobResumed")]
    assert world.status()["startTime"] == "2026-01-01T00:01:40Z"
    world.change(suspend=True)
    world.pass_time(1)
    assert world.pods() == []
    assert not {"failed", "active"} & set(world.status())
    assert world.conditions() == [("Suspended", "True", "JobSuspended")]
    assert (world.reasons().count("Suspended"), world.reasons().count("Resumed")) == (2, 1)


def test_every_index_runs_once_and_says_who_it_is() -> None:
    world = World({"outcome": "succeed", "seconds": 1})
    world.create(**INDEXED)
    world.pass_time(0.5)
    pods = world.all_pods()
    assert [pod["metadata"]["name"][:4] for pod in pods] == ["j-0-", "j-1-", "j-2-"]
    for number, pod in enumerate(pods):
        name, text = "batch.kubernetes.io/job-completion-index", str(number)
        assert (pod["metadata"]["labels"][name], pod["metadata"]["annotations"][name]) == (text, text)
        assert pod["spec"]["hostname"] == f"j-{number}"
        (env,) = pod["spec"]["containers"][0]["env"]
        assert env["name"] == "JOB_COMPLETION_INDEX"
    world.pass_time(2)
    assert (world.status()["completedIndexes"], world.status()["succeeded"]) == ("0-2", 3)
    assert world.conditions()[-1] == ("Complete", "True", "CompletionsReached")


def test_an_index_past_its_own_limit_fails_alone_and_the_job_with_the_last_of_the_others() -> None:
    world = World({"match": "j-1-*", "outcome": "fail", "seconds": 1}, {"outcome": "succeed", "seconds": 15})
    world.create(**INDEXED, backoffLimitPerIndex=1)
    world.pass_time(5)
    assert "failed" not in world.status()
    world.pass_time(7)
    retried = [pod for pod in world.all_pods() if pod["metadata"]["name"].startswith("j-1-")]
    counts = [pod["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] for pod in retried]
    assert sorted(counts) == ["0", "1"]
    assert (world.status()["failedIndexes"], world.status()["failed"]) == ("1", 2)
    assert world.conditions() == []
    world.pass_time(5)
    status = world.status()
    assert (status["completedIndexes"], status["failedIndexes"]) == ("0,2", "1")
    assert world.conditions() == [
        ("FailureTarget", "True", "FailedIndexes"),
        ("Failed", "True", "FailedIndexes"),
    ]


def test_too_many_failed_indexes_end_the_job() -> None:
    world = World({"match": "j-2-*", "outcome": "hang"}, {"outcome": "fail", "seconds": 1})
    world.create(**INDEXED, backoffLimitPerIndex=0, maxFailedIndexes=1)
    world.pass_time(3)
    assert world.conditions()[-1] == ("Failed", "True", "MaxFailedIndexesExceeded")
    assert world.status()["failedIndexes"] == "0,1"


def policy(action: str, **rule: Any) -> dict[str, Any]:
    """A podFailurePolicy of one rule."""
    return {"rules": [{"action": action, **rule}]}


ON_42 = {"onExitCodes": {"operator": "In", "values": [42]}}
ON_DISRUPTION = {"onPodConditions": [{"type": "DisruptionTarget"}]}


def test_a_failure_that_the_policy_calls_final_ends_the_job_at_once() -> None:
    world = World({"outcome": "fail", "exit_code": 42, "seconds": 1})
    world.create(backoffLimit=6, podFailurePolicy=policy("FailJob", **ON_42))
    world.pass_time(3)
    (pod,) = world.all_pods()
    assert world.conditions()[-1] == ("Failed", "True", "PodFailurePolicy")
    message = (
        f"Container c for pod n/{pod['metadata']['name']} failed with exit code 42 matching FailJob rule at index 0"
    )
    assert world.status()["conditions"][-1]["message"] == message


@pytest.mark.parametrize("outcome", ["evicted", "preempted"])
def test_a_disruption_that_the_policy_ignores_is_replaced_and_not_counted(outcome: str) -> None:
    world = World({"outcome": outcome, "seconds": 1})
    world.create(backoffLimit=0, podFailurePolicy=policy("Ignore", **ON_DISRUPTION))
    world.pass_time(15)
    assert world.reasons().count("SuccessfulCreate") == 2
    assert "failed" not in world.status()
    assert world.conditions() == []


def test_a_failure_that_the_policy_calls_final_for_its_index_is_not_retried() -> None:
    world = World(
        {"match": "j-0-*", "outcome": "fail", "exit_code": 42, "seconds": 1}, {"outcome": "succeed", "seconds": 2}
    )
    world.create(**INDEXED, backoffLimitPerIndex=5, podFailurePolicy=policy("FailIndex", **ON_42))
    world.pass_time(5)
    assert (world.status()["failedIndexes"], world.status()["completedIndexes"]) == ("0", "1,2")
    assert world.conditions()[-1] == ("Failed", "True", "FailedIndexes")


@pytest.mark.parametrize(
    "rule", [{"succeededIndexes": "0"}, {"succeededCount": 1}, {"succeededIndexes": "0-2", "succeededCount": 1}]
)
def test_a_success_policy_ends_the_job_before_all_have_succeeded(rule: dict[str, Any]) -> None:
    world = World({"match": "j-0-*", "outcome": "succeed", "seconds": 1}, {"outcome": "hang"})
    world.create(**INDEXED, successPolicy={"rules": [rule]})
    world.pass_time(3)
    assert world.conditions() == [
        ("SuccessCriteriaMet", "True", "SuccessPolicy"),
        ("Complete", "True", "SuccessPolicy"),
    ]
    assert world.status()["conditions"][0]["message"] == "Matched rules at index 0"
    assert world.pods() == ["Succeeded"]
    assert "failed" not in world.status()


@pytest.mark.parametrize(("dialect", "started"), [(TODAY, True), (V1_20, False)], ids=["1.36", "1.20"])
def test_pods_that_are_refused_are_asked_for_again_and_only_newer_servers_say_since_when(
    dialect: Dialect, started: bool
) -> None:
    world = World({"outcome": "pods-refused"}, dialect=dialect)
    world.create()
    world.pass_time(100)
    assert world.pods() == []
    assert world.reasons().count("FailedCreate") > 2
    assert ("startTime" in world.status()) is started
    assert "active" not in world.status()
    world.scenario.outcomes.clear()
    world.pass_time(70)
    assert world.pods() == ["Succeeded"]


def test_a_pod_with_gates_is_held_until_they_are_gone() -> None:
    world = World({"outcome": "gated"})
    world.create()
    world.pass_time(5)
    (pod,) = world.all_pods()
    (held,) = pod["status"]["conditions"]
    assert (held["type"], held["status"], held["reason"]) == ("PodScheduled", "False", "SchedulingGated")
    assert world.status()["active"] == 1
    assert "FailedScheduling" not in world.reasons()
    del pod["spec"]["schedulingGates"]
    world.scenario.outcomes.clear()
    world.store.put(PODS, pod)
    world.pass_time(5)
    assert world.pods() == ["Succeeded"]


@pytest.mark.parametrize(
    ("outcome", "reason", "phase"),
    [
        ("evicted", "TerminationByKubelet", "Failed"),
        ("node-lost", "DeletionByTaintManager", "Running"),
    ],
)
@both
def test_todays_pods_say_that_they_were_disrupted(outcome: str, reason: str, phase: str, dialect: Dialect) -> None:
    world = World({"outcome": outcome, "seconds": 1}, dialect=dialect)
    world.create(backoffLimit=0)
    world.pass_time(60)
    pod = world.all_pods()[0]
    found = {one["type"]: one for one in pod["status"]["conditions"]}
    assert ("DisruptionTarget" in found) is (dialect is TODAY)
    if dialect is TODAY:
        assert found["DisruptionTarget"]["reason"] == reason
    assert pod["status"]["phase"] == phase
    assert ("deletionTimestamp" in pod["metadata"]) is (outcome == "node-lost")


def test_the_job_of_a_lost_node_waits_for_a_word_that_does_not_come() -> None:
    world = World({"outcome": "node-lost", "seconds": 1})
    world.create(backoffLimit=0)
    world.pass_time(3600)
    assert world.conditions() == [("FailureTarget", "True", "BackoffLimitExceeded")]
    assert (world.status()["terminating"], world.status()["failed"]) == (1, 1)
    world.delete_pod(grace=0)
    world.pass_time(1)
    assert world.conditions()[-1] == ("Failed", "True", "BackoffLimitExceeded")


def test_a_sidecar_that_is_left_keeps_the_pod_running() -> None:
    world = World({"outcome": "sidecar-left", "seconds": 1})
    pod = {"restartPolicy": "Never", "containers": [{"name": name, "image": "i"} for name in ("tuning", "proxy")]}
    world.create(template={"spec": pod})
    world.pass_time(60)
    (found,) = world.all_pods()
    states = {one["name"]: next(iter(one["state"])) for one in found["status"]["containerStatuses"]}
    assert states == {"tuning": "terminated", "proxy": "running"}
    assert found["status"]["phase"] == "Running"
    assert (world.status()["active"], world.status()["ready"]) == (1, 0)


def test_a_native_sidecar_runs_and_ends_with_the_pod() -> None:
    world = World({"outcome": "succeed", "seconds": 5})
    inits = [{"name": "fetch", "image": "i"}, {"name": "proxy", "image": "i", "restartPolicy": "Always"}]
    pod = {"restartPolicy": "Never", "containers": [dict(CONTAINER)], "initContainers": inits}
    world.create(template={"spec": pod})
    world.pass_time(1)

    def states() -> list[str]:
        (found,) = world.all_pods()
        return [next(iter(one["state"])) for one in found["status"]["initContainerStatuses"]]

    assert states() == ["terminated", "running"]
    world.pass_time(10)
    assert states() == ["terminated", "terminated"]
    assert world.conditions()[-1][0] == "Complete"


@both
@pytest.mark.parametrize(("outcome", "reason"), [("succeed", "PodCompleted"), ("fail", "PodFailed")])
def test_a_pod_that_has_ended_is_not_ready_any_more(outcome: str, reason: str, dialect: Dialect) -> None:
    world = World({"outcome": outcome, "seconds": 1}, dialect=dialect)
    world.create(backoffLimit=0)
    world.pass_time(5)
    (pod,) = world.all_pods()
    said = {one["type"]: (one["status"], one.get("reason")) for one in pod["status"]["conditions"]}
    assert said["Ready"] == said["ContainersReady"] == ("False", reason)
    assert said["PodScheduled"] == ("True", None)


def test_a_job_that_another_controller_manages_is_left_alone() -> None:
    world = World({"outcome": "succeed"})
    world.create(managedBy="kueue.x-k8s.io/multikueue")
    world.pass_time(5)
    assert world.pods() == []
    assert world.status() == {}
