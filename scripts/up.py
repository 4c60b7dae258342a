"""`make up`: Airflow with its UI on loopback, the sandbox or $KUBECONFIG behind it; Ctrl-C stops all of it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from local_airflow import BIN, ROOT, cluster, environment, migrate

HOME = ROOT / ".airflow" / "up"
START_SECONDS = 180


def main() -> int:
    """Run until Ctrl-C or SIGTERM."""
    port = int(os.environ.get("PORT", "8080"))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            print(f"Port {port} is taken; choose another: PORT=8081 make up", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    HOME.mkdir(parents=True, exist_ok=True)
    with cluster() as (kubeconfig, is_sandbox):
        password = secrets.token_urlsafe(9)
        passwords = HOME / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({"admin": password}))
        address = f"http://127.0.0.1:{port}"
        env = environment(HOME, kubeconfig) | {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        }
        log = HOME / "airflow.log"
        print("Starting Airflow …", flush=True)
        migrate(env, HOME / "migrate.log")
        with log.open("w") as handle:
            airflow = subprocess.Popen(
                [str(BIN / "airflow"), "standalone"],
                env=env, stdout=handle, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until_ready(address, airflow, log)
            print(
                f"""
  Airflow    {address}    login: admin    password: {password}
  Cluster    {"the sandbox" if is_sandbox else "yours"}: KUBECONFIG={kubeconfig} kubectl -n trading-bots get jobs
  Log        {log.relative_to(ROOT)}

In the UI: Dags, k8s_tuning_pipeline, Trigger; "Apply the Jobs" creates them. Ctrl-C here stops everything.""",
                flush=True,
            )
            return airflow.wait()
        except KeyboardInterrupt:
            print("\nStopping …", flush=True)
            return 0
        finally:
            stop(airflow)


def wait_until_ready(address: str, airflow: subprocess.Popen[bytes], log: Path) -> None:
    """Until the API server answers; SystemExit, with the log's end, where it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and airflow.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit(f"Airflow did not come up; the end of {log.relative_to(ROOT)}:\n{log.read_text()[-2000:]}")


def stop(airflow: subprocess.Popen[bytes]) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
