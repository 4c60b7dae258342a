"""How a run ends: by its own Jobs' health, whatever else its target holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.pipeline.result import K8sTuningPipelineResult
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunStore
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.end_run import judge_run, record_run

AT = "2025-11-16T10:00:00Z"


def health(*jobs: tuple[str, str], errors: tuple[str, ...] = (), listed: bool = True) -> K8sHealthSnapshot:
    """Jobs by session and level."""
    judged = [
        K8sJobHealth(f"arb-tuning-{number}", "n", "RUNNING", 0, 0, 1, HealthLevel(level), [], {"session_id": session})
        for number, (session, level) in enumerate(jobs)
    ]
    worst = "ERROR" if any(level == "ERROR" for _, level in jobs) else "WARN" if errors else "OK"
    return K8sHealthSnapshot("n", "a=b", judged, list(errors), HealthLevel(worst), AT, jobs_listed=listed)


@pytest.mark.parametrize(
    ("target", "broke", "strict", "ends"),
    [
        (health(("own", "OK"), ("other", "ERROR")), False, False, (0, "OK", False)),
        (health(("own", "ERROR")), False, False, (2, "ERROR", False)),
        (health(("own", "WARN")), False, False, (0, "WARN", False)),
        (health(("own", "WARN")), False, True, (1, "WARN", False)),
        (health(("own", "OK")), True, False, (3, "OK", False)),
        (health(("other", "ERROR")), False, False, (0, "OK", True)),
        (health(errors=("no list",), listed=False), False, False, (3, "WARN", False)),
    ],
    ids=["others' failure", "own failure", "WARN", "WARN, strict", "a stage broke", "idle", "Jobs not listed"],
)
def test_a_run_ends_by_the_health_of_its_own_jobs(
    target: K8sHealthSnapshot, broke: bool, strict: bool, ends: tuple[int, str, bool]
) -> None:
    result = K8sTuningPipelineResult(mode="apply")
    judge_run(result, target, {"own"}, (), broke=broke, strict=strict)
    assert (result.exit_code, result.health_status, result.idle) == ends
    assert result.jobs_listed == target.jobs_listed


def test_a_job_without_a_session_is_the_runs_by_its_name() -> None:
    result = K8sTuningPipelineResult(mode="apply")
    own = judge_run(result, health(("", "ERROR")), (), ["arb-tuning-0"], broke=False, strict=False)
    assert (result.exit_code, len(own.jobs_health)) == (2, 1)


def test_the_journal_has_a_line_of_the_run(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    record_run(state, K8sTuningPipelineResult(mode="dry_run", exit_code=0), "d/밤", AT, {"generate": 1.5})
    (run,) = K8sPipelineRunStore(state.runs).recent(5)
    assert (run.run_id, run.exit_code, run.stage_seconds, run.health_status) == ("d/밤", 0, {"generate": 1.5}, None)
