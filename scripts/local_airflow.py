"""An Airflow of this checkout's own: a home, SQLite, one connection to a cluster. For demo.py, up.py and the tests."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from k8s_tuning_sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SCENARIO = ROOT / "include" / "configs" / "demo-scenario.yaml"
START_SECONDS = 180


def environment(home: Path, kubeconfig: str) -> dict[str, str]:
    """The environment of Airflow's processes. Settings of the caller's own Airflow do not reach them."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return inherited | {
        # `airflow standalone` starts its parts by the bare name `airflow`.
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(
            {"conn_type": "kubernetes", "extra": {"kube_config_path": kubeconfig}}
        ),
        "K8S_TUNING_HISTORY_DIR": str(home / "history"),
        "KUBECONFIG": kubeconfig,
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def cluster() -> Iterator[tuple[str, bool]]:
    """$KUBECONFIG, else a sandbox that lives as long as this: its kubeconfig, and whether it is the sandbox."""
    named = os.environ.get("KUBECONFIG")
    if named:
        yield named, False
        return
    with Sandbox(SCENARIO) as sandbox:
        yield str(sandbox.kubeconfig), True


def migrate(env: dict[str, str], log: Path) -> None:
    """Make or update the database; SystemExit, with the log's end, where that fails."""
    with log.open("w") as handle:
        done = subprocess.run(
            [str(BIN / "airflow"), "db", "migrate"], env=env, stdout=handle, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise SystemExit(f"airflow db migrate failed; the end of {log}:\n{log.read_text()[-2000:]}")


@dataclass(frozen=True)
class Served:
    """A running Airflow. `address`: of its API server, without a slash at the end; `passwords`: by login."""

    address: str
    passwords: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def serve(home: Path, env: dict[str, str], port: int, part: str = "standalone") -> Iterator[Served]:
    """`airflow standalone` (or `api-server`, without a scheduler) on loopback, as long as this lasts.

    Its logins are `admin` and `viewer`, each with its role and a new password. `env`: as of environment(), with what
    shall be set beside it. SystemExit, with the log's end, where it does not come up.
    """
    address = f"http://127.0.0.1:{port}"
    users = ("admin", "viewer")
    passwords = {user: secrets.token_urlsafe(9) for user in users}
    file = home / "passwords.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(passwords))
    settings = {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{user}" for user in users),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(file),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    }
    migrate(settings | env, home / "migrate.log")
    log = home / "airflow.log"
    with log.open("w") as handle:
        process = subprocess.Popen(
            [str(BIN / "airflow"), part],
            env=settings | env, stdout=handle, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_ready(address, process, log)
        yield Served(address, passwords, log, process)
    finally:
        _stop(process)


def _wait_until_ready(address: str, airflow: subprocess.Popen[bytes], log: Path) -> None:
    """Until the API server answers; SystemExit, with the log's end, where it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and airflow.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit(f"Airflow did not come up; the end of {log}:\n{log.read_text()[-2000:]}")


def _stop(airflow: subprocess.Popen[bytes]) -> None:
    """End the whole process group: the parent alone would leave its children behind."""
    for sign, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        try:
            os.killpg(airflow.pid, sign)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            airflow.poll()
            try:
                os.killpg(airflow.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.2)
