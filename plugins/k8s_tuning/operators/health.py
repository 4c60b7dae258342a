"""D33 as a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Context

from k8s_tuning.operators.bundles import page_of
from k8s_tuning.operators.stage import StageOperator, from_xcom, to_xcom
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, generate_health_report_text
from k8s_tuning.stages.health.policy import HealthPolicy
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage.state_dir import StateDir


class EvaluateHealthOperator(StageOperator):
    """Says OK, WARN or ERROR of a snapshot; returns K8sHealthSnapshot. Failing Jobs are no failure of the task.

    `waited`: what the task that waited returned, where there is one; it names the Jobs that were applied. A Job that
    was applied and is not there any more is what it was last seen to be, by `waited` and by the session's file;
    `missing` or `gone` where nobody saw it end. `policy_file`: "" for built-in levels.
    """

    template_fields = ("snapshot", "waited", "policy_file")

    def __init__(self, *, snapshot: Any, waited: Any = None, policy_file: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.waited = waited
        self.policy_file = policy_file

    def run_stage(self, context: Context) -> Any:
        from k8s_tuning.usecases.check_target import judge

        policy = HealthPolicy.load(Path(self.policy_file)) if self.policy_file else None
        expected = (self.waited or {}).get("job_names", ())
        snapshot = from_xcom(K8sMonitorSnapshot, self.snapshot)
        self.health_page = page_of(snapshot.namespace, snapshot.selector, snapshot.cluster)
        sessions = SessionStore(StateDir.default().sessions)
        health = judge(K8sHealthEvaluator(policy=policy), snapshot, sessions, expected, self.waited)
        self.report(generate_health_report_text(health))
        return to_xcom(health, context)
