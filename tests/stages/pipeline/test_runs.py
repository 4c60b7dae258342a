"""The journal of pipeline runs."""

from __future__ import annotations

from pathlib import Path

from k8s_tuning.stages.health.evaluate import HealthLevel
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore


def _run(number: int, code: int = 0) -> K8sPipelineRunRecord:
    return K8sPipelineRunRecord(
        f"2026-03-01T00:00:{number:02d}Z", f"run-{number}", "apply", code, HealthLevel.OK, {"monitor_jobs": 1.25}
    )


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Every field survives, and the oldest comes first."""
    store = K8sPipelineRunStore(tmp_path / "deep" / "runs.jsonl")
    assert store.recent() == []
    runs = [_run(number) for number in range(4)]
    assert [store.append(run) for run in runs] == runs
    assert store.recent() == runs
    assert store.recent(2) == runs[2:]


def test_a_retried_report_adds_no_second_line_and_a_repaired_run_adds_its_new_outcome(tmp_path: Path) -> None:
    """The same run with the same exit code is written once; with another one it is news."""
    store = K8sPipelineRunStore(tmp_path / "runs.jsonl")
    failed = store.append(_run(1, code=3))
    retried = _run(1, code=3)
    retried.timestamp = "2026-03-02T00:00:00Z"
    assert store.append(retried) == failed
    store.append(_run(1, code=0))
    assert [run.exit_code for run in store.recent()] == [3, 0]


def test_a_run_that_breaks_again_after_it_was_repaired_is_written_again(tmp_path: Path) -> None:
    store = K8sPipelineRunStore(tmp_path / "runs.jsonl")
    for code in (3, 0, 0, 3, 3):
        store.append(_run(1, code=code))
    assert [run.exit_code for run in store.recent()] == [3, 0, 3]


def test_a_line_that_is_no_run_hides_no_other(tmp_path: Path) -> None:
    """A broken or foreign line is passed over."""
    path = tmp_path / "runs.jsonl"
    store = K8sPipelineRunStore(path)
    store.append(_run(1))
    with path.open("a") as handle:
        handle.write('{"run_id": 5}\ntorn{\n')
    undated = _run(3)
    undated.timestamp = "yesterday"
    store.append(undated)
    store.append(_run(2))
    assert store.recent() == [_run(1), _run(2)]
