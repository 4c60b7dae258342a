"""Tuning sessions as Kubernetes Jobs: generate, validate, apply, watch, judge, record, alert (D29 to D36).

The names below are the public ones; each is loaded with its module when it is first asked for, so that importing the
package costs nothing and Airflow, an HTTP client or a database driver is loaded by those alone who use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from k8s_tuning.alerts import AlertChannelConfig as AlertChannelConfig
    from k8s_tuning.alerts import K8sAlertManager as K8sAlertManager
    from k8s_tuning.cluster.apply import K8sApplyExecutor as K8sApplyExecutor
    from k8s_tuning.cluster.events import K8sEventCollector as K8sEventCollector
    from k8s_tuning.cluster.monitor import K8sJobMonitor as K8sJobMonitor
    from k8s_tuning.errors import TuningError as TuningError
    from k8s_tuning.runner import K8sTuningPipelineRunner as K8sTuningPipelineRunner
    from k8s_tuning.stages.alert.incident import IncidentSeverity as IncidentSeverity
    from k8s_tuning.stages.alert.incident import K8sAlertPayload as K8sAlertPayload
    from k8s_tuning.stages.alert.incident import K8sIncident as K8sIncident
    from k8s_tuning.stages.apply.plan import K8sApplyJobResult as K8sApplyJobResult
    from k8s_tuning.stages.apply.plan import K8sApplyPlan as K8sApplyPlan
    from k8s_tuning.stages.apply.plan import K8sApplyPlanItem as K8sApplyPlanItem
    from k8s_tuning.stages.apply.plan import K8sApplyResult as K8sApplyResult
    from k8s_tuning.stages.apply.plan import generate_apply_report_text as generate_apply_report_text
    from k8s_tuning.stages.events.snapshot import K8sEvent as K8sEvent
    from k8s_tuning.stages.events.snapshot import K8sEventSnapshot as K8sEventSnapshot
    from k8s_tuning.stages.generate.jobs import K8sJobSpec as K8sJobSpec
    from k8s_tuning.stages.generate.jobs import K8sTuningJobFactory as K8sTuningJobFactory
    from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator as build_k8s_jobs_from_orchestrator
    from k8s_tuning.stages.generate.session import K8sOrchestratorConfig as K8sOrchestratorConfig
    from k8s_tuning.stages.health.evaluate import HealthLevel as HealthLevel
    from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator as K8sHealthEvaluator
    from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot as K8sHealthSnapshot
    from k8s_tuning.stages.health.evaluate import K8sJobHealth as K8sJobHealth
    from k8s_tuning.stages.health.evaluate import generate_health_report_text as generate_health_report_text
    from k8s_tuning.stages.history.store import K8sHealthHistoryRecord as K8sHealthHistoryRecord
    from k8s_tuning.stages.history.store import K8sHealthHistoryStore as K8sHealthHistoryStore
    from k8s_tuning.stages.monitor.report import generate_monitor_report_text as generate_monitor_report_text
    from k8s_tuning.stages.monitor.snapshot import K8sJobStatus as K8sJobStatus
    from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot as K8sMonitorSnapshot
    from k8s_tuning.stages.monitor.snapshot import K8sPodLog as K8sPodLog
    from k8s_tuning.stages.pipeline.result import K8sTuningPipelineConfig as K8sTuningPipelineConfig
    from k8s_tuning.stages.pipeline.result import K8sTuningPipelineResult as K8sTuningPipelineResult
    from k8s_tuning.stages.pipeline.result import generate_pipeline_report_text as generate_pipeline_report_text
    from k8s_tuning.stages.validate.plan import K8sExecutionPlan as K8sExecutionPlan
    from k8s_tuning.stages.validate.plan import K8sExecutionPlanner as K8sExecutionPlanner
    from k8s_tuning.stages.validate.plan import K8sJobValidation as K8sJobValidation
    from k8s_tuning.stages.validate.plan import K8sJobValidator as K8sJobValidator
    from k8s_tuning.stages.validate.plan import generate_execution_plan_text as generate_execution_plan_text

_MODULES = {
    "alerts": "AlertChannelConfig K8sAlertManager",
    "cluster.apply": "K8sApplyExecutor",
    "cluster.events": "K8sEventCollector",
    "cluster.monitor": "K8sJobMonitor",
    "errors": "TuningError",
    "runner": "K8sTuningPipelineRunner",
    "stages.alert.incident": "IncidentSeverity K8sAlertPayload K8sIncident",
    "stages.apply.plan": "K8sApplyJobResult K8sApplyPlan K8sApplyPlanItem K8sApplyResult generate_apply_report_text",
    "stages.events.snapshot": "K8sEvent K8sEventSnapshot",
    "stages.generate.jobs": "K8sJobSpec K8sTuningJobFactory build_k8s_jobs_from_orchestrator",
    "stages.generate.session": "K8sOrchestratorConfig",
    "stages.health.evaluate": (
        "HealthLevel K8sHealthEvaluator K8sHealthSnapshot K8sJobHealth generate_health_report_text"
    ),
    "stages.history.store": "K8sHealthHistoryRecord K8sHealthHistoryStore",
    "stages.monitor.report": "generate_monitor_report_text",
    "stages.monitor.snapshot": "K8sJobStatus K8sMonitorSnapshot K8sPodLog",
    "stages.pipeline.result": "K8sTuningPipelineConfig K8sTuningPipelineResult generate_pipeline_report_text",
    "stages.validate.plan": (
        "K8sExecutionPlan K8sExecutionPlanner K8sJobValidation K8sJobValidator generate_execution_plan_text"
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name's module when the name is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
