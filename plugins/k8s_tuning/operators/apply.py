"""D31 as a task: the only one that may change a cluster."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from k8s_tuning import timestamps
from k8s_tuning.addresses import session_address
from k8s_tuning.errors import ClusterError, TuningError
from k8s_tuning.operators.stage import ClusterStageOperator, is_true, run_of
from k8s_tuning.stages.apply.plan import ApplyStatus, K8sApplyPlan, K8sApplyResult, generate_apply_report_text
from k8s_tuning.stages.apply.policy import ApplyPolicy, load_policy
from k8s_tuning.stages.job_identity import SESSION_LABEL
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.sessions.store import SESSIONS, SessionStore, sessions_of
from k8s_tuning.storage import places

if TYPE_CHECKING:
    from k8s_tuning.cluster.apply import K8sApplyExecutor


class ApplyJobsOperator(ClusterStageOperator):
    """Applies the manifests in `jobs_dir`; a dry run unless `apply_enabled`. Returns the counts and the Jobs' names.

    `policy_file`: the allow-list of namespaces and contexts; "" allows all that the account may do. `sessions_dir`:
    where what was really applied is kept for the health page; `sessions/` beside the history where it is not given.
    A Job that is known there to have run, and that the cluster has not any more, is left out unless `apply_again`.
    Where one Job met a passing fault the task is tried again; `applied_jobs` counts what all tries created. A try that
    fails leaves in XCom what is in the cluster all the same, for the tasks that watch it, and `not_applied`.
    """

    template_fields = (
        *ClusterStageOperator.template_fields,
        "jobs_dir",
        "apply_enabled",
        "policy_file",
        "sessions_dir",
        "apply_again",
    )

    def __init__(
        self,
        *,
        jobs_dir: str,
        apply_enabled: bool | str = False,
        policy_file: str = "",
        sessions_dir: str | None = None,
        apply_again: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"namespace": "", **kwargs})
        self.jobs_dir = jobs_dir
        self.apply_enabled = apply_enabled
        self.policy_file = policy_file
        self.apply_again = apply_again
        self.sessions_dir = sessions_dir or str(places.history_dir() / SESSIONS)

    def run_stage(self, context: Context) -> Any:
        """Apply, or ask the server what an apply would do."""
        from k8s_tuning.cluster.apply import K8sApplyExecutor

        store = SessionStore(self.sessions_dir)
        dry_run = not is_true(self.apply_enabled, "apply_enabled")
        try:
            policy = load_policy(self.policy_file) if self.policy_file else ApplyPolicy()
            executor = K8sApplyExecutor(dry_run, access=self.hook().access(), policy=policy)
            plan = executor.build_plan(self.jobs_dir)
            again = is_true(self.apply_again, "apply_again")
            result = executor.execute_plan(plan, {} if again else store.ran(executor.planned(plan)))
        except TuningError:
            if not dry_run and (earlier := store.created_by(run_of(context))):
                done = {"job_names": earlier, "applied_jobs": len(earlier), "dry_run": False}
                context["ti"].xcom_push(key="return_value", value=done)
            raise
        self.report(generate_apply_report_text(result))
        created = {(job.namespace, job.job_name) for job in result.job_results if job.status is ApplyStatus.SUCCESS}
        for session in sessions_of(executor.applied(plan, result), run_of(context), timestamps.now(), created):
            store.applied(session)
            self.health_page = session_address(session.namespace, session.session_id)
        done = summary(result) | {"applied_jobs": 0 if dry_run else len(store.created_by(run_of(context)))}
        if result.failed_jobs:
            failed = [job for job in result.job_results if job.status is ApplyStatus.FAILED]
            # Should no try succeed, the run still watches what was applied, and its report names what was not.
            not_applied = [job.job_name for job in failed]
            context["ti"].xcom_push(key="return_value", value=done | {"not_applied": not_applied})
            fault = ClusterError(
                f"{len(failed)} of {result.total_jobs} Jobs were not applied; first: {failed[0].stderr}"
            )
            fault.retryable = any(job.retryable for job in failed)
            if fault.retryable:
                self._watch(executor, plan, result, store)
            raise fault
        return done

    def _watch(
        self, executor: K8sApplyExecutor, plan: K8sApplyPlan, result: K8sApplyResult, store: SessionStore
    ) -> None:
        """Keep how the Jobs that are there fare: until a later try succeeds, no other task of the run looks at them."""
        from k8s_tuning.cluster.monitor import K8sJobMonitor

        for session in sessions_of(executor.applied(plan, result), None, timestamps.now()):
            selector = f"{SESSION_LABEL}={session.session_id}"
            monitor = K8sJobMonitor(session.namespace, selector, access=self.hook().access(), max_log_lines=0)
            with contextlib.suppress(TuningError):  # the apply's own fault is what is told
                snapshot = monitor.load_snapshot()
                self.report(generate_monitor_report_text(snapshot))
                store.looked(snapshot, lambda labels, one=session: labels.get(SESSION_LABEL) == one.session_id)  # type: ignore[misc]


def summary(result: K8sApplyResult) -> dict[str, Any]:
    """What later tasks need to know; `job_names`: the Jobs that are in the cluster by this run's will."""
    there = [
        job.job_name for job in result.job_results if not result.dry_run and job.return_code == 0 and job.ran is None
    ]
    counts = {
        name: getattr(result, name) for name in ("total_jobs", "successful_jobs", "skipped_jobs", "unchanged_jobs")
    }
    return {**counts, "dry_run": result.dry_run, "server": result.server, "job_names": there}
