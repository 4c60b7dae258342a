"""D31: create a session's Jobs, or ask what that would do; and keep what was created, for the runs and pages after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from k8s_tuning import timestamps
from k8s_tuning.cluster import selectors
from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.errors import InputError, TuningError
from k8s_tuning.stages.apply.plan import ApplyStatus, K8sApplyJobResult, K8sApplyResult
from k8s_tuning.stages.job_identity import SESSION_LABEL
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.sessions.session import TuningSession, sessions_of
from k8s_tuning.stages.sessions.store import SessionStore


@dataclass(frozen=True)
class AppliedSession:
    """What one apply did. After a dry run only `result` says something.

    `sessions`: those of the Jobs that are in the cluster now. `in_cluster`: these Jobs' names, created now or there
    before. `created_jobs`: how many this run created, in all its tries. `failed`: the Jobs that were not applied.
    """

    result: K8sApplyResult
    sessions: list[TuningSession]
    in_cluster: list[str]
    created_jobs: int
    failed: list[K8sApplyJobResult]


def apply_session(
    executor: K8sApplyExecutor,
    jobs_dir: str | Path,
    sessions: SessionStore | None,
    run_id: str | None = None,
    *,
    again: bool = False,
    now: str | None = None,
    report: Callable[[K8sApplyResult], object] = lambda _: None,
) -> AppliedSession:
    """Apply the manifests of a directory, or ask about them; the executor says which.

    A Job that `sessions` knows to have run, and that the cluster has not any more, is left out unless `again`.
    `sessions` None: nothing is known, and nothing is kept. `report` is called before anything is kept, so that
    what was done is said also where the folder fails. A Job that cannot be applied raises no error: `failed` has it.
    InputError where the directory holds no manifest; the executor's errors else.
    """
    plan = executor.build_plan(jobs_dir)
    if not plan.jobs and not plan.invalid:
        raise InputError(f"{jobs_dir}: no .yaml file in it; run `k8s-tuning generate` first")
    ran = sessions.ran(executor.planned(plan)) if sessions is not None and not again else {}
    result = executor.execute_plan(plan, ran)
    report(result)
    created = {(job.namespace, job.job_name) for job in result.job_results if job.status is ApplyStatus.SUCCESS}
    found = sessions_of(executor.applied(plan, result), run_id, now or timestamps.now(), created)
    if sessions is not None:
        for session in found:
            sessions.applied(session)
    # Those of an earlier try of this run too; a Job of no session is of this one.
    earlier = sessions.created_by(run_id) if sessions is not None and run_id is not None else []
    is_real = not result.dry_run
    return AppliedSession(
        result,
        found,
        [job.job_name for job in result.job_results if is_real and job.return_code == 0 and job.ran is None],
        max(result.successful_jobs, len(earlier)) if is_real else 0,
        [job for job in result.job_results if job.status is ApplyStatus.FAILED],
    )


def check_applied(
    executor: K8sApplyExecutor, applied: AppliedSession, sessions: SessionStore
) -> list[K8sMonitorSnapshot]:
    """Read the Jobs of a partly failed apply, a session a snapshot, and keep how far they are.

    For a caller that tries again: until a later try succeeds, nothing else of the run reads them. What cannot be read
    is left out, for the apply's own fault is what is reported.
    """
    found = []
    for session in applied.sessions:
        selector = f"{SESSION_LABEL}={session.session_id}"
        monitor = K8sJobMonitor(session.namespace, selector, access=executor.access, max_log_lines=0)
        with contextlib.suppress(TuningError):
            found.append(monitor.load_snapshot())
            sessions.checked(found[-1], selectors.parse(selector).matches)
    return found
