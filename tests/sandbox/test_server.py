"""The running sandbox: its files, its users, its faults on command, and the restarts that a client must survive."""

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml
from tests.clusters import Cluster, job_manifest

from k8s_tuning.errors import InputError
from k8s_tuning_sandbox import Sandbox

JOBS = "/apis/batch/v1/namespaces/trading-bots/jobs"


@pytest.fixture
def own(sandbox: Sandbox) -> Cluster:
    """The test's own sandbox, with clients for it."""
    return Cluster("sandbox", sandbox.kubeconfig, "trading-bots", sandbox)


def test_three_users_may_do_all_read_all_or_nothing(own: Cluster, sandbox: Sandbox) -> None:
    manifest = job_manifest("j", parallelism=0)
    found = {}
    for path in (sandbox.kubeconfig_nobody, sandbox.kubeconfig_readonly, sandbox.kubeconfig):
        with own.client(path) as http:
            found[path.name] = http.get(JOBS).status_code, http.post(JOBS, json=manifest).status_code
    assert found == {
        "kubeconfig": (200, 201),
        "kubeconfig-readonly": (200, 403),
        "kubeconfig-nobody": (403, 403),
    }


def test_kubeconfigs_are_private_and_the_directory_goes_with_the_sandbox() -> None:
    with Sandbox() as sandbox:
        for path in (sandbox.kubeconfig, sandbox.kubeconfig_readonly, sandbox.kubeconfig_nobody):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((sandbox.directory / "tls.key").stat().st_mode) == 0o600
        token = yaml.safe_load(sandbox.kubeconfig.read_text())["users"][0]["user"]["token"]
        assert token not in repr(sandbox) + repr(vars(sandbox))
        assert sandbox.url in sandbox.kubeconfig.read_text()
    assert not sandbox.directory.exists()


def test_a_port_that_is_taken_is_an_input_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="choose another, or 0 for any"), Sandbox(port=taken.getsockname()[1]):
            pass


def test_a_scenario_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such scenario file"):
        Sandbox(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("status", [401, 403, 404, 409, 410, 429, 500, 503])
def test_a_fault_answers_with_its_status_as_often_as_it_says(own: Cluster, sandbox: Sandbox, status: int) -> None:
    sandbox.set_scenario(faults=[{"path": "*/jobs", "times": 2, "status": status, "retry_after": 3}])
    with own.client() as http:
        answers = [http.get(JOBS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert answers[0].headers["Retry-After"] == "3"
        assert answers[0].json()["code"] == status


def test_a_fault_may_be_a_web_page(own: Cluster, sandbox: Sandbox) -> None:
    sandbox.set_scenario(faults=[{"answer": "html"}])
    with own.client() as http:
        answer = http.get(JOBS)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("answer", "error"),
    [("drop", httpx.TransportError), ("torn", httpx.RemoteProtocolError), ("hang", httpx.ReadTimeout)],
)
def test_a_fault_may_break_the_connection(own: Cluster, sandbox: Sandbox, answer: str, error: type[Exception]) -> None:
    sandbox.set_scenario(faults=[{"answer": answer}])
    with own.client() as http:
        with pytest.raises(error):
            http.get(JOBS, timeout=0.3)
        assert http.get(JOBS).status_code == 200


def test_old_tokens_and_watches_expire_on_command(own: Cluster, sandbox: Sandbox) -> None:
    with own.client() as http:
        for name in ("a", "b"):
            http.post(JOBS, json=job_manifest(name, parallelism=0))
        first = http.get(JOBS, params={"limit": "1"}).json()["metadata"]
        sandbox.compact()
        late = http.get(JOBS, params={"limit": "1", "continue": first["continue"]})
        assert (late.status_code, late.json()["reason"]) == (410, "Expired")
        rest = http.get(JOBS, params={"continue": late.json()["metadata"]["continue"]}).json()
        assert [job["metadata"]["name"] for job in rest["items"]] == ["b"]
        watch = http.get(JOBS, params={"watch": "1", "resourceVersion": "2"})
        change = json.loads(watch.text)
        assert (watch.status_code, change["type"], change["object"]["code"]) == (200, "ERROR", 410)


def test_a_restarted_server_cuts_connections_and_keeps_its_state(own: Cluster, sandbox: Sandbox) -> None:
    with own.client() as http:
        http.post(JOBS, json=job_manifest("a", parallelism=0))
        with http.stream("GET", JOBS, params={"watch": "1"}) as watch:
            lines = watch.iter_lines()
            assert '"ADDED"' in next(lines)
            sandbox.pause()
            with pytest.raises((httpx.TransportError, StopIteration)):
                next(lines)
        with pytest.raises(httpx.ConnectError):
            http.get(JOBS)
        sandbox.resume()
        assert http.get(f"{JOBS}/a").status_code == 200


def test_metrics_are_there_when_the_scenario_says_so(own: Cluster, sandbox: Sandbox) -> None:
    metrics = "/apis/metrics.k8s.io/v1beta1/namespaces/trading-bots/pods"
    rules = [{"match": "big*", "outcome": "hang", "cpu": "750m", "memory": "900Mi"}, {"outcome": "hang"}]
    with own.client() as http:
        assert http.get(metrics).status_code == 404
        sandbox.set_scenario(rules, metrics=True)
        for name in ("big", "small"):
            http.post(JOBS, json=job_manifest(name))
        items = own.wait(lambda: found if len(found := http.get(metrics).json()["items"]) == 2 else None)
        usage = {item["metadata"]["labels"]["job-name"]: item["containers"][0]["usage"] for item in items}
        assert usage == {"big": {"cpu": "750m", "memory": "900Mi"}, "small": {"cpu": "100m", "memory": "64Mi"}}
        name = items[0]["metadata"]["name"]
        assert http.get(f"{metrics}/{name}").json()["kind"] == "PodMetrics"
        assert http.get(f"{metrics}/nothing").status_code == 404
        chosen = http.get(metrics, params={"labelSelector": "job-name=big"}).json()["items"]
        assert len(chosen) == 1


def test_a_body_beyond_the_limit_is_refused(own: Cluster) -> None:
    with own.client() as http:
        answer = http.post(JOBS, content=b" " * 4_000_000, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413


def test_a_status_can_be_set_by_its_subresource_alone(own: Cluster) -> None:
    with own.client() as http:
        http.post(JOBS, json=job_manifest("a", parallelism=0))
        patch = {"status": {"succeeded": 4}, "spec": {"backoffLimit": 9}}
        merge = {"Content-Type": "application/merge-patch+json"}
        answer = http.patch(f"{JOBS}/a/status", json=patch, headers=merge).json()
        assert (answer["status"]["succeeded"], answer["spec"]["backoffLimit"]) == (4, 0)


def test_a_job_that_is_deleted_in_the_foreground_goes_with_the_last_of_its_pods(own: Cluster, sandbox: Sandbox) -> None:
    sandbox.set_scenario([{"outcome": "hang"}])
    pods = JOBS.replace("/apis/batch/v1", "/api/v1").replace("/jobs", "/pods")
    with own.client() as http:
        http.post(JOBS, json=job_manifest("a"))
        own.wait(lambda: [pod for pod in http.get(pods).json()["items"] if pod["status"]["phase"] == "Running"])
        answer = http.delete(f"{JOBS}/a", params={"propagationPolicy": "Foreground"}).json()
        assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]
        found = http.get(f"{JOBS}/a").json()
        assert "deletionTimestamp" in found["metadata"]
        own.wait(lambda: http.get(f"{JOBS}/a").status_code == 404)
        assert http.get(pods).json()["items"] == []


def test_importing_the_sandbox_loads_no_server_and_no_airflow() -> None:
    code = "import sys, k8s_tuning_sandbox; print([m for m in ('uvicorn', 'starlette', 'airflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
