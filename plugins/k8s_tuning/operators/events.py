"""D34's events as a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning.operators.stage import ClusterStageOperator, from_xcom, to_xcom
from k8s_tuning.stages.events.snapshot import generate_events_report_text
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot


class CollectEventsOperator(ClusterStageOperator):
    """Reads the selection's events, the `events_limit` that tell most of what is wrong; returns K8sEventSnapshot.

    `health`: what EvaluateHealthOperator returned, where the events of Jobs that are not OK go before others'.
    """

    template_fields = (*ClusterStageOperator.template_fields, "events_limit", "health")

    def __init__(self, *, events_limit: int | str = 20, health: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.health = health
        self.events_limit = events_limit

    def run_stage(self, context: Context) -> Any:
        target = self.target()
        self.health_page = target.page
        from k8s_tuning.cluster.events import K8sEventCollector
        from k8s_tuning.usecases.check_target import collect_events

        access, limit = target.access(), int(self.events_limit)
        health = from_xcom(K8sHealthSnapshot, self.health) if self.health else None
        collector = K8sEventCollector(
            target.namespace, target.label_selector, limit=limit, access=access, cluster=target.name
        )
        snapshot = collect_events(collector, health)
        self.report(generate_events_report_text(snapshot))
        return to_xcom(snapshot, context)
