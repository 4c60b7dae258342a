"""The wheel in an Airflow: the plugin by its entry point, the DAGs that `k8s-tuning init` lays out, every module."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.packaging.environments import ROOT, Environment
from tests.packaging.test_wheels import IMPORT_ALL

pytestmark = pytest.mark.airflow

DAGS = {"k8s_alert_smoke_test", "k8s_health_monitor", "k8s_history_report", "k8s_tuning_pipeline"}
BAG = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
params = [dag.params for dag in bag.dags.values() if "targets_file" in dag.params]
files = [found.get_param("targets_file").value for found in params]
print("BAG", json.dumps([sorted(bag.dags), bag.import_errors, files]))
"""
PLUGINS = """
import json
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
views = plugins_manager._get_ui_plugins()[0]
apps = plugins_manager.get_fastapi_plugins()[0]
routes = [view["url_route"] for view in views] + [app["url_prefix"] for app in apps]
print("PLUGINS", json.dumps([[plugin.name, str(plugin.source)] for plugin in plugins if plugin.name == "k8s_tuning"]))
print("ROUTES", json.dumps(routes))
print("ERRORS", json.dumps(errors))
"""


@pytest.fixture
def airflow_home(tmp_path: Path) -> dict[str, str]:
    """The settings of an Airflow whose home is a new folder."""
    return {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}


def printed(environment: Environment, script: str, env: dict[str, str]) -> dict[str, object]:
    done = environment.run("python", "-c", script, **env)
    assert done.returncode == 0, done.stderr
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    return {word: json.loads(rest) for word, _, rest in lines if word in ("BAG", "PLUGINS", "ROUTES", "ERRORS")}


def test_every_module_is_imported_with_what_is_declared(
    with_airflow: Environment, airflow_home: dict[str, str]
) -> None:
    done = with_airflow.run("python", "-c", IMPORT_ALL, "project", **airflow_home)
    assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, []), done.stdout + done.stderr


def test_airflow_lists_the_plugin_without_a_plugins_folder(
    with_airflow: Environment, airflow_home: dict[str, str]
) -> None:
    done = with_airflow.run("airflow", "plugins", "--output", "json", **airflow_home)
    assert done.returncode == 0, done.stderr
    assert [plugin["name"] for plugin in json.loads(done.stdout[done.stdout.index("[") :])] == ["k8s_tuning"]
    assert "k8s-tuning==" in done.stdout


def test_beside_a_copied_plugins_folder_nothing_is_registered_twice(
    with_airflow: Environment, airflow_home: dict[str, str], tmp_path: Path
) -> None:
    alone = printed(with_airflow, PLUGINS, airflow_home)
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    both = printed(with_airflow, PLUGINS, airflow_home)
    assert both["PLUGINS"] == [["k8s_tuning", "$PLUGINS_FOLDER/k8s_tuning_plugin.py"]]
    assert both["ERRORS"] == alone["ERRORS"] == {}
    assert both["ROUTES"] == alone["ROUTES"] == ["k8s-tuning", "k8s-tuning-run", "k8s-tuning-task", "/k8s-tuning"]


def test_the_dags_that_init_lays_out_are_imported_without_an_error(
    with_airflow: Environment, airflow_home: dict[str, str], tmp_path: Path
) -> None:
    assert with_airflow.run("k8s-tuning", "init", str(tmp_path)).returncode == 0
    dags, errors, files = printed(with_airflow, BAG, airflow_home)["BAG"]  # type: ignore[misc]
    assert (set(dags), errors) == (DAGS, {})
    assert set(files) == {str(tmp_path / "include/configs/targets.yaml")}
