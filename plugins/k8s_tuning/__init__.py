"""Tuning sessions as Kubernetes Jobs: generate, validate, apply, watch, judge, record, alert (D29 to D36).

The names below are the public ones; each is loaded with its module when it is first asked for, so that importing the
package costs nothing and Airflow, an HTTP client or a database driver is loaded by those alone who use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from k8s_tuning.alerts import AlertChannelConfig, K8sAlertManager
    from k8s_tuning.cluster.apply import K8sApplyExecutor
    from k8s_tuning.cluster.events import K8sEventCollector
    from k8s_tuning.cluster.monitor import K8sJobMonitor
    from k8s_tuning.errors import TuningError
    from k8s_tuning.runner import K8sTuningPipelineRunner
    from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sAlertPayload, K8sIncident
    from k8s_tuning.stages.apply.plan import (
        K8sApplyJobResult,
        K8sApplyPlan,
        K8sApplyPlanItem,
        K8sApplyResult,
        generate_apply_report_text,
    )
    from k8s_tuning.stages.events.snapshot import K8sEvent, K8sEventSnapshot
    from k8s_tuning.stages.generate.jobs import K8sJobSpec, K8sTuningJobFactory, build_k8s_jobs_from_orchestrator
    from k8s_tuning.stages.generate.session import K8sOrchestratorConfig
    from k8s_tuning.stages.health.evaluate import (
        HealthLevel,
        K8sHealthEvaluator,
        K8sHealthSnapshot,
        K8sJobHealth,
        generate_health_report_text,
    )
    from k8s_tuning.stages.history.store import K8sHealthHistoryRecord, K8sHealthHistoryStore
    from k8s_tuning.stages.monitor.report import generate_monitor_report_text
    from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot, K8sPodLog
    from k8s_tuning.stages.pipeline.result import (
        K8sTuningPipelineConfig,
        K8sTuningPipelineResult,
        generate_pipeline_report_text,
    )
    from k8s_tuning.stages.validate.plan import (
        K8sExecutionPlan,
        K8sExecutionPlanner,
        K8sJobValidation,
        K8sJobValidator,
        generate_execution_plan_text,
    )

_MODULES = {
    "alerts": ("AlertChannelConfig", "K8sAlertManager"),
    "cluster.apply": ("K8sApplyExecutor",),
    "cluster.events": ("K8sEventCollector",),
    "cluster.monitor": ("K8sJobMonitor",),
    "errors": ("TuningError",),
    "runner": ("K8sTuningPipelineRunner",),
    "stages.apply.plan": (
        "K8sApplyJobResult",
        "K8sApplyPlan",
        "K8sApplyPlanItem",
        "K8sApplyResult",
        "generate_apply_report_text",
    ),
    "stages.events.snapshot": ("K8sEvent", "K8sEventSnapshot"),
    "stages.generate.jobs": ("K8sJobSpec", "K8sTuningJobFactory", "build_k8s_jobs_from_orchestrator"),
    "stages.health.evaluate": (
        "HealthLevel",
        "K8sHealthEvaluator",
        "K8sHealthSnapshot",
        "K8sJobHealth",
        "generate_health_report_text",
    ),
    "stages.history.store": ("K8sHealthHistoryRecord", "K8sHealthHistoryStore"),
    "stages.alert.incident": ("IncidentSeverity", "K8sAlertPayload", "K8sIncident"),
    "stages.monitor.report": ("generate_monitor_report_text",),
    "stages.monitor.snapshot": ("K8sJobStatus", "K8sMonitorSnapshot", "K8sPodLog"),
    "stages.pipeline.result": ("K8sTuningPipelineConfig", "K8sTuningPipelineResult", "generate_pipeline_report_text"),
    "stages.generate.session": ("K8sOrchestratorConfig",),
    "stages.validate.plan": (
        "K8sExecutionPlan",
        "K8sExecutionPlanner",
        "K8sJobValidation",
        "K8sJobValidator",
        "generate_execution_plan_text",
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AlertChannelConfig",
    "HealthLevel",
    "IncidentSeverity",
    "K8sAlertManager",
    "K8sAlertPayload",
    "K8sApplyExecutor",
    "K8sApplyJobResult",
    "K8sApplyPlan",
    "K8sApplyPlanItem",
    "K8sApplyResult",
    "K8sEvent",
    "K8sEventCollector",
    "K8sEventSnapshot",
    "K8sExecutionPlan",
    "K8sExecutionPlanner",
    "K8sHealthEvaluator",
    "K8sHealthHistoryRecord",
    "K8sHealthHistoryStore",
    "K8sHealthSnapshot",
    "K8sIncident",
    "K8sJobHealth",
    "K8sJobMonitor",
    "K8sJobSpec",
    "K8sJobStatus",
    "K8sJobValidation",
    "K8sJobValidator",
    "K8sMonitorSnapshot",
    "K8sOrchestratorConfig",
    "K8sPodLog",
    "K8sTuningJobFactory",
    "K8sTuningPipelineConfig",
    "K8sTuningPipelineResult",
    "K8sTuningPipelineRunner",
    "TuningError",
    "build_k8s_jobs_from_orchestrator",
    "generate_apply_report_text",
    "generate_execution_plan_text",
    "generate_health_report_text",
    "generate_monitor_report_text",
    "generate_pipeline_report_text",
]


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
