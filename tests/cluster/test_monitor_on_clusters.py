"""D32 on the sandbox, also one that is set to fail, and on a real control plane."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.clusters import Cluster, job_manifest

from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning_sandbox import Sandbox

pytestmark = pytest.mark.slow

SELECTOR = "app=arbitrage-tuning"


def create(cluster: Cluster, name: str, manifest: dict[str, Any] | None = None) -> None:
    with cluster.client() as http:
        path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs"
        answer = http.post(path, json=manifest or job_manifest(cluster.job(name)))
        assert answer.status_code == 201, answer.text


def snapshot_when(cluster: Cluster, ready: Callable[[dict[str, Any]], bool], **options: Any) -> K8sMonitorSnapshot:
    """The first snapshot whose Jobs, by their short names, are as the test wants them."""
    monitor = K8sJobMonitor(cluster.namespace, SELECTOR, str(cluster.kubeconfig), **options)

    def look() -> K8sMonitorSnapshot | None:
        snapshot = monitor.load_snapshot()
        assert snapshot.errors == []
        jobs = {job.job_name.rpartition("-")[2]: job for job in snapshot.jobs}
        return snapshot if ready(jobs) else None

    found = cluster.wait(look)
    assert found is not None
    return found


def test_a_cluster_tells_of_every_end(cluster: Cluster) -> None:
    """One dies of OOM, one can't pull its image, one succeeds; the logs of those that ran are there."""
    cluster.scenario(
        [
            {"match": cluster.job("oom"), "outcome": "oom", "log": "틱 로드 🚀", "log_lines": 20, "last_log": "Killed"},
            {"match": cluster.job("pull"), "outcome": "image-pull"},
        ]
    )
    for name in ("oom", "pull", "good"):
        create(cluster, name)
    snapshot = snapshot_when(
        cluster,
        lambda jobs: (
            (jobs["oom"].phase, jobs["good"].phase) == ("FAILED", "SUCCEEDED")
            and any(c.waiting_reason for p in jobs["pull"].pods for c in p.containers)
        ),
        max_log_lines=3,
    )
    jobs = {job.job_name: job for job in snapshot.jobs}
    oom, pull, good = (jobs[cluster.job(name)] for name in ("oom", "pull", "good"))
    assert (oom.failed, oom.condition_reason) == (1, "BackoffLimitExceeded")
    assert (oom.pods[0].containers[0].terminated_reason, oom.pods[0].containers[0].exit_code) == ("OOMKilled", 137)
    assert pull.phase == "RUNNING"
    assert (pull.pods[0].phase, pull.pods[0].containers[0].waiting_reason) == ("Pending", "ImagePullBackOff")
    assert (good.succeeded, good.completions) == (1, 1)
    assert good.labels["app"] == "arbitrage-tuning"
    logs = {log.pod_name: log.lines for log in snapshot.pods_logs}
    assert set(logs) == {oom.pods[0].pod_name, good.pods[0].pod_name}
    assert len(logs[oom.pods[0].pod_name]) == 3
    assert "틱 로드 🚀" in logs[oom.pods[0].pod_name][0]
    assert logs[oom.pods[0].pod_name][-1].endswith("Killed")
    assert all(pod.cpu_millicores is None for job in snapshot.jobs for pod in job.pods)
    assert "OOMKilled" in generate_monitor_report_text(snapshot)


def test_a_cluster_gives_pods_whose_template_has_no_labels(cluster: Cluster) -> None:
    manifest = job_manifest(cluster.job("bare"))
    del manifest["spec"]["template"]["metadata"]
    create(cluster, "bare", manifest)
    snapshot = snapshot_when(cluster, lambda jobs: jobs["bare"].phase == "SUCCEEDED" and bool(jobs["bare"].pods))
    assert len(snapshot.pods_logs) == 1


def test_only_the_selected_jobs_come(cluster: Cluster) -> None:
    create(cluster, "ours")
    other = job_manifest(cluster.job("other"))
    other["metadata"]["labels"] = {"app": "backup"}
    create(cluster, "other", other)
    snapshot = snapshot_when(cluster, lambda jobs: bool(jobs) and all(job.pods for job in jobs.values()))
    assert [job.job_name for job in snapshot.jobs] == [cluster.job("ours")]


def test_a_user_without_rights_gets_errors_not_an_empty_namespace(cluster: Cluster) -> None:
    snapshot = K8sJobMonitor(cluster.namespace, SELECTOR, str(cluster.nobody_kubeconfig)).load_snapshot()
    assert snapshot.jobs == []
    assert all(word in snapshot.errors[0] for word in ("may not list jobs", "resources [jobs]", "verbs [list]"))


def test_an_expired_token_is_an_error_that_says_so(cluster: Cluster, tmp_path: Path) -> None:
    import yaml

    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "expired-long-ago"}
    for entry in config["clusters"]:
        authority = entry["cluster"].get("certificate-authority")
        if authority:
            entry["cluster"]["certificate-authority"] = str(cluster.kubeconfig.parent / authority)
    path = tmp_path / "expired"
    path.write_text(yaml.safe_dump(config))
    snapshot = K8sJobMonitor(cluster.namespace, SELECTOR, str(path)).load_snapshot()
    assert "expired or wrong token" in snapshot.errors[0]
    assert "expired-long-ago" not in repr(snapshot)


def sandboxed(sandbox: Sandbox, **patience: float) -> K8sJobMonitor:
    """A monitor of the sandbox's own namespace, with one Job in it."""
    access = ClusterAccess(kubeconfig=str(sandbox.kubeconfig), **patience)
    return K8sJobMonitor("trading-bots", SELECTOR, access=access)


def kubectl_create(sandbox: Sandbox, name: str) -> None:
    cluster = Cluster("sandbox", sandbox.kubeconfig, "trading-bots", sandbox)
    with cluster.client() as http:
        answer = http.post("/apis/batch/v1/namespaces/trading-bots/jobs", json=job_manifest(name))
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "retry_after": 0.05, "times": 2},
        {"status": 500, "times": 2},
        {"status": 503, "times": 2},
        {"answer": "drop", "times": 1},
        {"answer": "torn", "times": 1},
    ],
    ids=["429", "500", "503", "drop", "torn"],
)
def test_a_fault_that_passes_leaves_the_snapshot_whole(fault: dict[str, Any], sandbox: Sandbox) -> None:
    kubectl_create(sandbox, "arb-tuning-a")
    sandbox.set_scenario(faults=[{"path": "/apis/batch/v1/*", **fault}])
    snapshot = sandboxed(sandbox).load_snapshot()
    assert snapshot.errors == []
    assert [job.job_name for job in snapshot.jobs] == ["arb-tuning-a"]


@pytest.mark.parametrize("fault", [{"answer": "hang"}, {"answer": "html"}, {"status": 500}, {"status": 429}], ids=str)
def test_a_fault_that_stays_is_an_error(fault: dict[str, Any], sandbox: Sandbox) -> None:
    sandbox.set_scenario(faults=[{"path": "/apis/batch/v1/*", "times": None, **fault}])
    snapshot = sandboxed(sandbox, read_seconds=0.3, retry_seconds=0.2).load_snapshot()
    assert snapshot.errors


def test_a_sandbox_that_measures_gives_usage(sandbox: Sandbox) -> None:
    sandbox.set_scenario([{"match": "*", "outcome": "hang", "cpu": "250m", "memory": "64Mi"}], metrics=True)
    kubectl_create(sandbox, "arb-tuning-a")
    monitor = sandboxed(sandbox)
    for _ in range(200):
        pods = [pod for job in monitor.load_snapshot().jobs for pod in job.pods if pod.phase == "Running"]
        if pods:
            break
    assert (pods[0].cpu_millicores, pods[0].memory_bytes) == (250, 64 * 2**20)
