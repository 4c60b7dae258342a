"""The wait of trigger and runner: what an earlier one saw, and a shared folder that fails meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.clusters import Cluster

from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.stages.monitor.wait import WaitProgress
from k8s_tuning.stages.sessions.session import SeenJob, SessionJob, TuningSession
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.usecases.wait_for_jobs import wait_for_jobs

AT = "2025-11-16T10:00:00Z"


def sessions_with(cluster: Cluster, folder: Path, **seen: str) -> SessionStore:
    store = SessionStore(folder)
    jobs = [SessionJob(name) for name in seen]
    store.applied(TuningSession(cluster.namespace, "s", None, AT, jobs=jobs))
    store.seen(cluster.namespace, "s", {name: SeenJob(phase) for name, phase in seen.items()}, AT)
    return store


def wait(cluster: Cluster, store: SessionStore, warnings: list[str]) -> WaitProgress:
    access = ClusterAccess(kubeconfig=str(cluster.kubeconfig))
    waiting = wait_for_jobs(
        access, cluster.namespace, "session_id=s", ["a", "b"], 20, sessions=store, session_ids=["s"],
        warn=warnings.append,
    )  # fmt: skip
    return asyncio.run(waiting)


def test_jobs_that_an_earlier_wait_saw_end_have_ended_as_they_were_seen(cluster: Cluster, tmp_path: Path) -> None:
    warnings: list[str] = []
    progress = wait(cluster, sessions_with(cluster, tmp_path, a="SUCCEEDED", b="RUNNING"), warnings)
    assert progress.as_dict() == {"succeeded": ["a"], "failed": [], "waiting": []}
    assert warnings == []


def test_a_folder_that_fails_ends_no_wait(cluster: Cluster, tmp_path: Path) -> None:
    store = sessions_with(cluster, tmp_path, a="SUCCEEDED", b="RUNNING")
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").mkdir()
    warnings: list[str] = []
    assert wait(cluster, store, warnings).as_dict()["succeeded"] == ["a"]
    assert any("the session's progress is not on the health page" in warning for warning in warnings)
