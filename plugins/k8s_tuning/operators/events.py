"""D34's events as a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning.operators.stage import ClusterStageOperator, give, page_of, take
from k8s_tuning.stages.events.snapshot import generate_events_report_text
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot, not_ok


class CollectEventsOperator(ClusterStageOperator):
    """Reads the selection's events, the `events_limit` that tell most of what is wrong; returns K8sEventSnapshot.

    `health`: what EvaluateHealthOperator returned, where the events of Jobs that are not well go before others'.
    """

    template_fields = (*ClusterStageOperator.template_fields, "events_limit", "health")

    def __init__(self, *, events_limit: int | str = 20, health: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.health = health
        self.events_limit = events_limit

    def run_stage(self, context: Context) -> Any:
        """Collect."""
        self.health_page = page_of(self.namespace, self.label_selector, self.cluster_name())
        from k8s_tuning.cluster.events import K8sEventCollector

        access = self.hook().access()
        limit = int(self.events_limit)
        health = take(K8sHealthSnapshot, self.health) if self.health else None
        failing = not_ok(health.jobs_health) if health else ()
        collector = K8sEventCollector(
            self.namespace, self.label_selector, limit=limit, access=access, cluster=self.cluster_name()
        )
        snapshot = collector.load_events(failing)
        self.report(generate_events_report_text(snapshot))
        return give(snapshot, context)
