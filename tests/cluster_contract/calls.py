"""What the suites ask of a cluster, so that each test says only what it is about."""

from typing import Any

import httpx
from tests.clusters import Cluster, job_manifest

APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}


def jobs_path(cluster: Cluster, name: str = "") -> str:
    """The Jobs of the test's namespace, or one of them."""
    return f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs" + (f"/{name}" if name else "")


def core_path(cluster: Cluster, plural: str, name: str = "") -> str:
    """Pods or events of the test's namespace, or one of them."""
    return f"/api/v1/namespaces/{cluster.namespace}/{plural}" + (f"/{name}" if name else "")


def create(http: httpx.Client, cluster: Cluster, name: str, **spec: Any) -> dict[str, Any]:
    """A new Job of the test's own."""
    answer = http.post(jobs_path(cluster), json=job_manifest(cluster.job(name), **spec))
    assert answer.status_code == 201, answer.text
    return answer.json()


def idle(**spec: Any) -> dict[str, Any]:
    """The spec of a Job that starts no pod, for tests of Jobs alone."""
    return {"parallelism": 0, **spec}


def job_of(http: httpx.Client, cluster: Cluster, name: str) -> dict[str, Any]:
    """The Job as it is now."""
    found: dict[str, Any] = http.get(jobs_path(cluster, cluster.job(name))).json()
    return found


def conditions(job: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The Job's conditions, as type, status and reason."""
    return [(found["type"], found["status"], found.get("reason", "")) for found in job["status"].get("conditions", ())]


def concluded(cluster: Cluster, kind: str, reason: str) -> list[tuple[str, str, str]]:
    """The conditions of a Job that is over: since 1.31 what it will be comes first, and success has a reason too."""
    if cluster.since(31):
        interim = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
        return [(interim, "True", reason), (kind, "True", reason)]
    return [(kind, "True", reason if kind == "Failed" else "")]


def ended(http: httpx.Client, cluster: Cluster, name: str) -> dict[str, Any]:
    """The Job as soon as it is over."""

    def look() -> dict[str, Any] | None:
        job = job_of(http, cluster, name)
        return job if any(kind in ("Complete", "Failed") for kind, _, _ in conditions(job)) else None

    return cluster.wait(look)


def settled(http: httpx.Client, cluster: Cluster, name: str) -> dict[str, Any]:
    """The Job as soon as the controller has nothing more to write; since 1.24 it writes even where no pod is wanted."""
    return cluster.wait(lambda: job if "startTime" in (job := job_of(http, cluster, name))["status"] else None)


def pods_of(http: httpx.Client, cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """The Job's pods."""
    answer = http.get(core_path(cluster, "pods"), params={"labelSelector": f"job-name={cluster.job(name)}"})
    return answer.json()["items"]


def causes(answer: httpx.Response) -> list[tuple[str, str]]:
    """Field and reason of each cause of a Status."""
    return [(cause["field"], cause["reason"]) for cause in answer.json()["details"]["causes"]]
