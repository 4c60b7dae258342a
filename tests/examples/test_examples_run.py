"""The examples do what they say: each is run by bash on the sandbox, with only its paths changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.clusters import job_manifest
from tests.servers import recording_server

from k8s_tuning_sandbox import Sandbox

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def bots() -> Iterator[Sandbox]:
    """A cluster in which every pod fails, with the examples' namespaces."""
    rules = [{"match": "*", "outcome": "fail", "seconds": 0, "exit_code": 3}]
    with Sandbox(rules, namespaces=["trading-bots", "trading-bots-dev"]) as sandbox:
        yield sandbox


def shell(command: str, sandbox: Sandbox, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command line as cron or the kubelet would: by bash, with our command on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/bash", "-c", command],
        env={"PATH": path, "HOME": "/nonexistent", "KUBECONFIG": str(sandbox.kubeconfig), "LANG": "C.UTF-8", **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def create(sandbox: Sandbox, namespace: str, name: str) -> None:
    """A Job that will fail, by plain kubectl."""
    command = ["kubectl", "--kubeconfig", str(sandbox.kubeconfig), "-n", namespace, "create", "-f", "-"]
    subprocess.run(command, input=json.dumps(job_manifest(name)), text=True, check=True, capture_output=True)
    command = [*command[:5], "wait", "--for=condition=Failed", f"job/{name}", "--timeout=30s"]
    subprocess.run(command, check=True, capture_output=True)


def container_script(file: str, **paths: Path) -> str:
    """The script of a CronJob's container, its mount paths replaced."""
    documents = list(yaml.safe_load_all((EXAMPLES / "kubernetes" / file).read_text()))
    pod = next(item for item in documents if item["kind"] == "CronJob")["spec"]["jobTemplate"]["spec"]["template"][
        "spec"
    ]
    (script,) = pod["containers"][0]["args"]
    for name, path in paths.items():
        script = script.replace(f"/{name}/", f"{path}/")
    return str(script)


def test_the_crontab_notifies_once_and_says_when_it_is_over(bots: Sandbox, tmp_path: Path) -> None:
    """Two rounds are one message, as the ledger remembers the first; the metrics and the summary come too."""
    lines = (EXAMPLES / "cron/k8s-tuning.crontab").read_text().splitlines()
    check, metrics, summary = (line.split(None, 5)[5] for line in lines if line[:1] in ("*", "0"))
    textfile = tmp_path / "k8s-tuning.prom"
    metrics = metrics.replace("/var/lib/node_exporter/textfile/k8s-tuning.prom", str(textfile))
    settings = {"HISTORY": str(tmp_path / "health.jsonl"), "LEDGER": str(tmp_path / "ledger.jsonl")}
    settings["SECRETS"] = str(tmp_path / "alert.env")
    assert {line.partition("=")[0] for line in lines} >= settings.keys()
    create(bots, "trading-bots", "arb-tuning-a")
    with recording_server() as server:
        (tmp_path / "alert.env").write_text(f"K8S_TUNING_WEBHOOK_URL={server.url}/services/T0/B0/geheim\n")
        dry = shell(check, bots, **settings)
        assert (dry.returncode, dry.stderr, server.calls) == (0, "", [])
        check = check.replace("slack_webhook", "slack_webhook --send")
        assert [shell(check, bots, **settings).returncode for _ in range(3)] == [0, 0, 0]
    assert len(server.calls) == 1
    done = shell(metrics, bots, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "k8s_tuning" in textfile.read_text()
    assert "ERROR" in shell(summary, bots, **settings).stdout


def test_the_monitors_cronjob_succeeds_whatever_the_jobs_health_is(bots: Sandbox, tmp_path: Path) -> None:
    """Its own failure is exit 3 alone."""
    script = container_script("monitor-cronjob.yaml", history=tmp_path)
    create(bots, "trading-bots-dev", "arb-tuning-a")
    done = shell(script, bots)
    assert (done.returncode, done.stderr) == (0, "")
    assert "K8s Alert: CRITICAL" in done.stdout
    assert shell(script, bots, KUBECONFIG="/nonexistent").returncode == 3


def test_the_pipelines_cronjob_runs_its_session_and_exits_by_its_health(bots: Sandbox, tmp_path: Path) -> None:
    """A dry run as it stands; with --apply the night's own Jobs, and exit code 2 for a session that failed."""
    sessions, history, scratch = (tmp_path / name for name in ("sessions", "history", "tmp"))
    for folder in (sessions, history, scratch):
        folder.mkdir()
    config = yaml.safe_load((EXAMPLES / "kubernetes/pipeline-cronjob.yaml").read_text().partition("\n---\n")[0])
    for name, text in config["data"].items():
        (sessions / name).write_text(text)
    script = container_script("pipeline-cronjob.yaml", tmp=scratch, sessions=sessions, history=history)
    dry = shell(script, bots)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert "Applied Jobs:     0" in dry.stdout
    done = shell(script.replace("--wait 10800", "--wait 60 --apply").replace("--run-id $id", "--run-id again"), bots)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Applied Jobs:     2" in done.stdout
