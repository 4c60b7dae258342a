"""The DAG files: what they connect, what their params refuse, and what parsing them costs."""

import itertools
import os
import runpy
import subprocess
import sys

import pytest
from airflow.sdk.exceptions import ParamValidationError
from tests.airflow_runs import ROOT

FILES = {path.stem: path for path in (ROOT / "dags").glob("*.py")}
SCHEDULES = {
    "k8s_tuning_pipeline": "0 0 * * *",
    "k8s_health_monitor": "*/5 * * * *",
    "k8s_history_report": "0 0 * * *",
    "k8s_alert_smoke_test": None,
}


def load(name):
    return runpy.run_path(str(FILES[name]))["dag"]


def test_every_dag_file_is_known_here():
    assert set(FILES) == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_dag_runs_alone_on_its_schedule_without_catching_up(name):
    dag = load(name)
    assert (dag.dag_id, dag.schedule, dag.max_active_runs, dag.catchup) == (name, SCHEDULES[name], 1, False)
    assert all(task.doc_md for task in dag.tasks)


def test_the_pipelines_stages_follow_each_other():
    dag = load("k8s_tuning_pipeline")
    line = ["generate_jobs", "validate_jobs", "apply_jobs", "wait_for_jobs", "monitor_jobs", "evaluate_health"]
    line += ["collect_events", "record_history", "plan_alerts", "choose_alerts"]
    for earlier, later in itertools.pairwise(line):
        assert later in dag.get_task(earlier).downstream_task_ids
    assert dag.get_task("choose_alerts").downstream_task_ids == {"send_alerts", "suppress_alerts"}
    assert dag.get_task("report").trigger_rule == "all_done"
    assert all(dag.get_task(name).retries == 3 for name in line)


@pytest.mark.parametrize("name", ["apply_jobs", "monitor_jobs", "collect_events", "wait_for_jobs"])
def test_where_a_stage_looks_is_templated(name):
    task = load("k8s_tuning_pipeline").get_task(name)
    assert "cluster" in task.template_fields
    assert set(task.cluster) == {"namespace", "label_selector", "kubernetes_conn_id", "kubeconfig", "context"}


def test_a_pipeline_run_past_its_time_is_reported_and_an_ordinary_failure_is_not_reported_twice():
    dag = load("k8s_tuning_pipeline")
    assert dag.dagrun_timeout.total_seconds() > dag.params.get_param("wait_seconds").schema["maximum"]
    assert dag.on_failure_callback.reasons == ["run_overdue"]


def test_the_monitors_run_tells_the_truth_in_time():
    """Its time-out is reported, a target that hangs is given up, and its last task knows what is missing."""
    dag = load("k8s_health_monitor")
    assert dag.on_failure_callback.reasons == ["run_overdue"]
    for name in ("monitor_jobs", "evaluate_health", "collect_events", "record_history"):
        task = dag.get_task(f"target.{name}")
        tries = (task.execution_timeout + task.retry_delay) * (1 + task.retries)
        assert tries.total_seconds() <= 300, "the other targets' alerts wait for no longer than a check's distance"
    assert [task.task_id for task in dag.leaves] == ["report"]
    assert {dag.get_task(name).trigger_rule for name in ("plan_alerts", "report")} == {"all_done"}


def test_the_sessions_namespace_is_the_default():
    params = load("k8s_tuning_pipeline").params.dump()
    assert params["namespace"] is None


def test_dry_run_and_no_alerts_are_the_defaults():
    params = load("k8s_tuning_pipeline").params.dump()
    assert (params["apply_enabled"], params["alerts_enabled"]) == (False, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("namespace", "Bad_NS"), ("apply_enabled", "yes"), ("channel_type", "pigeon"), ("webhook_url", "https://x/y"),
     ("history_file", "h.jsonl"),
     ("wait_seconds", -1), ("session_id", "-bad-"), ("events_limit", 0), ("session_config", "")],
)  # fmt: skip
def test_a_wrong_param_is_refused_before_the_run_starts(name, value):
    params = load("k8s_tuning_pipeline").params
    params.validate()
    with pytest.raises(ParamValidationError, match=name):
        params[name] = value


def python(code, **env):
    """What a fresh interpreter prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **env}
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_parsing_the_dags_imports_no_client():
    code = ["import runpy, sys, airflow.sdk", f"sys.path.insert(0, {str(ROOT / 'plugins')!r})"]
    code += ["before = set(sys.modules)", *(f"runpy.run_path({str(path)!r})" for path in FILES.values())]
    code += ["print(*{name.split('.')[0] for name in set(sys.modules) - before})"]
    imported = set(python("\n".join(code)).split())
    assert "k8s_tuning" in imported
    assert not imported & {"aiohttp", "kubernetes", "kubernetes_asyncio", "duckdb", "kubernetes_validate"}


@pytest.mark.slow
def test_airflow_finds_the_plugin_without_an_error(tmp_path):
    code = "from airflow.plugins_manager import _get_plugins as get; import sys\n"
    code += "print([p.name for p in get()[0] if p.name == 'k8s_tuning'], get()[1], 'stages' in sys.modules)"
    found = python(code, AIRFLOW_HOME=str(tmp_path), AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"))
    assert found == "['k8s_tuning'] {} False"
