"""`from k8s_tuning import …`: every public name, at no cost until it is used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import k8s_tuning

# The names of D29 to D36 and where each lives.
CONTRACT = {
    "stages.generate.session": ["K8sOrchestratorConfig"],
    "stages.generate.jobs": ["K8sJobSpec", "K8sTuningJobFactory", "build_k8s_jobs_from_orchestrator"],
    "stages.validate.plan": [
        "K8sJobValidator",
        "K8sJobValidation",
        "K8sExecutionPlanner",
        "K8sExecutionPlan",
        "generate_execution_plan_text",
    ],
    "cluster.apply": ["K8sApplyExecutor"],
    "stages.apply.plan": [
        "K8sApplyPlan",
        "K8sApplyPlanItem",
        "K8sApplyResult",
        "K8sApplyJobResult",
        "generate_apply_report_text",
    ],
    "cluster.monitor": ["K8sJobMonitor"],
    "stages.monitor.report": ["generate_monitor_report_text"],
    "stages.monitor.snapshot": ["K8sMonitorSnapshot", "K8sJobStatus", "K8sPodLog"],
    "stages.health.evaluate": [
        "HealthLevel",
        "K8sJobHealth",
        "K8sHealthSnapshot",
        "K8sHealthEvaluator",
        "generate_health_report_text",
    ],
    "cluster.events": ["K8sEventCollector"],
    "stages.events.snapshot": ["K8sEvent", "K8sEventSnapshot"],
    "stages.history.store": ["K8sHealthHistoryRecord", "K8sHealthHistoryStore"],
    "stages.alert.incident": ["IncidentSeverity", "K8sIncident", "K8sAlertPayload"],
    "alerts": ["AlertChannelConfig", "K8sAlertManager"],
    "stages.pipeline.result": ["K8sTuningPipelineConfig", "K8sTuningPipelineResult"],
    "runner": ["K8sTuningPipelineRunner"],
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in CONTRACT for name in CONTRACT[module]])
def test_a_public_name_is_the_one_its_module_has(module: str, name: str) -> None:
    """Not a copy: isinstance and `except` work across both ways to import it."""
    assert getattr(k8s_tuning, name) is getattr(import_module(f"k8s_tuning.{module}"), name)
    assert name in k8s_tuning.__all__


def test_every_announced_name_is_there() -> None:
    """`from k8s_tuning import *` must not fail; dir() knows what is not loaded yet."""
    assert all(getattr(k8s_tuning, name) is not None for name in k8s_tuning.__all__)
    assert set(k8s_tuning.__all__) <= set(dir(k8s_tuning))


def test_an_unknown_name_is_an_import_error() -> None:
    """And not whatever a module happens to hold."""
    with pytest.raises(ImportError, match="K8sNothing"):
        exec("from k8s_tuning import K8sNothing")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import k8s_tuning", ["airflow", "duckdb", "aiohttp", "pydantic", "k8s_tuning.stages"]),
        ("from k8s_tuning import K8sTuningPipelineRunner", ["airflow", "duckdb", "kubernetes", "prometheus_client"]),
        ("from k8s_tuning import K8sHealthHistoryStore", ["airflow", "duckdb", "aiohttp"]),
        ("import k8s_tuning.cli; k8s_tuning.cli.parser(['history'])", ["airflow", "aiohttp"]),
    ],
    ids=["the package", "the runner", "a store", "one command"],
)
def test_an_import_loads_no_more_than_it_needs(statement: str, absent: list[str]) -> None:
    """A DAG file or a task pays for every import."""
    code = f"import sys; {statement}; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["K8sJobMonitor", "K8sEventCollector", "K8sApplyExecutor"])
def test_who_reads_a_cluster_says_which(name: str) -> None:
    """The guides' own tests ask for it."""
    arguments = {} if name == "K8sApplyExecutor" else {"namespace": "trading-bots", "label_selector": "app=x"}
    reader = getattr(k8s_tuning, name)(**arguments, kubeconfig="/path/to/kubeconfig", context="my-cluster")
    assert (reader.kubeconfig, reader.context) == ("/path/to/kubeconfig", "my-cluster")
