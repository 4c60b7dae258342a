"""An Airflow of this checkout's own: home in .airflow/, SQLite, one connection to a cluster. For demo.py, up.py."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from k8s_tuning.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SCENARIO = ROOT / "include" / "configs" / "demo-scenario.yaml"


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
