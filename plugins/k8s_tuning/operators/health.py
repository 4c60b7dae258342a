"""D33 as a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Context

from k8s_tuning.addresses import target_address
from k8s_tuning.operators.stage import StageOperator, give, take
from k8s_tuning.stages.health import K8sHealthEvaluator, generate_health_report_text
from k8s_tuning.stages.health_policy import HealthPolicy
from k8s_tuning.stages.monitor import K8sMonitorSnapshot


class EvaluateHealthOperator(StageOperator):
    """Says OK, WARN or ERROR of a snapshot; returns K8sHealthSnapshot. Ill Jobs are no failure of the task.

    `applied` and `waited`: what the tasks that applied and waited returned, where there are such; a Job that was
    applied, was never seen to succeed and is not there any more is `missing`. `policy_file`: "" for built-in levels.
    """

    template_fields = ("snapshot", "applied", "waited", "policy_file")

    def __init__(
        self, *, snapshot: Any, applied: Any = None, waited: Any = None, policy_file: str = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.applied = applied
        self.waited = waited
        self.policy_file = policy_file

    def run_stage(self, context: Context) -> Any:
        """Evaluate."""
        policy = HealthPolicy.load(Path(self.policy_file)) if self.policy_file else HealthPolicy.default()
        succeeded = set((self.waited or {}).get("succeeded", ()))
        expected = [name for name in (self.applied or {}).get("job_names", ()) if name not in succeeded]
        snapshot = take(K8sMonitorSnapshot, self.snapshot)
        self.health_page = target_address(snapshot.namespace, snapshot.selector)
        health = K8sHealthEvaluator(policy=policy).evaluate(snapshot, expected)
        self.report(generate_health_report_text(health))
        return give(health, context)
