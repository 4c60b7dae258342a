"""Applying as a task: what was really applied is kept as a session."""

from types import SimpleNamespace

import pytest
import yaml
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from tests.clusters import job_manifest
from tests.operators.test_stage import CONTEXT

from k8s_tuning.cluster.writer import ClusterWriter
from k8s_tuning.errors import StoreError, Throttled
from k8s_tuning.operators.apply import ApplyJobsOperator
from k8s_tuning.stages.sessions.session import SeenJob
from k8s_tuning.stages.sessions.store import SessionStore


@pytest.fixture
def jobs(cluster, tmp_path, monkeypatch):
    """Two manifests of one session, in the test's namespace."""
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
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
        cluster={"kubeconfig": str(cluster.kubeconfig)},
    )
    operator.execute({**CONTEXT, "ti": SimpleNamespace(xcom_push=lambda key, value: None)})
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


def test_a_session_whose_jobs_the_cluster_has_removed_since_is_not_run_again(cluster, jobs):
    """Clearing apply_jobs after the TTL: what was seen to end is left out, what somebody deleted is made again."""
    apply(cluster, jobs, enabled=True)
    store = SessionStore(jobs.parent / "sessions")
    store.seen(cluster.namespace, cluster.tag, {cluster.job("a"): SeenJob("FAILED")}, "2099-01-01T00:00:00Z")
    for name in ("a", "b"):
        remove(cluster, cluster.job(name))
    done = run_apply(cluster, jobs)
    assert (done["successful_jobs"], done["job_names"]) == (1, [cluster.job("b")])
    done = run_apply(cluster, jobs, apply_again=True)
    assert (done["successful_jobs"], done["job_names"]) == (1, [cluster.job("a"), cluster.job("b")])


def test_applied_jobs_counts_what_the_run_created_over_all_its_tries(cluster, jobs):
    (jobs / "job-01.yaml").rename(jobs.parent / "later.yaml")
    assert run_apply(cluster, jobs)["applied_jobs"] == 1
    (jobs.parent / "later.yaml").rename(jobs / "job-01.yaml")
    done = run_apply(cluster, jobs)
    assert (done["successful_jobs"], done["unchanged_jobs"], done["applied_jobs"]) == (1, 1, 2)


def test_one_jobs_passing_fault_is_retried_and_the_other_is_watched_meanwhile(cluster, jobs, monkeypatch):
    write_one = ClusterWriter.apply

    async def busy(self, job, **more):
        if job["metadata"]["name"] == cluster.job("b"):
            raise Throttled("the server asks to slow down", 429)
        return await write_one(self, job, **more)

    pushed = {}
    with monkeypatch.context() as patched:
        patched.setattr(ClusterWriter, "apply", busy)
        with pytest.raises(AirflowException, match="1 of 2 Jobs were not applied; first: the server asks") as failed:
            run_apply(cluster, jobs, pushed=pushed)
    assert not isinstance(failed.value, AirflowFailException)
    assert pushed["return_value"]["not_applied"] == [cluster.job("b")]
    assert (pushed["return_value"]["applied_jobs"], pushed["return_value"]["job_names"]) == (1, [cluster.job("a")])
    (seen,) = SessionStore(jobs.parent / "sessions").read(cluster.namespace, cluster.tag).jobs
    assert (seen.name, seen.phase != "UNSEEN") == (cluster.job("a"), True)
    assert run_apply(cluster, jobs)["applied_jobs"] == 2


def test_a_later_try_that_cannot_even_begin_leaves_word_of_what_earlier_ones_applied(cluster, jobs, tmp_path):
    run_apply(cluster, jobs)
    (tmp_path / "apply.yaml").write_text("allowed_namespaces: [elsewhere]\n")
    pushed = {}
    with pytest.raises(AirflowFailException, match="not on the allow-list"):
        run_apply(cluster, jobs, pushed=pushed, policy_file=str(tmp_path / "apply.yaml"))
    assert sorted(pushed["return_value"]["job_names"]) == [cluster.job("a"), cluster.job("b")]


def test_what_was_created_is_in_the_log_also_where_the_folder_cannot_keep_it(cluster, jobs, monkeypatch):
    def full(self, session):
        raise StoreError("sessions: No space left on device")

    said = []
    monkeypatch.setattr(SessionStore, "applied", full)
    monkeypatch.setattr(ApplyJobsOperator, "report", lambda self, text: said.append(text))
    with pytest.raises(AirflowException, match="No space left"):
        run_apply(cluster, jobs)
    assert cluster.job("a") in said[0]


def run_apply(cluster, jobs, pushed=None, **more):
    operator = ApplyJobsOperator(
        task_id="apply_jobs", jobs_dir=str(jobs), apply_enabled=True,
        cluster={"kubeconfig": str(cluster.kubeconfig)}, **more,
    )  # fmt: skip
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed is not None and pushed.update({key: value}))
    return operator.execute({**CONTEXT, "ti": ti})


def remove(cluster, name):
    path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs/{name}"
    with cluster.client() as http:
        http.delete(path, params={"propagationPolicy": "Background"}).raise_for_status()
        cluster.wait(lambda: http.get(path).status_code == 404)
