"""A real Airflow to ask over HTTP, with its own login: the API server alone, or everything with a sandbox behind it."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from scripts.local_airflow import environment, serve

from k8s_tuning_sandbox import Sandbox

# The demo's trouble; the last line of the log, which any container may write, tries to be a page of its own.
SCENARIO = """
outcomes:
  - {match: "*worker-1*", outcome: oom, seconds: 2, log: "loading ticks", log_lines: 5,
     last_log: "메모리 부족 <img src=x onerror=document.title='ran'><script>document.title='ran'</script>"}
  - {match: "*worker-2*", outcome: image-pull}
"""
METRICS_TOKEN = "let-prometheus-in"


@dataclass(frozen=True)
class AirflowServer:
    """`address`: without a slash at the end. `history`: its $K8S_TUNING_HISTORY_DIR. `passwords`: by login."""

    address: str
    history: Path
    passwords: Mapping[str, str]
    log: Path

    @property
    def page(self) -> str:
        """Where the plugin is mounted, without a slash at the end."""
        return f"{self.address}/k8s-tuning"

    def token(self, user: str) -> str:
        """A fresh JWT of Airflow's for `admin` or `viewer`."""
        answer = httpx.post(
            f"{self.address}/auth/token", json={"username": user, "password": self.passwords[user]}, timeout=30
        )
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def login(self, user: str) -> dict[str, str]:
        """The header that signs in."""
        return {"Authorization": f"Bearer {self.token(user)}"}


@contextlib.contextmanager
def airflow_server(
    home: Path, kubeconfig: str, part: str = "api-server", path: str = "", env: Mapping[str, str] | None = None
) -> Iterator[AirflowServer]:
    """`airflow api-server` or `airflow standalone` with its home in `home`; `path`: the one that it is served under."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    history = home / "history"
    history.mkdir(parents=True, exist_ok=True)
    more = {"K8S_TUNING_METRICS_TOKEN": METRICS_TOKEN} | dict(env or {})
    if path:
        more["AIRFLOW__API__BASE_URL"] = f"http://127.0.0.1:{port}{path}"
    with serve(home, environment(home, kubeconfig) | more, port, part) as served:
        yield AirflowServer(served.address + path, history, served.passwords, served.log)


@pytest.fixture(scope="session")
def airflow_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """Airflow's API server alone, for all tests of a process: nothing runs, and there is no cluster."""
    home = tmp_path_factory.mktemp("airflow-api")
    with airflow_server(home, str(home / "no-kubeconfig")) as server:
        yield server


@pytest.fixture(scope="session")
def airflow_standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """All of Airflow, with a sandbox cluster with trouble in it behind it, for all tests of a process."""
    home = tmp_path_factory.mktemp("airflow-standalone")
    scenario = home / "scenario.yaml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    with Sandbox(scenario) as sandbox, airflow_server(home, str(sandbox.kubeconfig), "standalone") as server:
        yield server
