"""Whatever a Job's pods come to, today's Job controller counts each once, and releases all of them."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples
from tests.sandbox.test_jobs import World

from k8s_tuning_sandbox import indexes
from k8s_tuning_sandbox.scenario import Scenario

OUTCOMES = st.sampled_from(["succeed", "fail", "oom", "evicted", "preempted", "crashloop"])
POLICIES = st.sampled_from(
    [
        {},
        {"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}},
        {"podReplacementPolicy": "Failed"},
        {"activeDeadlineSeconds": 45},
        {"completionMode": "Indexed"},
        {"completionMode": "Indexed", "backoffLimitPerIndex": 1},
        {"completionMode": "Indexed", "backoffLimitPerIndex": 0, "maxFailedIndexes": 1},
        {"completionMode": "Indexed", "successPolicy": {"rules": [{"succeededCount": 1}]}},
    ]
)


class Turns(Scenario):
    """Each pod comes to the next outcome of a list, which begins again when it is over."""

    def __init__(self, outcomes: list[str]) -> None:
        super().__init__()
        self.turns = itertools.cycle(outcomes)

    def outcome(self, job: str, pod: str) -> dict[str, Any]:
        return {"outcome": next(self.turns) if pod else "succeed", "seconds": 3}


@settings(max_examples=examples(150))
@given(
    outcomes=st.lists(OUTCOMES, min_size=1, max_size=4),
    completions=st.integers(1, 4),
    parallelism=st.integers(1, 3),
    limit=st.integers(0, 3),
    policy=POLICIES,
    interrupted=st.sampled_from([None, "suspend", "delete"]),
)
def test_every_pod_is_counted_once_and_let_go(
    outcomes: list[str],
    completions: int,
    parallelism: int,
    limit: int,
    policy: dict[str, Any],
    interrupted: str | None,
) -> None:
    world = World(scenario=Turns(outcomes))
    world.create(completions=completions, parallelism=parallelism, backoffLimit=limit, **policy)
    world.pass_time(1)
    if interrupted == "delete":
        world.delete_pod()
    elif interrupted == "suspend":
        world.change(suspend=True)
        world.pass_time(5)
        world.change(suspend=False)
    for _ in range(40):
        world.pass_time(100)
    status = world.status()
    made = world.reasons().count("SuccessfulCreate")
    kinds = [kind for kind, _, _ in world.conditions() if kind != "Suspended"]
    assert status.get("succeeded", 0) + status.get("failed", 0) <= made
    if kinds:
        assert kinds in (["SuccessCriteriaMet", "Complete"], ["FailureTarget", "Failed"])
        assert status["uncountedTerminatedPods"] == {}
        assert (status["ready"], status["terminating"]) == (0, 0)
        assert "active" not in status
        assert all("finalizers" not in pod["metadata"] for pod in world.all_pods())
        assert set(world.pods()) <= {"Succeeded", "Failed"}
    else:
        # Only what is ignored can be tried again without end.
        assert "podFailurePolicy" in policy
    for earlier, later in zip(world.statuses, world.statuses[1:], strict=False):
        for count in ("succeeded", "failed"):
            assert later.get(count, 0) >= earlier.get(count, 0)
    done, failed = (indexes.parse(status.get(field, "")) for field in ("completedIndexes", "failedIndexes"))
    assert not done & failed
    if policy.get("completionMode"):
        assert len(done) == status.get("succeeded", 0)
