"""D32's report, as a person reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8s_tuning import plain_values
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.monitor.snapshot import (
    K8sContainerStatus,
    K8sJobStatus,
    K8sMonitorSnapshot,
    K8sPodCondition,
    K8sPodLog,
    K8sPodStatus,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "monitor-report.txt"


def job(name: str, phase: str, pods: list[K8sPodStatus] | None = None, **more: object) -> K8sJobStatus:
    counts = {"completions": 1, "succeeded": 0, "failed": 0, "active": 0, "start_time": "2025-11-16T09:58:00Z", **more}
    return K8sJobStatus(job_name=name, namespace="trading-bots", labels={}, phase=phase, pods=pods or [], **counts)  # type: ignore[arg-type]


def snapshot() -> K8sMonitorSnapshot:
    oom = K8sContainerStatus("tuner", terminated_reason="OOMKilled", exit_code=137)
    pull = K8sContainerStatus("tuner", waiting_reason="ImagePullBackOff", waiting_message='Back-off pulling image "x"')
    crashed = K8sContainerStatus("tuner", restart_count=2, exit_code=3, terminated_reason="Error")
    pod = K8sPodStatus
    return K8sMonitorSnapshot(
        namespace="trading-bots",
        selector="app=arbitrage-tuning",
        jobs=[
            job(
                "arb-tuning-a-worker-1-0",
                "SUCCEEDED",
                [pod("arb-tuning-a-worker-1-0-aa", "trading-bots", "Succeeded")],
                succeeded=1,
                completion_time="2025-11-16T09:59:00Z",
            ),
            job(
                "arb-tuning-a-worker-2-1",
                "FAILED",
                [pod("arb-tuning-a-worker-2-1-bb", "trading-bots", "Failed", containers=[oom])],
                failed=1,
                condition_reason="BackoffLimitExceeded",
                condition_message="Job has reached the specified backoff limit",
            ),
            job(
                "arb-tuning-a-worker-3-2",
                "RUNNING",
                [pod("arb-tuning-a-worker-3-2-cc", "trading-bots", "Pending", containers=[pull])],
                active=1,
            ),
            job(
                "arb-tuning-a-worker-4-3",
                "RUNNING",
                [
                    pod(
                        "arb-tuning-a-worker-4-3-dd",
                        "trading-bots",
                        "Running",
                        containers=[crashed],
                        cpu_millicores=250,
                        memory_bytes=64 * 2**20,
                    )
                ],
                active=1,
            ),
            job("arb-tuning-a-worker-5-4", "PENDING", start_time=None, completions=None),
        ],
        pods_logs=[
            K8sPodLog("arb-tuning-a-worker-1-0-aa", "trading-bots", "tuner", ["하나", "finished 🚀"]),
            K8sPodLog("arb-tuning-a-worker-2-1-bb", "trading-bots", "tuner", [f"line {i}" for i in range(9)]),
            K8sPodLog("arb-tuning-a-worker-4-3-dd", "trading-bots", "tuner", ["again"]),
            K8sPodLog(
                "arb-tuning-a-worker-4-3-dd", "trading-bots", "tuner", ["\x1b[31mdied\x1b[0m\x07"], previous=True
            ),
        ],
        timestamp="2025-11-16T10:00:00Z",
        errors=["log of pod x, container y, not read: 127.0.0.1:6443 answered 500"],
    )


def test_the_report_is_the_golden_one() -> None:
    assert generate_monitor_report_text(snapshot()) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (job("j", "PENDING", suspended=True), "suspended"),
        (
            job("j", "RUNNING", deleted_at="2025-11-16T09:00:00Z", finalizers=["foregroundDeletion"]),
            "deleting since 2025-11-16T09:00:00Z, held by foregroundDeletion",
        ),
        (
            job("j", "RUNNING", [K8sPodStatus("p", "n", "Pending", scheduling_gates=["kueue.x-k8s.io/admission"])]),
            "pod p: Pending; held by kueue.x-k8s.io/admission",
        ),
        (
            job(
                "j",
                "RUNNING",
                [
                    K8sPodStatus(
                        "p",
                        "n",
                        "Running",
                        conditions=[K8sPodCondition("DisruptionTarget", "True", "DeletionByTaintManager", "taint")],
                        deleted_at="2025-11-16T09:59:00Z",
                    )
                ],
            ),
            "pod p: Running; disrupted: DeletionByTaintManager: taint; to be gone by 2025-11-16T09:59:00Z",
        ),
    ],
    ids=["suspended", "deleting", "gated", "disrupted"],
)
def test_what_holds_or_ends_a_job_is_shown(one: K8sJobStatus, line: str) -> None:
    text = generate_monitor_report_text(K8sMonitorSnapshot("n", "", [one], [], "2025-11-16T10:00:00Z"))
    assert f"           {line}\n" in text


def test_an_empty_selection_and_an_unread_one_read_differently() -> None:
    """An API server that is down must never look like a namespace without Jobs."""
    empty = K8sMonitorSnapshot("n", "", [], [], "2025-11-16T10:00:00Z")
    unread = K8sMonitorSnapshot("n", "", [], [], "2025-11-16T10:00:00Z", ["Jobs not read: refused"])
    assert "No Job matches the selector" in generate_monitor_report_text(empty)
    assert "NOT whole" in generate_monitor_report_text(unread)
    assert "No Job matches" not in generate_monitor_report_text(unread)


@pytest.mark.parametrize("phase", ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN", "NEW_ONE"])
def test_every_phase_has_its_line(phase: str) -> None:
    text = generate_monitor_report_text(K8sMonitorSnapshot("n", "", [job("j", phase)], [], "2025-11-16T10:00:00Z"))
    assert f"1 {phase}" in text


def test_a_snapshot_survives_as_plain_values() -> None:
    assert plain_values.load(K8sMonitorSnapshot, plain_values.dump(snapshot())) == snapshot()
