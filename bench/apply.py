"""Applying 300 Jobs: our executor against `kubectl apply -f DIR`, in turns on the same cluster.

Each in a namespace of its own, which is deleted at the end. Ours includes validating every manifest offline.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.stages.generate.jobs import generate_jobs
from k8s_tuning.stages.generate.session import K8sOrchestratorConfig

JOBS = 300
ROUNDS = 3
LIMIT = 1.0


def run(kubeconfig: str) -> list[dict[str, Any]]:
    """One row: the median seconds of our applies and of kubectl's, their ratio, and the limit it must keep."""
    stamp = f"{int(time.time()):x}"
    kubectl = [_kubectl(), f"--kubeconfig={kubeconfig}"]
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            theirs.append(_in_namespace(kubectl, f"bench-kubectl-{stamp}-{number}", Path(folder), _kubectl_seconds))
            ours.append(_in_namespace(kubectl, f"bench-ours-{stamp}-{number}", Path(folder), _our_seconds))
    our_median, their_median = statistics.median(ours), statistics.median(theirs)
    return [
        {
            "name": f"apply {JOBS} Jobs vs kubectl apply -f DIR",
            "ours_s": our_median,
            "peer_s": their_median,
            "ratio": our_median / their_median,
            "limit": LIMIT,
        }
    ]


def _in_namespace(
    kubectl: list[str], namespace: str, folder: Path, measure: Callable[[list[str], Path], float]
) -> float:
    """Seconds of one apply; its Jobs are over before the next begins, so that neither pays for the other's pods."""
    jobs = folder / namespace
    generate_jobs(_session(namespace), jobs)
    subprocess.run([*kubectl, "create", "namespace", namespace], check=True, capture_output=True)
    try:
        seconds = measure(kubectl, jobs)
        over = ["wait", "--for=condition=complete", "job", "--all", f"--namespace={namespace}", "--timeout=180s"]
        subprocess.run([*kubectl, *over], check=True, capture_output=True)
    finally:
        subprocess.run([*kubectl, "delete", "namespace", namespace, "--wait=true"], check=False, capture_output=True)
    return seconds


def _our_seconds(kubectl: list[str], jobs: Path) -> float:
    kubeconfig = kubectl[1].removeprefix("--kubeconfig=")
    start = time.perf_counter()
    executor = K8sApplyExecutor(dry_run=False, kubeconfig=kubeconfig)
    result = executor.execute_plan(executor.build_plan(jobs))
    seconds = time.perf_counter() - start
    if result.successful_jobs != JOBS:
        raise RuntimeError(f"{result.failed_jobs} of {JOBS} Jobs failed: {result.job_results[0].stderr}")
    return seconds


def _kubectl_seconds(kubectl: list[str], jobs: Path) -> float:
    start = time.perf_counter()
    subprocess.run([*kubectl, "apply", "-f", str(jobs)], check=True, capture_output=True)
    return time.perf_counter() - start


def _kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        raise RuntimeError("kubectl is not on the PATH; the benchmark compares with it")
    return found


def _session(namespace: str) -> K8sOrchestratorConfig:
    return K8sOrchestratorConfig(
        session_id=namespace,
        k8s_namespace=namespace,
        image="registry.example/arbitrage-lite:1.0.0",
        mode="paper",
        env="docker",
        total_iterations=JOBS,
        workers=JOBS,
        optimizer="grid",
        resources={"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "10m", "memory": "10Mi"}},
    )
