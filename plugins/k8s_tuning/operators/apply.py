"""D31 as a task: the only one that may change a cluster."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from k8s_tuning.addresses import session_address
from k8s_tuning.errors import ClusterError, TuningError
from k8s_tuning.operators.bundles import is_true
from k8s_tuning.operators.stage import ClusterStageOperator, run_of
from k8s_tuning.stages.apply.plan import generate_apply_report_text
from k8s_tuning.stages.apply.policy import ApplyPolicy, load_policy
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage.state_dir import StateDir


class ApplyJobsOperator(ClusterStageOperator):
    """Applies the manifests in `jobs_dir`; a dry run unless `apply_enabled`. Returns the counts and the Jobs' names.

    `policy_file`: the allow-list of namespaces and contexts; "" allows all that the account may do. A Job that is known
    to have run, and that the cluster has not any more, is left out unless `apply_again`. Where one Job met a passing
    fault the task is tried again; `applied_jobs` counts what all tries created. A try that fails leaves in XCom what is
    in the cluster all the same, for the tasks that watch it, and `not_applied`.
    """

    template_fields = (*ClusterStageOperator.template_fields, "jobs_dir", "apply_enabled", "policy_file", "apply_again")

    def __init__(
        self,
        *,
        jobs_dir: str,
        apply_enabled: bool | str = False,
        policy_file: str = "",
        apply_again: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.jobs_dir = jobs_dir
        self.apply_enabled = apply_enabled
        self.policy_file = policy_file
        self.apply_again = apply_again

    def run_stage(self, context: Context) -> Any:
        from k8s_tuning.cluster.apply import K8sApplyExecutor
        from k8s_tuning.usecases.apply_session import apply_session, check_applied

        sessions, run_id = SessionStore(StateDir.default().sessions), run_of(context)
        dry_run = not is_true(self.apply_enabled, "apply_enabled")
        try:
            policy = load_policy(self.policy_file) if self.policy_file else ApplyPolicy()
            executor = K8sApplyExecutor(dry_run, access=self.target().access(), policy=policy)
            again = is_true(self.apply_again, "apply_again")
            applied = apply_session(
                executor,
                self.jobs_dir,
                sessions,
                run_id,
                again=again,
                report=lambda result: self.report(generate_apply_report_text(result)),
            )
        except TuningError:
            if not dry_run and (earlier := sessions.created_by(run_id)):
                done = {"job_names": earlier, "applied_jobs": len(earlier), "dry_run": False}
                context["ti"].xcom_push(key="return_value", value=done)
            raise
        result = applied.result
        for session in applied.sessions:
            self.health_page = session_address(session.namespace, session.session_id)
        counts = ("total_jobs", "successful_jobs", "skipped_jobs", "unchanged_jobs", "dry_run", "server")
        done = {name: getattr(result, name) for name in counts}
        done |= {"job_names": applied.in_cluster, "applied_jobs": applied.created_jobs}
        if applied.failed:
            # Should no try succeed, the run still watches what was applied, and its report names what was not.
            not_applied = [job.job_name for job in applied.failed]
            context["ti"].xcom_push(key="return_value", value=done | {"not_applied": not_applied})
            fault = ClusterError(
                f"{len(not_applied)} of {result.total_jobs} Jobs were not applied; first: {applied.failed[0].stderr}"
            )
            fault.retryable = any(job.retryable for job in applied.failed)
            if fault.retryable:
                for snapshot in check_applied(executor, applied, sessions):
                    self.report(generate_monitor_report_text(snapshot))
            raise fault
        return done
