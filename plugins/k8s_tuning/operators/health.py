"""D33 as a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Context

from k8s_tuning.operators.stage import StageOperator, give, page_of, take
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, generate_health_report_text
from k8s_tuning.stages.health.last_seen import with_ends
from k8s_tuning.stages.health.policy import HealthPolicy
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.sessions.store import SESSIONS, SessionStore
from k8s_tuning.storage import places


class EvaluateHealthOperator(StageOperator):
    """Says OK, WARN or ERROR of a snapshot; returns K8sHealthSnapshot. Ill Jobs are no failure of the task.

    `applied` and `waited`: what the tasks that applied and waited returned, where there are such; either names the Jobs
    that were applied. A Job that was applied and is not there any more is what it was last seen to be, by `waited` and
    by the session's file in `sessions_dir` (`sessions/` beside the history); `missing` or `gone` where nobody saw it
    end. `policy_file`: "" for built-in levels.
    """

    template_fields = ("snapshot", "applied", "waited", "policy_file", "sessions_dir")

    def __init__(
        self,
        *,
        snapshot: Any,
        applied: Any = None,
        waited: Any = None,
        policy_file: str = "",
        sessions_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.applied = applied
        self.waited = waited
        self.policy_file = policy_file
        self.sessions_dir = sessions_dir or str(places.history_dir() / SESSIONS)

    def run_stage(self, context: Context) -> Any:
        """Evaluate."""
        policy = HealthPolicy.load(Path(self.policy_file)) if self.policy_file else HealthPolicy.default()
        expected = (self.applied or self.waited or {}).get("job_names", ())
        snapshot = take(K8sMonitorSnapshot, self.snapshot)
        self.health_page = page_of(snapshot.namespace, snapshot.selector, snapshot.cluster)
        known = SessionStore(self.sessions_dir).last_seen(snapshot.namespace, expected)
        last_seen = with_ends(known, self.waited or {})
        health = K8sHealthEvaluator(policy=policy).evaluate(snapshot, expected, last_seen)
        self.report(generate_health_report_text(health))
        return give(health, context)
