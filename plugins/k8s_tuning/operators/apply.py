"""D31 as a task: the only one that may change a cluster."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning import places, timestamps
from k8s_tuning.addresses import session_address
from k8s_tuning.errors import ClusterError
from k8s_tuning.operators.stage import ClusterStageOperator, is_true, run_of
from k8s_tuning.stages.apply import ApplyStatus, K8sApplyResult, generate_apply_report_text
from k8s_tuning.stages.apply_policy import ApplyPolicy, load_policy
from k8s_tuning.stages.sessions import SESSIONS, SessionStore, sessions_of


class ApplyJobsOperator(ClusterStageOperator):
    """Applies the manifests in `jobs_dir`; a dry run unless `apply_enabled`. Returns the counts and the Jobs' names.

    `policy_file`: the allow-list of namespaces and contexts; "" allows all that the account may do. `sessions_dir`:
    where what was really applied is kept for the health page; `sessions/` beside the history where it is not given.
    """

    template_fields = (
        *ClusterStageOperator.template_fields,
        "jobs_dir",
        "apply_enabled",
        "policy_file",
        "sessions_dir",
    )

    def __init__(
        self,
        *,
        jobs_dir: str,
        apply_enabled: bool | str = False,
        policy_file: str = "",
        sessions_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"namespace": "", **kwargs})
        self.jobs_dir = jobs_dir
        self.apply_enabled = apply_enabled
        self.policy_file = policy_file
        self.sessions_dir = sessions_dir or str(places.history_dir() / SESSIONS)

    def run_stage(self, context: Context) -> Any:
        """Apply, or ask the server what an apply would do."""
        from k8s_tuning.cluster.apply import K8sApplyExecutor

        policy = load_policy(self.policy_file) if self.policy_file else ApplyPolicy()
        dry_run = not is_true(self.apply_enabled, "apply_enabled")
        executor = K8sApplyExecutor(dry_run, access=self.hook().access(), policy=policy)
        plan = executor.build_plan(self.jobs_dir)
        result = executor.execute_plan(plan)
        self.report(generate_apply_report_text(result))
        store = SessionStore(self.sessions_dir)
        for session in sessions_of(executor.applied(plan, result), run_of(context), timestamps.now()):
            store.applied(session)
            self.health_page = session_address(session.namespace, session.session_id)
        if result.failed_jobs:
            failed = [job for job in result.job_results if job.status is ApplyStatus.FAILED]
            raise ClusterError(f"{len(failed)} of {result.total_jobs} Jobs were not applied; first: {failed[0].stderr}")
        return summary(result)


def summary(result: K8sApplyResult) -> dict[str, Any]:
    """What later tasks need to know; `job_names`: the Jobs that are in the cluster by this run's will."""
    there = [] if result.dry_run else [job.job_name for job in result.job_results if job.return_code == 0]
    counts = {
        name: getattr(result, name) for name in ("total_jobs", "successful_jobs", "skipped_jobs", "unchanged_jobs")
    }
    return {**counts, "dry_run": result.dry_run, "server": result.server, "job_names": there}
