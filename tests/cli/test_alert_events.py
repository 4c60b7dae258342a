"""What an alert tells of a namespace full of healthy Jobs, one of which is not: recorded, then reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import Answer, Request, page, serving

from k8s_tuning.cli import main

START = "2025-11-16T10:00:00Z"
UNAUTHORIZED = 'Failed to pull image "reg/x:2": unauthorized'


def job(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "trading-bots", "uid": f"uid-{name}", "creationTimestamp": START}
    spec = {"completions": 1, "parallelism": 1, "backoffLimit": 0}
    return {"metadata": metadata, "spec": spec, "status": {"startTime": START, "active": 1}}


def pod(of: str, waits: bool) -> dict[str, Any]:
    state = {"waiting": {"reason": "ImagePullBackOff"}} if waits else {"running": {"startedAt": START}}
    owner = {"kind": "Job", "uid": f"uid-{of}"}
    return {
        "metadata": {
            "name": f"{of}-abcde", "uid": f"uid-{of}-abcde", "creationTimestamp": START, "ownerReferences": [owner],
        },
        "spec": {"nodeName": "n", "containers": [{"name": "c"}]},
        "status": {"phase": "Pending" if waits else "Running", "containerStatuses": [{"name": "c", "state": state}]},
    }  # fmt: skip


def event(of: str, level: str, reason: str, message: str, minute: int) -> dict[str, Any]:
    seen = f"2025-11-16T10:{minute:02}:00Z"
    return {
        "metadata": {"name": f"{of}.{reason}", "namespace": "trading-bots"},
        "involvedObject": {"kind": "Pod", "name": f"{of}-abcde", "uid": f"uid-{of}-abcde"},
        "type": level,
        "reason": reason,
        "message": message,
        "firstTimestamp": seen,
        "lastTimestamp": seen,
    }


NAMES = [f"arb-tuning-s-worker-{number}-{number - 1}" for number in range(1, 13)]
BAD = NAMES[6]
LISTS = {
    "jobs": page("Job", [job(name) for name in NAMES]),
    "pods": page("Pod", [pod(name, name == BAD) for name in NAMES]),
    "events": page(
        "Event",
        [event(BAD, "Warning", "Failed", UNAUTHORIZED, 1)]
        + [event(name, "Normal", reason, reason, 50) for name in NAMES for reason in ("Pulled", "Created", "Started")
           if name != BAD]
        + [event(name, "Warning", "Unhealthy", "a probe failed once", 55) for name in NAMES if name != BAD],
    ),
}  # fmt: skip


def answer(request: Request) -> Answer:
    return LISTS.get(request.path.rpartition("/")[2], Answer(b"404 page not found", 404))


@pytest.mark.slow
@pytest.mark.parametrize("ledger", [False, True], ids=["once", "by the ledger"])
def test_the_alert_names_the_failing_job_and_its_cause(
    ledger: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "history.jsonl"
    with serving() as api:
        api.answer = answer
        cluster = ["--kubeconfig", api.kubeconfig(tmp_path), "--history-file", str(history)]
        assert main(["record", *cluster]) == 2
        capsys.readouterr()
        more = ["--ledger-file", str(tmp_path / "ledger.jsonl")] if ledger else []
        assert main(["alert", *cluster, "--events-limit", "3", *more]) == 0
    said = capsys.readouterr().out
    assert f"[Warning] Failed: {UNAUTHORIZED} ({BAD}-abcde)" in said
    assert f"- {BAD}: container c cannot pull its image: ImagePullBackOff: {UNAUTHORIZED}" in said
    assert "Pulled" not in said
    assert "Unhealthy" not in said
