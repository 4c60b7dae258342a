"""What Jobs can since v1.20, and that an older server drops it: on the sandbox and on real control planes alike."""

import itertools
import json
from typing import Any

import httpx
import pytest
from tests.cluster_contract.calls import (
    MERGE,
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

INDEXED = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
INDEX = "batch.kubernetes.io/job-completion-index"
ON_42 = {"onExitCodes": {"operator": "In", "values": [42]}}
ON_DISRUPTION = {"onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


@pytest.mark.parametrize(
    ("since", "field", "value", "others"),
    [
        (24, "suspend", True, {}),
        (24, "completionMode", "Indexed", {"completions": 3}),
        (26, "podFailurePolicy", {"rules": [{"action": "Count", **ON_42}]}, {}),
        (29, "backoffLimitPerIndex", 1, INDEXED),
        (29, "maxFailedIndexes", 1, {**INDEXED, "backoffLimitPerIndex": 1}),
        (29, "podReplacementPolicy", "Failed", {}),
        (31, "successPolicy", {"rules": [{"succeededCount": 1}]}, INDEXED),
        (32, "managedBy", "example.com/queue", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_newer_field_is_kept_by_a_server_that_knows_it_and_dropped_by_an_older(
    cluster: Cluster, since: int, field: str, value: Any, others: dict[str, Any]
) -> None:
    with cluster.client() as http:
        found = create(http, cluster, "a", **{**others, **idle(), field: value})["spec"].get(field)
    assert found == (value if cluster.since(since) else None)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"completionMode": "Sideways"}, "spec.completionMode"),
        ({"completionMode": "Indexed", "parallelism": 1}, "spec.completions"),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex"),
        ({**INDEXED, "maxFailedIndexes": 1}, "spec.backoffLimitPerIndex"),
        ({**INDEXED, "backoffLimitPerIndex": 1, "maxFailedIndexes": 4}, "spec.maxFailedIndexes"),
        ({"podReplacementPolicy": "Never"}, "spec.podReplacementPolicy"),
        ({"managedBy": "nobody"}, "spec.managedBy"),
        ({"podFailurePolicy": {"rules": [{"action": "Count"}]}}, "spec.podFailurePolicy.rules[0]"),
        ({"podFailurePolicy": {"rules": [{"action": "Shout", **ON_42}]}}, "spec.podFailurePolicy.rules[0].action"),
        ({"podFailurePolicy": {"rules": [{"action": "FailIndex", **ON_42}]}}, "spec.podFailurePolicy.rules[0].action"),
        (
            {"podFailurePolicy": {"rules": [{"action": "Count", "onExitCodes": {"operator": "In", "values": [2, 1]}}]}},
            "spec.podFailurePolicy.rules[0].onExitCodes.values",
        ),
        ({"successPolicy": {"rules": [{"succeededCount": 1}]}}, "spec.successPolicy"),
        ({**INDEXED, "successPolicy": {"rules": [{}]}}, "spec.successPolicy.rules[0]"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_newer_field_that_is_wrong_is_refused_by_a_server_that_knows_it(
    cluster: Cluster, spec: dict[str, Any], field: str
) -> None:
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": cluster.job("a")}}
    pod = {"restartPolicy": "Never", "containers": [{"name": "tuning", "image": "i"}]}
    manifest["spec"] = {"template": {"spec": pod}, **spec}
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=manifest, params={"dryRun": "All"})
    if cluster.since(32):
        assert answer.status_code == 422, answer.text
        assert field in [cause["field"] for cause in answer.json()["details"]["causes"]]
    else:
        assert answer.status_code == 201


def test_a_server_of_today_writes_its_defaults_into_the_spec(cluster: Cluster) -> None:
    with cluster.client() as http:
        plain, counted = create(http, cluster, "a", **idle()), None
        if cluster.since(32):
            rules = {"rules": [{"action": "Count", **ON_42}]}
            counted = create(http, cluster, "b", **idle(podFailurePolicy=rules))["spec"]["podReplacementPolicy"]
    names = ("manualSelector", "completionMode", "suspend", "podReplacementPolicy")
    found = {name: plain["spec"][name] for name in names if name in plain["spec"]}
    if cluster.since(32):
        assert found == dict(zip(names, (False, "NonIndexed", False, "TerminatingOrFailed"), strict=True))
        assert counted == "Failed"
    else:
        assert found == {}


def test_the_generation_counts_the_changes_of_the_spec(cluster: Cluster) -> None:
    path = jobs_path(cluster, cluster.job("a"))
    with cluster.client() as http:
        made = create(http, cluster, "a", **idle())
        labelled, changed = (
            http.patch(path, json=change, headers=MERGE).json()
            for change in ({"metadata": {"labels": {"b": "c"}}}, {"spec": {"backoffLimit": 3}})
        )
    found = [job["metadata"].get("generation") for job in (made, labelled, changed)]
    assert found == ([1, 1, 2] if cluster.since(26) else [None] * 3)


def test_the_controller_says_at_once_when_a_job_began(cluster: Cluster) -> None:
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        if not cluster.since(26):
            # A second Job that is over shows that the controller has seen the first.
            create(http, cluster, "b", activeDeadlineSeconds=0)
            ended(http, cluster, "b")
            assert job_of(http, cluster, "a")["status"] == {}
            return
        status = cluster.wait(lambda: job_of(http, cluster, "a")["status"])
    assert status.pop("startTime").endswith("Z")
    assert status == {"ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}


def test_what_a_job_will_be_is_said_before_its_last_pod_has_stopped(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "hang"}])
    with cluster.client() as http:
        create(http, cluster, "a", activeDeadlineSeconds=2)
        query = {"fieldSelector": f"metadata.name={cluster.job('a')}", "watch": "true", "timeoutSeconds": "30"}
        seen = []
        with http.stream("GET", jobs_path(cluster), params=query) as answer:
            for line in answer.iter_lines():
                job = json.loads(line)["object"]
                seen.append((tuple(kind for kind, _, _ in conditions(job)), job["status"].get("terminating")))
                if "Failed" in seen[-1][0]:
                    break
    kinds = [kinds for kinds, _ in itertools.groupby(kinds for kinds, _ in seen)]
    if cluster.since(31):
        assert kinds == [(), ("FailureTarget",), ("FailureTarget", "Failed")]
        assert (("FailureTarget",), 1) in seen
        assert seen[-1][1] == 0
    else:
        assert kinds == [(), ("Failed",)]


def test_a_running_pod_that_is_deleted_is_counted_only_by_a_newer_server(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "hang"}])
    with cluster.client() as http:
        create(http, cluster, "a", backoffLimit=2)
        (pod,) = cluster.wait(lambda: running(http, cluster, "a"))
        finalizers = pod["metadata"].get("finalizers")
        assert finalizers == (["batch.kubernetes.io/job-tracking"] if cluster.since(26) else None)
        assert http.delete(core_path(cluster, "pods", pod["metadata"]["name"])).status_code == 200
        name = pod["metadata"]["name"]
        cluster.wait(lambda: name not in [one["metadata"]["name"] for one in pods_of(http, cluster, "a")])
        if cluster.since(26):
            cluster.wait(lambda: job_of(http, cluster, "a")["status"].get("failed") == 1)
        cluster.wait(lambda: running(http, cluster, "a"))
        assert job_of(http, cluster, "a")["status"].get("failed") == (1 if cluster.since(26) else None)


def running(http: httpx.Client, cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """The Job's pods that run and are to go on running."""
    pods = pods_of(http, cluster, name)
    return [pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]]


def test_a_suspended_job_has_no_pods_until_it_is_resumed(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "hang"}])
    path = jobs_path(cluster, cluster.job("a"))
    with cluster.client() as http:
        create(http, cluster, "a", suspend=True)
        if not cluster.since(24):
            cluster.wait(lambda: running(http, cluster, "a"))
            return
        cluster.wait(lambda: conditions(job_of(http, cluster, "a")) == [("Suspended", "True", "JobSuspended")])
        assert pods_of(http, cluster, "a") == []
        assert "startTime" not in job_of(http, cluster, "a")["status"]
        http.patch(path, json={"spec": {"suspend": False}}, headers=MERGE)
        cluster.wait(lambda: running(http, cluster, "a"))
        job = job_of(http, cluster, "a")
        assert conditions(job) == [("Suspended", "False", "JobResumed")]
        assert "startTime" in job["status"]
        http.patch(path, json={"spec": {"suspend": True}}, headers=MERGE)
        cluster.wait(lambda: not pods_of(http, cluster, "a"))
        assert "failed" not in job_of(http, cluster, "a")["status"]


def test_each_index_of_an_indexed_job_has_a_pod_of_its_own(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "succeed", "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a", **INDEXED)
        job = ended(http, cluster, "a")
        pods = sorted(pods_of(http, cluster, "a"), key=lambda pod: pod["metadata"]["name"])
    assert conditions(job) == concluded(cluster, "Complete", "CompletionsReached")
    assert job["status"]["succeeded"] == 3
    assert job["status"].get("completedIndexes") == ("0-2" if cluster.since(24) else None)
    if cluster.since(28):
        for number, pod in enumerate(pods):
            meta, text = pod["metadata"], str(number)
            assert meta["name"].startswith(f"{cluster.job('a')}-{number}-")
            assert (meta["labels"][INDEX], meta["annotations"][INDEX]) == (text, text)


def test_an_index_past_its_own_limit_fails_the_job_when_the_others_are_over(cluster: Cluster) -> None:
    cluster.scenario(
        [
            {"match": cluster.job("a-1-*"), "outcome": "fail", "seconds": 0.2},
            {"match": cluster.job("*"), "outcome": "succeed", "seconds": 0.2},
        ]
    )
    with cluster.client() as http:
        create(http, cluster, "a", **INDEXED, backoffLimitPerIndex=0, backoffLimit=6)
        job = ended(http, cluster, "a")
    if not cluster.since(29):
        # Its pods have no index in their names.
        assert conditions(job) == concluded(cluster, "Complete", "")
        return
    assert conditions(job) == concluded(cluster, "Failed", "FailedIndexes")
    assert (job["status"]["failedIndexes"], job["status"]["completedIndexes"]) == ("1", "0,2")


def test_a_failure_that_the_policy_calls_final_ends_the_job_at_once(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "fail", "exit_code": 42, "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a", backoffLimit=0, podFailurePolicy={"rules": [{"action": "FailJob", **ON_42}]})
        job = ended(http, cluster, "a")
    known = cluster.since(26)
    assert conditions(job) == concluded(cluster, "Failed", "PodFailurePolicy" if known else "BackoffLimitExceeded")
    if known:
        assert "failed with exit code 42 matching FailJob rule at index 0" in job["status"]["conditions"][-1]["message"]


def test_an_eviction_that_the_policy_ignores_does_not_count(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "evicted", "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a", backoffLimit=0, podFailurePolicy={"rules": [{"action": "Ignore", **ON_DISRUPTION}]})
        if not cluster.since(26):
            assert conditions(ended(http, cluster, "a")) == concluded(cluster, "Failed", "BackoffLimitExceeded")
            return
        cluster.wait(lambda: len(pods_of(http, cluster, "a")) > 1, 60)
        job = job_of(http, cluster, "a")
    assert "failed" not in job["status"]
    assert conditions(job) == []


def test_a_success_policy_ends_a_job_before_all_its_indexes_have(cluster: Cluster) -> None:
    cluster.scenario(
        [
            {"match": cluster.job("a-0-*"), "outcome": "succeed", "seconds": 0.2},
            {"match": cluster.job("*"), "outcome": "hang"},
        ]
    )
    with cluster.client() as http:
        create(http, cluster, "a", **INDEXED, successPolicy={"rules": [{"succeededIndexes": "0"}]})
        if not cluster.since(31):
            cluster.wait(lambda: len(running(http, cluster, "a")) == 3)
            return
        job = ended(http, cluster, "a")
    assert conditions(job) == concluded(cluster, "Complete", "SuccessPolicy")
    assert job["status"]["completedIndexes"] == "0"


def test_a_pod_with_scheduling_gates_waits_for_them_to_go(cluster: Cluster) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    pod["schedulingGates"] = [{"name": "example.com/held"}]
    with cluster.client() as http:
        create(http, cluster, "a", template={"spec": pod})
        if not cluster.since(27):
            ended(http, cluster, "a")
            return
        found = cluster.wait(lambda: pods_of(http, cluster, "a"))[0]
        name = found["metadata"]["name"]

        def held() -> list[tuple[str, str, str]]:
            said = http.get(core_path(cluster, "pods", name)).json()["status"].get("conditions", ())
            return [(one["type"], one["status"], one.get("reason", "")) for one in said]

        cluster.wait(lambda: ("PodScheduled", "False", "SchedulingGated") in held())
        http.patch(core_path(cluster, "pods", name), json={"spec": {"schedulingGates": None}}, headers=MERGE)
        ended(http, cluster, "a")


def test_events_name_their_reporter_since_they_have_a_field_for_it(cluster: Cluster) -> None:
    with cluster.client() as http:
        create(http, cluster, "a")
        query = {"fieldSelector": "reason=SuccessfulCreate"}
        (event,) = cluster.wait(lambda: http.get(core_path(cluster, "events"), params=query).json()["items"])
    assert event["source"]["component"] == "job-controller"
    assert event["reportingComponent"] == ("job-controller" if cluster.since(27) else "")


def test_an_evicted_pod_says_that_it_was_disrupted(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "evicted", "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a")
        ended(http, cluster, "a")
        (pod,) = pods_of(http, cluster, "a")
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "Evicted")
    found = [one["reason"] for one in pod["status"].get("conditions", ()) if one["type"] == "DisruptionTarget"]
    assert found == (["TerminationByKubelet"] if cluster.since(26) else [])


@pytest.mark.parametrize(("outcome", "reason"), [("succeed", "PodCompleted"), ("fail", "PodFailed")])
def test_a_pod_that_has_ended_is_not_ready_any_more(cluster: Cluster, outcome: str, reason: str) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": outcome, "seconds": 0.2}])
    with cluster.client() as http:
        create(http, cluster, "a")
        ended(http, cluster, "a")
        (pod,) = pods_of(http, cluster, "a")
    said = {one["type"]: (one["status"], one.get("reason")) for one in pod["status"]["conditions"]}
    assert said["Ready"] == said["ContainersReady"] == ("False", reason)
