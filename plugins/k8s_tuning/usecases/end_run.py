"""D36: how a pipeline run ends, by the health of its own Jobs; and its line in the journal of runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot, of_run
from k8s_tuning.stages.pipeline.result import PIPELINE_FAILED, K8sTuningPipelineResult, health_exit_code
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore
from k8s_tuning.storage.state_dir import StateDir


def judge_run(
    result: K8sTuningPipelineResult,
    health: K8sHealthSnapshot,
    session_ids: Collection[str],
    job_names: Collection[str],
    *,
    broke: bool,
    strict: bool,
) -> K8sHealthSnapshot:
    """Write into `result` what the target's health says of the run's own Jobs, and how the run ends; their health.

    A target may hold Jobs of other sessions, which no run made red or can make green. `broke`: a stage did, so that the
    run ends with 3 whatever the health is.
    """
    own = of_run(health, session_ids, job_names)
    result.health_status, result.idle, result.jobs_listed = own.overall_health, own.idle, own.jobs_listed
    found = health_exit_code(own.overall_health, strict, jobs_listed=own.jobs_listed)
    result.exit_code = PIPELINE_FAILED if broke else found
    return own


def record_run(
    state: StateDir, result: K8sTuningPipelineResult, run_id: str, now: str, seconds: Mapping[str, float]
) -> None:
    """Append the run to the journal. `seconds`: how long each stage took. StoreError where it cannot be written."""
    record = K8sPipelineRunRecord(now, run_id, result.mode, result.exit_code, result.health_status, dict(seconds))
    K8sPipelineRunStore(state.runs).append(record)
