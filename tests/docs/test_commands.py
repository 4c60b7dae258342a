"""Every command in the docs and the runbooks is run as it stands, or stands here with the reason why it cannot be.

What a reader fills in (NAMESPACE, FILE, …) and the ports of Prometheus and Alertmanager are replaced; nothing else is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.airflow_runs import LocalAirflow
from tests.clusters import job_manifest
from tests.loop.stack import Stack, free_port, wait

from k8s_tuning_sandbox import Sandbox

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
PROGRAMS = (
    "k8s-tuning|kubectl|amtool|promtool|curl|airflow|python3?|docker|helm|astro|pip|rsync|df|make|for|sleep|export|cat"
    "|token"
)
# Code is indented by four spaces; `k8s-tuning apply: …` is what a command printed.
COMMAND = re.compile(rf"^    (?:\$ )?(?!k8s-tuning \w+: )((?:{PROGRAMS})\b.*)$", re.MULTILINE)

OPERATOR = "needs the Prometheus Operator's kinds, or its pods; tests/kubernetes checks the manifests"
IN_CLUSTER = "needs an Airflow inside a cluster"
NOT_RUN = {
    "make ": "starts tests, or a server that runs until Ctrl-C; tests/scripts and CI run make's targets",
    "docker ": "needs a Docker engine; tests/test_compose.py checks the files",
    "astro ": "needs the Astro CLI and a Docker engine",
    "helm ": "needs Helm and its chart",
    "pip install ": "would install this environment again",
    "rsync ": "copies this checkout into an Airflow; tests/dags runs the folders where they are",
    "df -h /opt/airflow": "a path inside the image",
    "kubectl -n monitoring-dev ": OPERATOR,
    "kubectl -n MONITORING ": OPERATOR,
    "kubectl apply -f include/kubernetes/overlays": OPERATOR,
    "kubectl delete -f include/kubernetes/overlays": OPERATOR,
    "kubectl delete prometheusrule": OPERATOR,
    "kubectl apply -k include/kubernetes/overlays": f"{OPERATOR}; tests/kubernetes/test_overlays.py builds them",
    "kubectl -n airflow-prod create secret": "has secrets to fill in, and the sandbox keeps no Secrets",
    "kubectl auth can-i": "needs RBAC, which the sandbox lacks; tests/kubernetes/test_rights.py asks a real API server",
    "kubectl -n AIRFLOW ": IN_CLUSTER,
    "token=$(curl ": "needs a login to a running Airflow; tests/browser logs in",
    'curl -s -H "Authorization': "needs the token of the line before; tests/web asks the same address",
    'curl -si -H "Authorization': "needs a running Airflow; tests/web/test_metrics.py asks the same address",
}
# Codes that say how the Jobs are, or what was found, are no failure of a command.
ALLOWED = {"k8s-tuning": {0, 1, 2}, "promtool": {0, 3}}


def commands(page: Path) -> list[str]:
    """The page's commands, continued lines joined, without the remarks behind them."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [re.sub(r"\s{2,}#\s.*$", "", found).strip() for found in COMMAND.findall(text)]


def reason(command: str) -> str | None:
    """Why a command is not run here."""
    return next((why for start, why in NOT_RUN.items() if command.startswith(start)), None)


@dataclass
class Scene:
    """What the docs' reader has: a cluster with Jobs, a history, Prometheus and Alertmanager, this checkout."""

    sandbox: Sandbox
    stack: Stack
    pod: str

    def prepare(self, folder: Path) -> None:
        """The files that commands name, in a folder of the page's own."""
        (folder / "include").mkdir()
        for name in ("configs", "kubernetes", "compose"):
            shutil.copytree(ROOT / "include" / name, folder / "include" / name)
        (folder / "scripts").mkdir()
        for name in ("health.jsonl", "history.jsonl", "logs/history.jsonl", "history/health.jsonl"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(self.stack.history, folder / name)
        run("k8s-tuning generate --config include/configs/d29-k8s-demo-session.yaml --output-dir jobs", folder, self)
        run("k8s-tuning alert --history-file history.jsonl --ledger-file ledger.jsonl --send", folder, self)
        for name in ("kc", "kubeconfig-nobody"):
            shutil.copy(self.sandbox.kubeconfig, folder / name)

    def filled_in(self, command: str, folder: Path) -> str:
        """The command with the reader's own names in it."""
        command = command.replace("--ledger-file FILE", "--ledger-file ledger.jsonl")
        command = command.replace("/var/lib/node_exporter/textfile", str(folder)).replace("…", "x")
        for placeholder, value in {
            "NAMESPACE": "trading-bots",
            "SELECTOR": "app=arbitrage-tuning",
            "JOB": "arb-tuning-crash",
            "POD": self.pod,
            "FILE": "history.jsonl",
            "incident=ID": "incident=0123456789ab",
            "127.0.0.1:9093": self.stack.urls["dev"].removeprefix("http://"),
            "localhost:9090": self.stack.urls["prometheus"].removeprefix("http://"),
            "127.0.0.1:9105": f"127.0.0.1:{free_port()}",
        }.items():
            command = command.replace(placeholder, value)
        if command.startswith("k8s-tuning alert doctor") and "--help" not in command:
            urls = self.stack.urls
            command += f" --prometheus {urls['prometheus']} --metrics {urls['metrics']}/metrics"
            command += "" if "--alertmanager" in command else f" --alertmanager {urls['dev']}"
        return command


def run(command: str, folder: Path, scene: Scene, **more: str) -> subprocess.CompletedProcess[str]:
    """By bash, as a reader does; what runs until Ctrl-C is ended by timeout(1), whose code for that is 124."""
    endless = command.startswith("k8s-tuning") and ("--interval" in command or "--listen" in command)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(folder), "KUBECONFIG": str(scene.sandbox.kubeconfig), "LANG": "C.UTF-8", **more}
    line = f"timeout 5 {command}" if endless else command
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    stack = Stack.prepare(folder)
    crash = job_manifest("arb-tuning-crash", backoffLimit=1_000_000)
    crash["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    scenario = folder / "scenario.yaml"
    scenario.write_text("metrics: true\noutcomes: [{match: '*crash*', outcome: crashloop, cpu: 10m, memory: 20Mi}]\n")
    with Sandbox(scenario, namespaces=["trading-bots", "trading-bots-dev", "hist-demo"]) as sandbox:
        kubectl = ["kubectl", "--kubeconfig", str(sandbox.kubeconfig), "-n", "trading-bots"]
        subprocess.run([*kubectl, "create", "-f", "-"], input=json.dumps(crash), text=True, check=True)

        def crashed() -> str:
            pods = json.loads(subprocess.check_output([*kubectl, "get", "pods", "-o", "json"]))["items"]
            statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", [])]
            return str(pods[0]["metadata"]["name"]) if any(one["restartCount"] for one in statuses) else ""

        try:
            made = Scene(sandbox, stack, wait(crashed, "the pod has restarted"))
            run(f"k8s-tuning record -n trading-bots --history-file {stack.history}", folder, made)
            stack.start()
            wait(lambda: stack.query("k8s_tuning_source_readable"), "Prometheus has scraped")
            wait(lambda: stack.alerts("dev", "Watchdog"), "Watchdog has arrived")
            yield made
        finally:
            stack.stop()
            stack.receivers.stop()


RUN = [page for page in PAGES if any(reason(one) is None for one in commands(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_the_page_does_its_work(page: Path, scene: Scene, tmp_path: Path) -> None:
    """In the page's order, in one folder; a command that needs Airflow is the next test's."""
    if page.name == "sandbox.md":
        pytest.skip("its commands are one story, which the test below plays as a whole")
    scene.prepare(tmp_path)
    failed = []
    for command in commands(page):
        if reason(command) or command.startswith("airflow "):
            continue
        done = run(scene.filled_in(command, tmp_path), tmp_path, scene)
        allowed = ALLOWED.get(command.split()[0], {0})
        if done.returncode == 124 and ("--interval" in command or "--listen" in command):
            continue
        if done.returncode not in allowed or "Traceback" in done.stderr or "unrecognized" in done.stderr:
            failed.append(f"{command}\n  exit {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    assert failed == []


def test_the_sandboxs_page_is_a_story_that_happens(scene: Scene, tmp_path: Path) -> None:
    """Its commands in one shell, on a free port and with the name of the pod that there is."""
    page = ROOT / "docs/sandbox.md"
    script = "\n".join(line for line in commands(page) if not line.startswith("k8s-tuning sandbox ["))
    scenario = re.search(r"cat scenario\.yaml\n((?:    [^$].*\n)+)", page.read_text(encoding="utf-8"))
    assert scenario is not None
    (tmp_path / "scenario.yaml").write_text(re.sub(r"^    ", "", scenario[1], flags=re.MULTILINE))
    script = script.replace("18443", str(free_port()))
    # A reader types slower than the sandbox starts.
    script = script.replace("export ", "until [ -s kubeconfig ]; do sleep 0.2; done\nexport ")
    script = re.sub(r"kubectl logs (arb-tuning-worker-\d)-\w+", r"kubectl logs job/\1", script)
    done = run(f"set -e\ntrap 'kill %1' EXIT\n{script}", tmp_path, scene)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arb-tuning-worker-1" in done.stdout


@pytest.mark.airflow
def test_every_airflow_command_does_its_work(local_airflow: LocalAirflow, scene: Scene, tmp_path: Path) -> None:
    """On a migrated database with a run of the monitor in it."""
    found = dict.fromkeys(one for page in PAGES for one in commands(page) if one.startswith("airflow "))
    failed = []
    env = {name: value for name, value in local_airflow.environment().items() if name.startswith("AIRFLOW")}
    made = run("airflow dags reserialize && airflow dags trigger -r RUN k8s_health_monitor", tmp_path, scene, **env)
    assert made.returncode == 0, made.stderr
    for command in found:
        done = run(command.replace("RUN_ID", "RUN"), tmp_path, scene, **env)
        if done.returncode:
            failed.append(f"{command}\n  exit {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    assert failed == []


def test_the_reasons_are_for_commands_that_are_there() -> None:
    """A reason whose command is gone would excuse the next one that begins like it."""
    found = [command for page in PAGES for command in commands(page)]
    assert len(found) > 80
    assert [start for start in NOT_RUN if not any(command.startswith(start) for command in found)] == []
