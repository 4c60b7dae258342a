"""D31 for every face: what ran is left out, and what is in the cluster is kept and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.clusters import Cluster

from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.errors import InputError
from k8s_tuning.stages.generate.jobs import generate_jobs
from k8s_tuning.stages.generate.session import K8sOrchestratorConfig
from k8s_tuning.stages.sessions.session import SeenJob
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.usecases.apply_session import AppliedSession, apply_session, check_applied


@pytest.fixture
def jobs_dir(cluster: Cluster, tmp_path: Path) -> Path:
    config = K8sOrchestratorConfig(
        cluster.tag, cluster.namespace, "registry.example/x:1", "paper", "docker", 2, 2, "grid", "c.yaml"
    )
    generate_jobs(config, tmp_path / "jobs")
    return tmp_path / "jobs"


def apply(
    cluster: Cluster, jobs_dir: Path, sessions: SessionStore | None, *, real: bool = True, **how: bool
) -> AppliedSession:
    executor = K8sApplyExecutor(not real, str(cluster.kubeconfig))
    return apply_session(executor, jobs_dir, sessions, "d/r", **how)


def test_a_dry_run_leaves_nothing_behind(cluster: Cluster, jobs_dir: Path, tmp_path: Path) -> None:
    applied = apply(cluster, jobs_dir, SessionStore(tmp_path / "sessions"), real=False)
    assert (applied.result.dry_run, applied.sessions, applied.in_cluster, applied.created_jobs) == (True, [], [], 0)
    assert not (tmp_path / "sessions").exists()


def test_the_jobs_of_all_tries_of_a_run_are_counted(cluster: Cluster, jobs_dir: Path, tmp_path: Path) -> None:
    sessions = SessionStore(tmp_path / "sessions")
    for _ in range(2):
        applied = apply(cluster, jobs_dir, sessions)
        assert (len(applied.in_cluster), applied.created_jobs, applied.failed) == (2, 2, [])
    assert applied.result.successful_jobs == 0, "the second try found both"


def test_a_job_that_ran_and_is_gone_is_left_out_unless_it_shall_run_again(
    cluster: Cluster, jobs_dir: Path, tmp_path: Path
) -> None:
    sessions = SessionStore(tmp_path / "sessions")
    first, second = apply(cluster, jobs_dir, sessions).in_cluster
    sessions.seen(cluster.namespace, cluster.tag, {first: SeenJob("SUCCEEDED")}, "2099-01-01T00:00:00Z")
    cluster.kubectl("delete", "job", first, "-n", cluster.namespace)
    assert apply(cluster, jobs_dir, sessions).in_cluster == [second]
    assert apply(cluster, jobs_dir, sessions, again=True).in_cluster == [first, second]


def test_without_a_folder_nothing_is_kept(cluster: Cluster, jobs_dir: Path) -> None:
    applied = apply(cluster, jobs_dir, None)
    assert (len(applied.in_cluster), applied.created_jobs) == (2, 2)


def test_a_folder_without_a_manifest_is_said(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.yaml file in it"):
        apply(cluster, tmp_path / "empty", None)


def test_what_is_there_of_a_failed_apply_can_be_read_and_kept(cluster: Cluster, jobs_dir: Path, tmp_path: Path) -> None:
    sessions = SessionStore(tmp_path / "sessions")
    executor = K8sApplyExecutor(False, str(cluster.kubeconfig))
    applied = apply_session(executor, jobs_dir, sessions, "d/r")
    (snapshot,) = check_applied(executor, applied, sessions)
    assert [job.job_name for job in snapshot.jobs] == applied.in_cluster
    assert all(job.seen_at for session in sessions.list() for job in session.jobs)
