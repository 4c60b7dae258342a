"""The Job controller on a clock that the test turns: retries, deadlines, time to live."""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from k8s_tuning.sandbox import admission
from k8s_tuning.sandbox.jobs import JobController
from k8s_tuning.sandbox.nodes import Nodes
from k8s_tuning.sandbox.occurrences import Recorder
from k8s_tuning.sandbox.resources import EVENTS, JOBS, PODS
from k8s_tuning.sandbox.scenario import Scenario
from k8s_tuning.sandbox.store import Selection, Store


class World:
    """A store with its controller and its node, and a clock that only `pass_time` moves."""

    def __init__(self, rule: dict[str, Any]) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.due: list[tuple[datetime, int, Callable[[], None]]] = []
        self.count = 0
        self.store = Store()
        recorder = Recorder(self.store, lambda: self.now)
        JobController(self.store, recorder, lambda: self.now, self.later)
        Nodes(self.store, recorder, Scenario(outcomes=[rule]), lambda: self.now, self.later)

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
        pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
        job = {
            "metadata": {"name": "j", "namespace": "n", "uid": "u"},
            "spec": {"template": {"spec": pod}, **spec},
        }
        admission.fill_in(JOBS, job)
        self.store.put(JOBS, job)

    def status(self) -> dict[str, Any]:
        record = self.store.get(JOBS, "n", "j")
        assert record is not None
        found: dict[str, Any] = record.load()["status"]
        return found

    def pods(self) -> list[str]:
        return [record.fields["status.phase"] for record in self.store.records(Selection(PODS))]

    def reasons(self) -> list[str]:
        return [record.fields["reason"] for record in self.store.records(Selection(EVENTS))]


def test_retries_wait_ten_seconds_then_twenty_then_forty() -> None:
    world = World({"outcome": "fail", "seconds": 1})
    world.create(backoffLimit=6)
    world.pass_time(0.5)
    counts = [len(world.pods())]
    for _ in range(100):
        world.pass_time(1)
        counts.append(len(world.pods()))
    starts = [counts.index(number) for number in range(1, max(counts) + 1)]
    # The first retry is at once; then each waits twice as long as the one before (and runs a second).
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == [1, 11, 21, 41]


def test_the_backoff_limit_ends_the_job_with_its_failures_counted() -> None:
    world = World({"outcome": "fail", "seconds": 1})
    world.create(backoffLimit=2)
    world.pass_time(60)
    status = world.status()
    assert status["failed"] == 3
    assert "active" not in status
    assert [found["reason"] for found in status["conditions"]] == ["BackoffLimitExceeded"]
    assert world.pods() == ["Failed"] * 3


def test_a_deadline_ends_what_still_runs() -> None:
    world = World({"outcome": "hang"})
    world.create(activeDeadlineSeconds=30, parallelism=2, completions=2)
    world.pass_time(29)
    assert world.pods() == ["Running", "Running"]
    world.pass_time(2)
    assert world.pods() == []
    assert world.status()["failed"] == 2
    assert world.reasons().count("SuccessfulDelete") == 2
    assert "DeadlineExceeded" in world.reasons()


def test_a_job_lives_as_long_as_its_time_to_live_says() -> None:
    world = World({"outcome": "succeed", "seconds": 1})
    world.create(ttlSecondsAfterFinished=60)
    world.pass_time(55)
    assert world.store.get(JOBS, "n", "j") is not None
    world.pass_time(10)
    assert world.store.get(JOBS, "n", "j") is None
    assert world.pods() == []


def test_a_job_without_completions_is_complete_when_one_pod_succeeded_and_none_runs() -> None:
    world = World({"outcome": "succeed", "seconds": 1})
    world.create(parallelism=3)
    world.pass_time(5)
    assert world.status()["succeeded"] == 3
    assert [found["type"] for found in world.status()["conditions"]] == ["Complete"]


def test_a_pod_that_somebody_deletes_is_made_anew() -> None:
    world = World({"outcome": "hang"})
    world.create()
    world.pass_time(1)
    (first,) = world.store.records(Selection(PODS))
    world.store.remove(PODS, *first.key)
    world.pass_time(1)
    (second,) = world.store.records(Selection(PODS))
    assert second.uid != first.uid
    assert world.status()["active"] == 1


def test_less_parallelism_takes_pods_away() -> None:
    world = World({"outcome": "hang"})
    world.create(parallelism=3, completions=5)
    world.pass_time(1)
    record = world.store.get(JOBS, "n", "j")
    assert record is not None
    job = record.load()
    job["spec"]["parallelism"] = 1
    world.store.put(JOBS, job)
    world.pass_time(1)
    assert world.pods() == ["Running"]
    assert world.status()["active"] == 1


def test_a_pod_that_waits_for_room_starts_when_there_is_some() -> None:
    world = World({"outcome": "succeed", "seconds": 10})
    big = {"requests": {"cpu": "3000"}}
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "resources": big}]}
    world.create(parallelism=2, completions=2, template={"spec": pod})
    world.pass_time(1)
    assert sorted(world.pods()) == ["Pending", "Running"]
    world.pass_time(10)
    assert sorted(world.pods()) == ["Running", "Succeeded"]
    assert world.reasons().count("FailedScheduling") == 1
