"""How Jobs and their pods go, on the sandbox and on a real control plane alike."""

from typing import Any

from tests.clusters import Cluster, job_manifest


def ended(cluster: Cluster, name: str) -> dict[str, Any]:
    """The Job as soon as it has a condition."""
    with cluster.client() as http:
        path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs/{name}"
        return cluster.wait(lambda: job if (job := http.get(path).json()).get("status", {}).get("conditions") else None)


def created(cluster: Cluster, name: str, **spec: Any) -> dict[str, Any]:
    """A new Job."""
    with cluster.client() as http:
        answer = http.post(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs", json=job_manifest(name, **spec))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_job_succeeds(cluster: Cluster) -> None:
    created(cluster, cluster.job("a"))
    job = ended(cluster, cluster.job("a"))
    assert job["status"]["succeeded"] == 1
