"""How Jobs and their pods go, on the sandbox and on a real control plane alike."""

from typing import Any

import httpx
import pytest
from tests.cluster_contract.calls import (
    concluded,
    conditions,
    core_path,
    create,
    ended,
    idle,
    job_of,
    jobs_path,
    pods_of,
)
from tests.clusters import Cluster

pytestmark = pytest.mark.slow


def reasons(http: httpx.Client, cluster: Cluster, kind: str) -> set[tuple[str, str]]:
    """Type and reason of the events about objects of a kind."""
    answer = http.get(core_path(cluster, "events"), params={"fieldSelector": f"involvedObject.kind={kind}"})
    return {(event["type"], event["reason"]) for event in answer.json()["items"]}


def test_a_job_that_succeeds_is_complete(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "succeed", "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a")
        job = ended(http, cluster, "a")
        (pod,) = pods_of(http, cluster, "a")
        assert conditions(job) == concluded(cluster, "Complete", "CompletionsReached")
        assert job["status"]["succeeded"] == 1
        assert not {"active", "failed"} & set(job["status"])
        assert job["status"]["startTime"] <= job["status"]["completionTime"]
        prefixes = ("batch.kubernetes.io/", "") if cluster.since(27) else ("",)
        assert job["spec"]["selector"] == {"matchLabels": {f"{prefixes[0]}controller-uid": job["metadata"]["uid"]}}
        assert pod["metadata"]["labels"] == {
            "app": "arbitrage-tuning",
            **{f"{prefix}controller-uid": job["metadata"]["uid"] for prefix in prefixes},
            **{f"{prefix}job-name": cluster.job("a") for prefix in prefixes},
        }
        assert pod["metadata"]["name"].startswith(cluster.job("a") + "-")
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("Job", job["metadata"]["uid"], True)
        (container,) = pod["status"]["containerStatuses"]
        assert container["state"]["terminated"]["reason"] == "Completed"
        assert container["state"]["terminated"]["exitCode"] == 0
        cluster.wait(lambda: ("Normal", "Completed") in reasons(http, cluster, "Job"))
        assert ("Normal", "SuccessfulCreate") in reasons(http, cluster, "Job")
        assert {("Normal", "Scheduled"), ("Normal", "Started")} <= reasons(http, cluster, "Pod")


@pytest.mark.parametrize(
    ("rule", "phase", "pod_reason", "state", "reason", "code", "event"),
    [
        ({"outcome": "fail", "exit_code": 3}, "Failed", None, "terminated", "Error", 3, None),
        ({"outcome": "oom"}, "Failed", None, "terminated", "OOMKilled", 137, None),
        ({"outcome": "crashloop"}, "Failed", None, "terminated", "Error", 1, None),
        ({"outcome": "evicted"}, "Failed", "Evicted", None, None, None, "Evicted"),
        ({"outcome": "image-pull"}, "Pending", None, "waiting", "ImagePullBackOff", None, "BackOff"),
        ({"outcome": "config-error"}, "Pending", None, "waiting", "CreateContainerConfigError", None, "Failed"),
        ({"outcome": "hang"}, "Running", None, "running", None, None, None),
    ],
    ids=["fail", "oom", "crashloop-never", "evicted", "image-pull", "config-error", "hang"],
)
def test_pods_end_as_the_scenario_says(
    cluster: Cluster,
    rule: dict[str, Any],
    phase: str,
    pod_reason: str | None,
    state: str | None,
    reason: str | None,
    code: int | None,
    event: str | None,
) -> None:
    cluster.scenario([{"match": cluster.job("*"), "seconds": 0.2, **rule}])
    with cluster.client() as http:
        create(http, cluster, "a")

        def look() -> dict[str, Any] | None:
            found = pods_of(http, cluster, "a")
            played = found and ("containerStatuses" in found[0]["status"] or pod_reason)
            return found[0] if played and found[0]["status"]["phase"] == phase else None

        status = cluster.wait(look)["status"]
        assert status.get("reason") == pod_reason
        if state is None:
            assert "containerStatuses" not in status
        else:
            (container,) = status["containerStatuses"]
            assert list(container["state"]) == [state]
            assert container["state"][state].get("reason") == reason
            assert container["state"][state].get("exitCode") == code
            assert container["restartCount"] == 0
        if phase == "Failed":
            job = ended(http, cluster, "a")
            assert conditions(job) == concluded(cluster, "Failed", "BackoffLimitExceeded")
            assert job["status"]["failed"] == 1
            assert "completionTime" not in job["status"]
            cluster.wait(lambda: ("Warning", "BackoffLimitExceeded") in reasons(http, cluster, "Job"))
        else:
            assert job_of(http, cluster, "a")["status"]["active"] == 1
        if event is not None:
            cluster.wait(lambda: ("Warning", event) in reasons(http, cluster, "Pod"))


def test_a_crashing_container_is_started_again_until_the_backoff_limit(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "crashloop", "seconds": 0.3}])
    pod = {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": "i"}]}
    with cluster.client() as http:
        create(http, cluster, "a", backoffLimit=2, template={"spec": pod})

        def look() -> dict[str, Any] | None:
            found = pods_of(http, cluster, "a")
            states = found[0]["status"].get("containerStatuses") if found else None
            return states[0] if states and "waiting" in states[0]["state"] else None

        container = cluster.wait(look)
        assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert container["lastState"]["terminated"]["exitCode"] == 1
        assert container["restartCount"] == 1
        assert conditions(ended(http, cluster, "a")) == concluded(cluster, "Failed", "BackoffLimitExceeded")
        # About one time in forty a real controller without finalizers leaves such a pod running.
        if cluster.since(26) or cluster.sandbox is not None:
            cluster.wait(lambda: not pods_of(http, cluster, "a"))


def test_a_failed_pod_is_retried_while_the_backoff_limit_lasts(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "fail", "seconds": 0.5}])
    with cluster.client() as http:
        create(http, cluster, "a", backoffLimit=1)

        def look() -> dict[str, Any] | None:
            status = job_of(http, cluster, "a")["status"]
            return status if status.get("failed") == 1 else None

        status = cluster.wait(look)
        # Since 1.26 the next pod comes after a back-off, and none is active until then.
        assert status.get("active") == (None if cluster.since(26) else 1)
        assert "conditions" not in status
        cluster.wait(lambda: len(pods_of(http, cluster, "a")) == 2)


def test_a_job_past_its_deadline_fails_and_its_pods_go(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "hang"}])
    with cluster.client() as http:
        create(http, cluster, "a", activeDeadlineSeconds=2)
        cluster.wait(lambda: [pod for pod in pods_of(http, cluster, "a") if pod["status"]["phase"] == "Running"])
        job = ended(http, cluster, "a")
        assert conditions(job) == concluded(cluster, "Failed", "DeadlineExceeded")
        # Absent where the controller's first write met a conflict: at its second its pods are going, and not counted.
        assert job["status"].get("failed", 1) == 1
        cluster.wait(lambda: not pods_of(http, cluster, "a"))


def test_several_completions_run_as_many_at_a_time_as_parallelism_says(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "succeed", "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a", completions=3, parallelism=2)
        seen = set()

        def look() -> dict[str, Any] | None:
            job = job_of(http, cluster, "a")
            seen.add(job["status"].get("active", 0))
            return job if "completionTime" in job["status"] else None

        job = cluster.wait(look)
        assert conditions(job) == concluded(cluster, "Complete", "CompletionsReached")
        assert job["status"]["succeeded"] == 3
        assert max(seen) <= 2
        assert len(pods_of(http, cluster, "a")) == 3


def test_a_job_without_parallelism_starts_nothing(cluster: Cluster) -> None:
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        create(http, cluster, "b", activeDeadlineSeconds=0)
        # The second Job's condition shows that the controller has seen the first.
        assert conditions(ended(http, cluster, "b")) == concluded(cluster, "Failed", "DeadlineExceeded")
        assert pods_of(http, cluster, "a") == []
        assert conditions(job_of(http, cluster, "a")) == []


def test_a_finished_job_goes_after_its_time_to_live(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "succeed", "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a", ttlSecondsAfterFinished=1)
        cluster.wait(lambda: http.get(jobs_path(cluster, cluster.job("a"))).status_code == 404)
        cluster.wait(lambda: not pods_of(http, cluster, "a"))


@pytest.mark.parametrize(
    ("wants", "message"),
    [
        ({"resources": {"requests": {"cpu": "100000"}}}, "Insufficient cpu"),
        ({"resources": {"limits": {"memory": "900000Gi"}}}, "Insufficient memory"),
    ],
    ids=["cpu", "memory"],
)
def test_a_pod_that_fits_nowhere_stays_pending_and_says_why(
    cluster: Cluster, wants: dict[str, Any], message: str
) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", **wants}]}
    with cluster.client() as http:
        create(http, cluster, "a", template={"spec": pod})

        def look() -> dict[str, Any] | None:
            found = pods_of(http, cluster, "a")
            return found[0] if found and found[0]["status"].get("conditions") else None

        found = cluster.wait(look)
        (said,) = (one for one in found["status"]["conditions"] if one["type"] == "PodScheduled")
        assert (said["type"], said["status"], said["reason"]) == ("PodScheduled", "False", "Unschedulable")
        assert message in said["message"]
        assert found["status"]["phase"] == "Pending"
        assert "nodeName" not in found["spec"]
        assert "containerStatuses" not in found["status"]
        cluster.wait(lambda: ("Warning", "FailedScheduling") in reasons(http, cluster, "Pod"))


def test_the_scheduler_dates_its_events_by_event_time_alone(cluster: Cluster) -> None:
    with cluster.client() as http:
        create(http, cluster, "a")

        def look() -> dict[str, Any] | None:
            wanted = {"fieldSelector": "reason=Scheduled"}
            found = http.get(core_path(cluster, "events"), params=wanted).json()["items"]
            return found[0] if found else None

        event = cluster.wait(look)
        assert (event["firstTimestamp"], event["lastTimestamp"]) == (None, None)
        assert event["eventTime"].endswith("Z")
        assert event["reportingComponent"] == "default-scheduler"
        assert "count" not in event
