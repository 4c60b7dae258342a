"""Delete, by each policy and of each scope, on the sandbox and on a real control plane alike."""

import pytest
from tests.cluster_contract.calls import MERGE, causes, create, idle, jobs_path, pods_of
from tests.clusters import Cluster, job_manifest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan", None])
def test_deleting_a_job_does_to_its_pods_as_the_policy_says(cluster: Cluster, policy: str | None) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "hang"}])
    path = jobs_path(cluster, cluster.job("a"))
    with cluster.client() as http:
        create(http, cluster, "a")
        cluster.wait(lambda: [pod for pod in pods_of(http, cluster, "a") if pod["status"]["phase"] == "Running"])
        answer = http.delete(path, params={"propagationPolicy": policy} if policy else {})
        assert answer.status_code == 200
        assert answer.json()["kind"] == ("Status" if policy == "Background" else "Job")
        warned = any("child pods are preserved" in text for text in answer.headers.get_list("warning"))
        assert warned is (policy is None and cluster.since(26))
        cluster.wait(lambda: http.get(path).status_code == 404)
        if policy in ("Background", "Foreground"):
            cluster.wait(lambda: not pods_of(http, cluster, "a"))
        else:
            # Without a policy, batch/v1 orphans a Job's pods.
            (pod,) = pods_of(http, cluster, "a")
            assert "ownerReferences" not in pod["metadata"]


def test_a_delete_may_say_which_object_it_means(cluster: Cluster) -> None:
    path = jobs_path(cluster, cluster.job("a"))
    with cluster.client() as http:
        job = create(http, cluster, "a", **idle())
        wrong = http.request("DELETE", path, json={"preconditions": {"uid": "another"}})
        assert (wrong.status_code, wrong.json()["reason"]) == (409, "Conflict")
        wanted = {"preconditions": {"uid": job["metadata"]["uid"]}, "propagationPolicy": "Background"}
        assert http.request("DELETE", path, json=wanted).status_code == 200
        assert http.delete(path, params={"propagationPolicy": "Nope"}).status_code == 422
        assert http.delete(path).status_code == 404


def test_an_object_with_a_finalizer_stays_until_it_is_taken_off(cluster: Cluster) -> None:
    path = jobs_path(cluster, cluster.job("a"))
    manifest = job_manifest(cluster.job("a"), **idle())
    manifest["metadata"]["finalizers"] = ["example.com/keep"]
    with cluster.client() as http:
        http.post(jobs_path(cluster), json=manifest)
        for _ in range(2):
            answer = http.delete(path, params={"propagationPolicy": "Background"})
            assert (answer.status_code, answer.json()["kind"]) == (200, "Job")
        kept = http.get(path).json()["metadata"]
        assert kept["finalizers"] == ["example.com/keep"]
        assert kept["deletionTimestamp"] == answer.json()["metadata"]["deletionTimestamp"]
        http.patch(path, json={"metadata": {"finalizers": None}}, headers=MERGE)
        cluster.wait(lambda: http.get(path).status_code == 404)


def test_a_whole_selection_is_deleted_at_once(cluster: Cluster) -> None:
    with cluster.client() as http:
        for name in ("a", "b"):
            create(http, cluster, name, **idle())
        path = jobs_path(cluster, cluster.job("b"))
        http.patch(path, json={"metadata": {"labels": {"keep": "yes"}}}, headers=MERGE)
        query = {"labelSelector": "!keep", "propagationPolicy": "Background"}
        assert http.delete(jobs_path(cluster), params=query).status_code == 200
        cluster.wait(lambda: len(http.get(jobs_path(cluster)).json()["items"]) == 1)
        assert http.get(path).status_code == 200


def test_a_namespace_goes_with_all_that_is_in_it_and_takes_nothing_new(cluster: Cluster) -> None:
    space = f"/api/v1/namespaces/{cluster.namespace}"
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        gone = http.delete(space).json()
        assert gone["status"]["phase"] == "Terminating"
        assert gone["metadata"]["deletionTimestamp"]
        refused = http.post(jobs_path(cluster), json=job_manifest(cluster.job("b")))
        assert (refused.status_code, refused.json()["reason"]) == (403, "Forbidden")
        assert causes(refused) == [("metadata.namespace", "NamespaceTerminating")]
        cluster.wait(lambda: http.get(space).status_code == 404)
        assert http.get(jobs_path(cluster, cluster.job("a"))).status_code == 404
        absent = http.post(jobs_path(cluster), json=job_manifest(cluster.job("b")))
        assert (absent.status_code, absent.json()["message"]) == (404, f'namespaces "{cluster.namespace}" not found')
