"""Applying as a task: what was really applied is kept as a session."""

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException
from tests.clusters import job_manifest
from tests.operators.test_stage import CONTEXT

from k8s_tuning.operators.apply import ApplyJobsOperator
from k8s_tuning.stages.sessions import SessionStore


@pytest.fixture
def jobs(cluster, tmp_path):
    """Two manifests of one session, in the test's namespace."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    for number, name in enumerate(("a", "b")):
        write(folder / f"job-{number:02d}.yaml", cluster, name)
    return folder


def write(path, cluster, name, image="python:3.11"):
    manifest = job_manifest(cluster.job(name))
    manifest["metadata"] |= {"namespace": cluster.namespace, "annotations": {"k8s-tuning.io/parameters": '{"폭": 0.1}'}}
    labels = {"session_id": cluster.tag, "worker_id": name, "env": "docker"}
    manifest["metadata"]["labels"] |= labels | {"component": "tuning", "mode": "paper"}
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": image, "args": ["--x"], "command": ["python"]}
    path.write_text(yaml.safe_dump(manifest, allow_unicode=True))


def apply(cluster, jobs, enabled):
    operator = ApplyJobsOperator(
        task_id="apply_jobs",
        jobs_dir=str(jobs),
        apply_enabled=enabled,
        kubeconfig=str(cluster.kubeconfig),
        sessions_dir=str(jobs.parent / "sessions"),
    )
    operator.execute(CONTEXT)
    return operator


def test_a_dry_run_keeps_no_session(cluster, jobs):
    operator = apply(cluster, jobs, enabled=False)
    assert operator.health_page is None
    assert not (jobs.parent / "sessions").exists()


def test_what_was_applied_is_a_session_and_applying_again_changes_nothing_of_it(cluster, jobs):
    operator = apply(cluster, jobs, enabled=True)
    assert operator.health_page.endswith(f"/session?namespace={cluster.namespace}&session_id={cluster.tag}")
    store = SessionStore(jobs.parent / "sessions")
    first = store.read(cluster.namespace, cluster.tag)
    assert (first.run_id, [job.name for job in first.jobs]) == ("d/r", [cluster.job("a"), cluster.job("b")])
    assert (first.jobs[0].image, first.jobs[0].args, first.jobs[0].worker_id) == ("python:3.11", ["--x"], "a")
    assert first.jobs[0].parameters == {"폭": 0.1}
    apply(cluster, jobs, enabled=True)
    assert store.read(cluster.namespace, cluster.tag).jobs == first.jobs


def test_of_an_apply_that_fails_in_part_the_jobs_that_are_there_are_kept(cluster, jobs):
    apply(cluster, jobs, enabled=True)
    write(jobs / "job-01.yaml", cluster, "b", image="python:3.12")
    write(jobs / "job-02.yaml", cluster, "c")
    with pytest.raises(AirflowFailException, match="1 of 3 Jobs were not applied"):
        apply(cluster, jobs, enabled=True)
    session = SessionStore(jobs.parent / "sessions").read(cluster.namespace, cluster.tag)
    assert {job.name: job.image for job in session.jobs} == dict.fromkeys(map(cluster.job, "abc"), "python:3.11")
