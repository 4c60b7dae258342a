"""A real Airflow for tests: a home of its own with a migrated SQLite database, and `airflow dags test` in a process."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW = Path(sys.executable).with_name("airflow")


@dataclass
class DagRun:
    """One ended run. `xcoms`: by task and key; `rendered`: every rendered template field, as text."""

    code: int
    log: str
    xcoms: dict[tuple[str, str], Any]
    stored: str

    @property
    def result(self) -> dict[str, Any]:
        """D36's result."""
        return self.xcoms["report", "result"]


@dataclass
class LocalAirflow:
    """Runs DAGs of this checkout, one at a time, with a history folder a run."""

    home: Path

    def run(self, dag: str, conf: Mapping[str, Any], history: Path, env: Mapping[str, str] | None = None) -> DagRun:
        """`airflow dags test`; everything of the run, its XComs included."""
        database = self.home / "airflow.db"
        with sqlite3.connect(database) as connection:
            for table in ("xcom", "rendered_task_instance_fields"):
                connection.execute(f"delete from {table}")
        done = subprocess.run(
            [AIRFLOW, "dags", "test", dag, "-c", json.dumps(conf)],
            env=self.environment() | {"K8S_TUNING_HISTORY_DIR": str(history)} | dict(env or {}),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=170, check=False,
        )  # fmt: skip
        with sqlite3.connect(database) as connection:
            rows = connection.execute("select task_id, key, value from xcom").fetchall()
            rendered = connection.execute("select rendered_fields from rendered_task_instance_fields").fetchall()
        xcoms = {(task, key): _value(value) for task, key, value in rows}
        return DagRun(done.returncode, done.stdout.decode(), xcoms, f"{rows}{rendered}")

    def environment(self) -> dict[str, str]:
        """Of the processes: nothing of the caller's own Airflow, no cluster but the one that a test names."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "KUBECONFIG"))}
        return mine | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }


def _value(stored: Any) -> Any:
    value = json.loads(stored) if isinstance(stored, (str, bytes)) else stored
    return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value


def kubernetes(kubeconfig: Path) -> dict[str, str]:
    """The environment that puts a cluster behind `kubernetes_default`."""
    extra = {"kube_config_path": str(kubeconfig)}
    return {"AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps({"conn_type": "kubernetes", "extra": extra})}


@pytest.fixture(scope="session")
def local_airflow(tmp_path_factory: pytest.TempPathFactory) -> LocalAirflow:
    """One Airflow for all tests of a process."""
    airflow = LocalAirflow(tmp_path_factory.mktemp("airflow"))
    subprocess.run([AIRFLOW, "db", "migrate"], env=airflow.environment(), check=True, capture_output=True)
    return airflow
