"""Real Prometheus and Alertmanager on loopback, fed by the real metrics endpoint; a server stands for the receivers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "include/kubernetes/overlays"
PACKAGES = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}
T = TypeVar("T")


def wait(look: Callable[[], T], what: str, seconds: float = 60) -> T:
    """What `look` gives as soon as it is true; the test fails, with its last answer, where it never is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not so within {seconds:.0f} s; last seen: {found!r}"
        time.sleep(0.1)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Receivers:
    """Slack and PagerDuty: keeps every request as (path, body), and answers 404 on the paths in `broken`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.broken: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, json.loads(body)))
                status, answer = (404, b"no_service") if self.path in outer.broken else (200, b"ok")
                if "pagerduty" in self.path and status == 200:
                    status, answer = 202, b'{"status": "success", "message": "Event processed", "dedup_key": "k"}'
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def got(self, path: str) -> list[dict[str, Any]]:
        """What came to a path, oldest first."""
        return [body for where, body in self.requests if where == path]


@dataclass
class Process:
    """A server that can be stopped and started again with the same files and port."""

    command: list[str]
    ready: str
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait(self._is_ready, f"{self.command[0]} is ready (log: {self.log})")

    def stop(self) -> None:
        if self.running:
            self.running.send_signal(signal.SIGTERM)
            self.running.wait(timeout=60)
            self.running = None

    def _is_ready(self) -> bool:
        assert self.running
        assert self.running.poll() is None, f"{self.command[0]} ended: {self.log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(self.ready, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@dataclass
class Stack:
    """The metrics endpoint, Prometheus, and an Alertmanager for each of dev and production."""

    folder: Path
    history: Path
    receivers: Receivers
    processes: dict[str, Process] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    @classmethod
    def prepare(cls, folder: Path, rules_of: str = "dev") -> Stack:
        """Write every configuration file; nothing is started yet. `rules_of`: the environment that Prometheus is of."""
        for binary, package in PACKAGES.items():
            if not shutil.which(binary):
                pytest.skip(f"{binary} is missing: apt-get install {package}")
        stack = cls(folder, folder / "history.jsonl", Receivers())
        metrics, prometheus, dev, prod = (f"127.0.0.1:{free_port()}" for _ in range(4))
        stack.urls = {
            name: f"http://{address}"
            for name, address in {"metrics": metrics, "prometheus": prometheus, "dev": dev, "production": prod}.items()
        }
        command = [str(Path(sys.executable).with_name("k8s-tuning")), "metrics", "--listen", metrics]
        command += ["--history-file", str(stack.history)]
        stack._add("metrics", command, "/metrics")
        for environment, address in (("dev", dev), ("production", prod)):
            home = stack._alertmanager_files(environment)
            command = ["prometheus-alertmanager", f"--config.file={home / 'alertmanager.yaml'}"]
            command += [
                f"--storage.path={home / 'data'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ]
            stack._add(environment, command, "/-/ready")
        config = stack._prometheus_files(metrics, {"dev": dev, "production": prod}, rules_of)
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        # Alerts sent before the Alertmanagers are discovered are lost; by default they are sent again after a minute.
        command.append("--rules.alert.resend-delay=5s")
        stack._add("prometheus", [*command, f"--web.listen-address={prometheus}"], "/-/ready")
        return stack

    def _add(self, name: str, command: list[str], ready: str) -> None:
        self.processes[name] = Process(command, self.urls[name] + ready, self.folder / f"{name}.log")

    def _alertmanager_files(self, environment: str) -> Path:
        """The generated configuration with its own secrets, and minutes made seconds; nothing else is changed."""
        home = self.folder / environment
        home.mkdir()
        text = (OVERLAYS / environment / "generated/alertmanager.yaml").read_text()
        config = yaml.safe_load(text.replace("/etc/alertmanager/config", str(home)))
        config["route"] |= {"group_interval": "1s", "group_wait": "0s"}
        for route in config["route"]["routes"][1]["routes"]:
            route["group_wait"] = "0s"
        config["global"]["pagerduty_url"] = f"{self.receivers.url}/pagerduty/{environment}"
        (home / "alertmanager.yaml").write_text(yaml.safe_dump(config))
        shutil.copy(ROOT / "include/kubernetes/source/k8s-tuning.tmpl", home)
        for key in ("slack-alerts-url", "slack-low-url"):
            (home / key).write_text(f"{self.receivers.url}/{key.removesuffix('-url')}/{environment}")
        if "pagerduty-routing-key" in text:
            (home / "pagerduty-routing-key").write_text(f"key-of-{environment}")
        return home

    def _prometheus_files(self, metrics: str, alertmanagers: dict[str, str], rules_of: str) -> Path:
        """An environment's rules, `for` in seconds; every Alertmanager gets each alert: routing keeps them apart."""
        rules = yaml.safe_load((OVERLAYS / rules_of / "generated/prometheus-rules.yaml").read_text())["spec"]
        for group in rules["groups"]:
            for rule in group["rules"]:
                if "for" in rule and rule["alert"] == "K8sTuningTargetUnhealthy":
                    rule["for"] = "1s"
        (self.folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers.values())}]}]},
            "scrape_configs": [
                {"job_name": "k8s-tuning", "honor_labels": True, "static_configs": [{"targets": [metrics]}]},
                {"job_name": "alertmanager", "static_configs": [{"targets": [alertmanagers[rules_of]]}]},
            ],
        }
        path = self.folder / "prometheus.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def start(self) -> None:
        for name in ("metrics", "dev", "production", "prometheus"):
            self.processes[name].start()

    def stop(self) -> None:
        for process in self.processes.values():
            process.stop()

    def restart(self) -> None:
        """All of them down, then all up again on the same ports and files."""
        self.stop()
        self.start()

    def alerts(self, environment: str, alertname: str) -> list[dict[str, Any]]:
        """The active alerts of that name that an Alertmanager knows."""
        found: list[dict[str, Any]] = get(f"{self.urls[environment]}/api/v2/alerts?filter=alertname%3D{alertname}")
        return found

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Prometheus' instant query."""
        url = f"{self.urls['prometheus']}/api/v1/query?query={urllib.request.quote(expression)}"
        result: list[dict[str, Any]] = get(url)["data"]["result"]
        return result


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


def post(url: str, body: Any) -> None:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30):
        pass


def run_cli(*arguments: str) -> int:
    """The command line as a person runs it; its exit code."""
    command = [Path(sys.executable).with_name("k8s-tuning"), *arguments]
    return subprocess.run(command, env={**os.environ}, capture_output=True).returncode
