"""Who may do what, and what is not there at all, on the sandbox and on a real control plane alike."""

import pytest
from tests.cluster_contract.calls import APPLY, core_path, jobs_path
from tests.clusters import Cluster, job_manifest

pytestmark = pytest.mark.slow


def test_a_wrong_token_is_nobody(cluster: Cluster) -> None:
    with cluster.client(token="wrong") as http:
        for path in (jobs_path(cluster), "/apis", "/version"):
            answer = http.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")


def test_no_token_is_the_anonymous_user_who_may_nothing(cluster: Cluster) -> None:
    with cluster.client(token="") as http:
        answer = http.get(jobs_path(cluster))
        assert answer.status_code in (401, 403)
        if answer.status_code == 403:
            assert 'User "system:anonymous" cannot list resource "jobs"' in answer.json()["message"]
            assert http.get("/version").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "verb", "what"),
    [
        ("GET", "jobs", "list", "jobs"),
        ("GET", "jobs/x", "get", "jobs"),
        ("GET", "jobs?watch=1", "watch", "jobs"),
        ("POST", "jobs", "create", "jobs"),
        ("PATCH", "jobs/x", "patch", "jobs"),
        ("PUT", "jobs/x", "update", "jobs"),
        ("DELETE", "jobs/x", "delete", "jobs"),
        ("DELETE", "jobs", "deletecollection", "jobs"),
        ("GET", "pods", "list", "pods"),
        ("GET", "events", "list", "events"),
        ("GET", "pods/x/log", "get", "pods/log"),
    ],
)
def test_a_user_without_rights_learns_what_is_missing(
    cluster: Cluster, method: str, path: str, verb: str, what: str
) -> None:
    url = jobs_path(cluster) + path.removeprefix("jobs") if path.startswith("jobs") else core_path(cluster, path)
    with cluster.client(cluster.nobody_kubeconfig) as http:
        answer = http.request(method, url, json=job_manifest("x"), headers=APPLY if method == "PATCH" else {})
    status = answer.json()
    assert (answer.status_code, status["reason"]) == (403, "Forbidden")
    assert f'User "nobody" cannot {verb} resource "{what}" in API group ' in status["message"]
    assert status["message"].endswith(f'in the namespace "{cluster.namespace}"')


def test_a_user_without_rights_may_still_discover(cluster: Cluster) -> None:
    with cluster.client(cluster.nobody_kubeconfig) as http:
        for path in ("/api", "/apis", "/api/v1", "/apis/batch/v1", "/version"):
            assert http.get(path).status_code == 200
        assert http.get("/metrics").status_code == 403
        answer = http.get("/apis/batch/v1/jobs")
        assert (answer.status_code, answer.json()["message"].endswith("at the cluster scope")) == (403, True)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/batch/v1/namespaces/{}/nothings", 404),
        ("GET", "/apis/nothing.example.com/v1/x", 404),
        ("GET", "/nothing", 404),
        ("GET", "/apis/batch/v1/namespaces/{}/jobs/nothing", 404),
        ("DELETE", "/apis/batch/v1/namespaces/{}/jobs/nothing", 404),
        ("GET", "/api/v1/namespaces/nothing-here", 404),
        ("PUT", "/apis/batch/v1/namespaces/{}/jobs", 405),
        ("POST", "/apis/batch/v1/namespaces/{}/jobs/x", 405),
        ("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods", 404),
    ],
)
def test_what_is_not_there_is_not_found(cluster: Cluster, method: str, path: str, code: int) -> None:
    with cluster.client() as http:
        if "metrics" in path and http.get("/apis/metrics.k8s.io/v1beta1").status_code == 200:
            pytest.skip("this cluster has a metrics server")
        assert http.request(method, path.format(cluster.namespace)).status_code == code


def test_discovery_names_the_resources_and_their_verbs(cluster: Cluster) -> None:
    with cluster.client() as http:
        groups = {group["name"]: group for group in http.get("/apis").json()["groups"]}
        assert groups["batch"]["preferredVersion"]["groupVersion"] == "batch/v1"
        if cluster.since(25):
            gone = {"batch/v1beta1", "autoscaling/v2beta2", "policy/v1beta1", "events.k8s.io/v1beta1"}
            served = {found["groupVersion"] for group in groups.values() for found in group["versions"]}
            assert not gone & served
        jobs = {found["name"]: found for found in http.get("/apis/batch/v1").json()["resources"]}
        core = {found["name"]: found for found in http.get("/api/v1").json()["resources"]}
        assert http.get("/healthz").text == "ok"
        assert http.get("/version").json()["gitVersion"].startswith("v")
    assert (jobs["jobs"]["kind"], jobs["jobs"]["namespaced"]) == ("Job", True)
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(jobs["jobs"]["verbs"])
    assert {"pods", "pods/log", "events", "namespaces", "nodes"} <= set(core)
    assert core["namespaces"]["shortNames"] == ["ns"]
