"""D31 on a Kubernetes API: the sandbox and, with `make test-cluster`, a real one."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.writer import ClusterWriter
from k8s_tuning.errors import Conflict
from k8s_tuning.stages.apply.plan import ApplyStatus, with_hash
from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator, generate_jobs, job_manifest
from k8s_tuning.stages.generate.session import load_session

SESSION = load_session(Path(__file__).parents[2] / "include/configs/d29-k8s-demo-session.yaml")


def session(cluster, **changes):
    return replace(SESSION, k8s_namespace=cluster.namespace, session_id="apply-test", **changes)


def execute(cluster, folder, dry_run=False, kubeconfig=None):
    executor = K8sApplyExecutor(dry_run, str(kubeconfig or cluster.kubeconfig))
    return executor.execute_plan(executor.build_plan(folder))


def live_jobs(cluster):
    items = json.loads(cluster.kubectl("get", "jobs", "-o", "json").stdout)["items"]
    return {item["metadata"]["name"]: item for item in items}


def test_a_dry_run_asks_the_server_and_changes_nothing(cluster, tmp_path):
    generate_jobs(session(cluster), tmp_path)
    result = execute(cluster, tmp_path, dry_run=True)
    assert [item.status for item in result.job_results] == [ApplyStatus.SKIPPED] * 2
    assert all("(server dry run)" in item.stdout for item in result.job_results)
    assert result.server is not None
    assert live_jobs(cluster) == {}


def test_a_dry_run_shows_what_the_server_would_refuse(cluster, tmp_path):
    """The namespace is not there: no offline check can know that."""
    generate_jobs(replace(session(cluster), k8s_namespace=f"{cluster.namespace}-gone"), tmp_path)
    result = execute(cluster, tmp_path, dry_run=True)
    assert [item.return_code for item in result.job_results] == [1, 1]
    assert f'namespaces "{cluster.namespace}-gone" not found' in result.job_results[0].stderr


def test_an_apply_creates_the_jobs_as_they_were_written(cluster, tmp_path):
    awkward = "한국어 🚀 \x85 \u2028 two\nlines \ufeff"
    generate_jobs(session(cluster, extra_env={"NOTE": awkward, "NUMBER": "1e3"}), tmp_path, run_id="manual__1")
    result = execute(cluster, tmp_path)
    assert (result.successful_jobs, result.failed_jobs, result.skipped_jobs) == (2, 0, 0)
    live = live_jobs(cluster)
    assert sorted(live) == ["arb-tuning-apply-test-worker-1-0", "arb-tuning-apply-test-worker-2-1"]
    job = live["arb-tuning-apply-test-worker-1-0"]
    env = {item["name"]: item["value"] for item in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert (env["NOTE"], env["NUMBER"]) == (awkward, "1e3")
    assert job["metadata"]["annotations"]["k8s-tuning.io/run-id"] == "manual__1"
    managers = json.loads(cluster.kubectl("get", "jobs", "-o", "json", "--show-managed-fields").stdout)["items"][0]
    assert ("k8s-tuning", "Apply") in {
        (item["manager"], item["operation"]) for item in managers["metadata"]["managedFields"]
    }


def test_applying_again_leaves_the_jobs_alone_though_the_run_is_another(cluster, tmp_path):
    generate_jobs(session(cluster), tmp_path, run_id="first")
    execute(cluster, tmp_path)
    before = {name: job["metadata"]["uid"] for name, job in live_jobs(cluster).items()}
    generate_jobs(session(cluster), tmp_path, run_id="second", created_at="2025-01-01T00:00:00Z")
    result = execute(cluster, tmp_path)
    assert (result.unchanged_jobs, result.skipped_jobs, result.successful_jobs) == (2, 2, 0)
    assert "unchanged (same spec" in result.job_results[0].stdout
    after = live_jobs(cluster)
    assert {name: job["metadata"]["uid"] for name, job in after.items()} == before
    assert all(job["metadata"]["annotations"]["k8s-tuning.io/run-id"] == "first" for job in after.values())


@pytest.mark.slow
def test_an_interrupted_apply_can_be_run_again_and_does_the_rest(cluster, tmp_path):
    generate_jobs(session(cluster, workers=14, total_iterations=14), tmp_path)
    executor = K8sApplyExecutor(False, str(cluster.kubeconfig))
    plan = executor.build_plan(tmp_path)
    executor.execute_plan(replace(plan, jobs=plan.jobs[:5]))
    result = executor.execute_plan(plan)
    assert (result.unchanged_jobs, result.successful_jobs, result.failed_jobs) == (5, 9, 0)
    assert len(live_jobs(cluster)) == 14


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "apply"])
def test_a_job_of_another_spec_is_refused_and_never_deleted(cluster, tmp_path, dry_run):
    generate_jobs(session(cluster), tmp_path)
    execute(cluster, tmp_path)
    before = {name: job["metadata"]["uid"] for name, job in live_jobs(cluster).items()}
    generate_jobs(session(cluster, image="registry.example/other:2"), tmp_path)
    result = execute(cluster, tmp_path, dry_run)
    assert [item.return_code for item in result.job_results] == [1, 1]
    assert "use another session id" in result.job_results[0].stderr
    after = live_jobs(cluster)
    assert {name: job["metadata"]["uid"] for name, job in after.items()} == before
    assert all("other:2" not in str(job["spec"]) for job in after.values())


def test_a_job_of_the_same_name_that_somebody_made_by_hand_is_refused(cluster, tmp_path):
    result = generate_jobs(session(cluster, workers=1), tmp_path)
    path = tmp_path / result.files[0]
    manifest = job_manifest(build_k8s_jobs_from_orchestrator(session(cluster, workers=1))[0])
    del manifest["metadata"]["annotations"]["k8s-tuning.io/spec-hash"]
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
    refused = execute(cluster, tmp_path).job_results[0]
    assert refused.yaml_path == str(path)
    assert "was not made by k8s-tuning" in refused.stderr


def test_another_managers_field_is_a_conflict_and_never_forced(cluster):
    """Only a race can lead there: somebody else's Job appears between the plan and the apply."""
    job = with_hash(job_manifest(build_k8s_jobs_from_orchestrator(session(cluster, workers=1))[0]))
    job["spec"]["backoffLimit"] = 5

    async def apply():
        async with Connection(ClusterAccess(kubeconfig=str(cluster.kubeconfig)), writable=True) as connection:
            await ClusterWriter(connection).apply(job, dry_run=False)

    theirs = json.dumps({**job, "spec": {**job["spec"], "backoffLimit": 1}})
    cluster.kubectl("apply", "--server-side", "--field-manager=somebody-else", "-f", "-", stdin=theirs)
    with pytest.raises(Conflict, match="somebody-else"):
        run(apply())
    assert live_jobs(cluster)[job["metadata"]["name"]]["spec"]["backoffLimit"] == 1


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "apply"])
def test_an_account_without_rights_learns_what_it_lacks(cluster, tmp_path, dry_run):
    generate_jobs(session(cluster), tmp_path)
    result = execute(cluster, tmp_path, dry_run, kubeconfig=cluster.nobody_kubeconfig)
    assert [item.return_code for item in result.job_results] == [1, 1]
    assert "may not" in result.job_results[0].stderr
    assert cluster.namespace in result.job_results[0].stderr


def test_the_printed_command_does_the_same(cluster, tmp_path):
    """What kubectl applied by that command, we find unchanged."""
    generate_jobs(session(cluster, workers=1), tmp_path)
    executor = K8sApplyExecutor(False, str(cluster.kubeconfig))
    plan = executor.build_plan(tmp_path)
    subprocess.run(plan.jobs[0].kubectl_command, check=True, capture_output=True)
    assert executor.execute_plan(plan).unchanged_jobs == 1
