"""D32 as a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning.operators.stage import ClusterStageOperator, to_xcom
from k8s_tuning.stages.monitor.report import generate_monitor_report_text


class MonitorJobsOperator(ClusterStageOperator):
    """Reads the selected Jobs, their pods and logs; returns K8sMonitorSnapshot.

    A cluster that can't be read is no failure of the task: the snapshot's `errors` say so, and health is then not OK.
    """

    def run_stage(self, context: Context) -> Any:
        target = self.target()
        self.health_page = target.page
        from k8s_tuning.cluster.monitor import K8sJobMonitor

        snapshot = K8sJobMonitor(
            target.namespace, target.label_selector, access=target.access(), cluster=target.name
        ).load_snapshot()
        self.report(generate_monitor_report_text(snapshot))
        return to_xcom(snapshot, context)
