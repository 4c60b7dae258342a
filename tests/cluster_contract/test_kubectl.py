"""Plain kubectl, without a flag more than a user would type, on the sandbox and on a real control plane alike."""

import json
import subprocess
import threading

import pytest
import yaml
from tests.clusters import Cluster, job_manifest

pytestmark = pytest.mark.slow


def test_apply_get_describe_logs_and_delete(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "succeed", "seconds": 0.2}])
    name, text = cluster.job("a"), yaml.safe_dump(job_manifest(cluster.job("a")))
    assert "created" in cluster.kubectl("apply", "-f", "-", stdin=text).stdout
    assert "condition met" in cluster.kubectl("wait", "--for=condition=complete", f"job/{name}", "--timeout=30s").stdout
    assert "unchanged" in cluster.kubectl("apply", "-f", "-", stdin=text).stdout
    jobs = cluster.kubectl("get", "jobs").stdout.splitlines()
    status = cluster.since(31)
    assert jobs[0].split() == ["NAME", *(["STATUS"] if status else []), "COMPLETIONS", "DURATION", "AGE"]
    assert jobs[1].split()[:-2] == [name, *(["Complete"] if status else []), "1/1"]
    wide = cluster.kubectl("get", "pods", "-o", "wide", "-l", f"job-name={name}").stdout.splitlines()
    assert wide[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert wide[1].split()[1:4] == ["0/1", "Completed", "0"]
    assert "iteration 0: working" in cluster.kubectl("logs", f"job/{name}").stdout
    assert "Completed" in cluster.kubectl("events").stdout
    described = cluster.kubectl("describe", "job", name).stdout
    assert "0 Active" in described
    assert "1 Succeeded" in described
    assert "Job completed" in described
    assert "deleted" in cluster.kubectl("delete", "job", name).stdout
    assert cluster.kubectl("get", "jobs", "-o", "name").stdout == ""
    cluster.wait(lambda: cluster.kubectl("get", "pods", "-o", "name").stdout == "")


def test_create_and_server_side_apply_and_dry_runs(cluster: Cluster) -> None:
    text = yaml.safe_dump(job_manifest(cluster.job("a"), parallelism=0))
    assert "created (server dry run)" in cluster.kubectl("create", "-f", "-", "--dry-run=server", stdin=text).stdout
    assert "serverside-applied" in cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text).stdout
    refused = cluster.kubectl("create", "-f", "-", stdin=text, check=False)
    assert refused.returncode == 1
    assert "already exists" in refused.stderr
    other = text.replace("python:3.11", "python:3.12")
    changed = cluster.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=other, check=False)
    assert changed.returncode == 1
    assert "field is immutable" in changed.stderr


def test_jobs_and_namespaces_are_created_without_a_file(cluster: Cluster) -> None:
    name, text = cluster.job("a"), "거래 봇 🚀"
    cluster.kubectl("create", "job", name, "--image=python:3.11", "--", "python", "-c", text)
    command = cluster.kubectl("get", "job", name, "-o", "jsonpath={.spec.template.spec.containers[0].command}").stdout
    assert json.loads(command) == ["python", "-c", text]
    other = f"{cluster.namespace}-b"
    assert "created" in cluster.kubectl("create", "namespace", other).stdout
    assert "deleted" in cluster.kubectl("delete", "namespace", other, "--wait=false").stdout


def test_users_can_ask_what_they_may(cluster: Cluster) -> None:
    assert cluster.kubectl("auth", "can-i", "create", "jobs").stdout.strip() == "yes"
    nobody = cluster.kubectl("auth", "can-i", "list", "jobs", kubeconfig=cluster.nobody_kubeconfig, check=False)
    assert nobody.stdout.strip() == "no"


def test_fields_that_do_not_exist_are_refused_before_anything_is_stored(cluster: Cluster) -> None:
    manifest = job_manifest(cluster.job("a"), parallelism=0, backofLimit=1)
    refused = cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest), check=False)
    assert refused.returncode == 1
    assert "backofLimit" in refused.stderr
    assert cluster.kubectl("get", "jobs", "-o", "name").stdout == ""


def test_get_watches_in_rows(cluster: Cluster) -> None:
    """The first row is from the list that precedes a watch, so what changes after it can come from the watch alone."""
    cluster.scenario([{"match": cluster.job("*"), "outcome": "succeed", "seconds": 0.2}])
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(job_manifest(cluster.job("a"), parallelism=0)))
    command = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "-n", cluster.namespace, "get", "jobs", "-w"]
    with subprocess.Popen([*command, "--no-headers"], stdout=subprocess.PIPE, text=True) as watching:
        overdue = threading.Timer(30, watching.kill)
        overdue.start()
        try:
            assert watching.stdout is not None
            first = watching.stdout.readline()
            cluster.kubectl("patch", "job", cluster.job("a"), "-p", '{"spec": {"parallelism": 1}}')
            last = next((row for row in watching.stdout if "1/1" in row.split()), "no such row within 30 s")
        finally:
            overdue.cancel()
            watching.kill()
    # A Job that has not started has an age and no duration.
    wanted = {first: ("Running", "0/1"), last: ("Complete", "1/1")}
    for row, (status, completions) in wanted.items():
        columns = [cluster.job("a"), *([status] if cluster.since(31) else []), completions]
        assert row.split()[: len(columns)] == columns


def test_objects_come_as_json_and_by_a_path_in_them(cluster: Cluster) -> None:
    text = yaml.safe_dump(job_manifest(cluster.job("a"), parallelism=0))
    cluster.kubectl("apply", "-f", "-", stdin=text)
    found = json.loads(cluster.kubectl("get", "jobs", "-o", "json", "-l", "app=arbitrage-tuning").stdout)
    assert [job["metadata"]["name"] for job in found["items"]] == [cluster.job("a")]
    assert cluster.kubectl("get", "job", cluster.job("a"), "-o", "jsonpath={.spec.backoffLimit}").stdout == "0"


def test_a_user_without_rights_is_refused(cluster: Cluster) -> None:
    refused = cluster.kubectl("get", "jobs", kubeconfig=cluster.nobody_kubeconfig, check=False)
    assert refused.returncode == 1
    assert "(Forbidden)" in refused.stderr
