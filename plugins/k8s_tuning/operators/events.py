"""D34's events as a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning.addresses import target_address
from k8s_tuning.operators.stage import ClusterStageOperator, give
from k8s_tuning.stages.events import generate_events_report_text


class CollectEventsOperator(ClusterStageOperator):
    """Reads the selection's newest `events_limit` events; returns K8sEventSnapshot."""

    template_fields = (*ClusterStageOperator.template_fields, "events_limit")

    def __init__(self, *, events_limit: int | str = 20, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.events_limit = events_limit

    def run_stage(self, context: Context) -> Any:
        """Collect."""
        self.health_page = target_address(self.namespace, self.label_selector)
        from k8s_tuning.cluster.events import K8sEventCollector

        access = self.hook().access()
        limit = int(self.events_limit)
        snapshot = K8sEventCollector(self.namespace, self.label_selector, limit=limit, access=access).load_events()
        self.report(generate_events_report_text(snapshot))
        return give(snapshot, context)
