"""What all stages' tasks share: faults without secrets, results that fit into XCom, runs that may be repeated."""

import json
import re
import traceback
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred

from k8s_tuning import plain_values
from k8s_tuning.errors import InputError, StoreError, Unreachable
from k8s_tuning.operators.bundles import is_true
from k8s_tuning.operators.history import RecordHistoryOperator
from k8s_tuning.operators.stage import INLINE_BYTES, StageOperator, from_xcom, to_xcom
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot, K8sPodLog

CONTEXT = {
    "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="monitor_jobs", map_index=-1, try_number=1),
    "dag": SimpleNamespace(dag_id="d"),
    "dag_run": SimpleNamespace(run_id="r"),
}


class Breaking(StageOperator):
    """Fails as a stage would."""

    def __init__(self, *, error, **kwargs):
        super().__init__(**kwargs)
        self.error = error

    def run_stage(self, context):
        try:
            raise ValueError("https://user:s3cr3t@host/")
        except ValueError as cause:
            raise self.error from cause


@pytest.mark.parametrize(
    ("error", "fault"), [(InputError("correct it"), AirflowFailException), (Unreachable("later"), AirflowException)]
)
def test_only_what_a_retry_may_fix_is_tried_again(error, fault):
    with pytest.raises(fault, match=str(error)) as failed:
        Breaking(error=error, task_id="t").execute(CONTEXT)
    assert type(failed.value) is fault
    assert "s3cr3t" not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        RecursionError(),
        MemoryError(),
        OSError("https://user:s3cr3t@host/"),
        KeyError("token=s3cr3t"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_that_nobody_foresaw_fails_at_once_in_one_sentence(error, tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    with pytest.raises(AirflowFailException) as failed:
        Breaking(error=error, task_id="t").execute(CONTEXT)
    (file,) = (tmp_path / "tracebacks").iterdir()
    assert re.fullmatch(
        rf"{type(error).__name__} in \S+, which k8s-tuning did not foresee; .*{file}", str(failed.value)
    )
    assert "s3cr3t" not in "".join(traceback.format_exception(failed.value)) + file.read_text()
    assert "run_stage" in file.read_text()


@pytest.mark.parametrize(
    "signal", [AirflowSkipException("x"), TaskDeferred(trigger=None, method_name="m"), AirflowException("later")]
)
def test_what_airflow_itself_raises_passes(signal):
    with pytest.raises(type(signal)) as raised:
        Breaking(error=signal, task_id="t").execute(CONTEXT)
    assert raised.value is signal


@pytest.mark.parametrize("lines", [1, 5000], ids=["small", "large"])
def test_a_snapshot_of_any_size_comes_back_through_a_small_xcom(lines, tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    log = K8sPodLog("pod", "n", "c", [f"반복 {number} 🚀" for number in range(lines)])
    snapshot = K8sMonitorSnapshot("n", "a=b", [], [log], "2025-11-16T10:00:00Z")
    given = json.loads(json.dumps(to_xcom(snapshot, CONTEXT)))
    assert len(json.dumps(given).encode()) < 2 * INLINE_BYTES
    assert ("file" in given) == (lines > 1)
    assert from_xcom(K8sMonitorSnapshot, given) == snapshot


def test_a_volume_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    (tmp_path / "handover").write_text("a file, not a folder")
    log = K8sPodLog("pod", "n", "c", ["x" * INLINE_BYTES])
    with pytest.raises(StoreError, match="the shared volume must be writable"):
        to_xcom(K8sMonitorSnapshot("n", "a=b", [], [log], "2025-11-16T10:00:00Z"), CONTEXT)


def test_a_handed_over_file_that_is_gone_is_an_error_that_says_what_to_clear(tmp_path):
    with pytest.raises(InputError, match="clear the task that wrote it"):
        from_xcom(K8sMonitorSnapshot, {"file": str(tmp_path / "gone.json")})
    with pytest.raises(InputError, match="no K8sMonitorSnapshot"):
        from_xcom(K8sMonitorSnapshot, None)


def test_a_repeated_record_is_the_same_record(tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    health = K8sHealthSnapshot("n", "a=b", [], [], HealthLevel.OK, "2025-11-16T10:00:00Z")
    path = tmp_path / "health.jsonl"
    task = RecordHistoryOperator(task_id="record", health=plain_values.dump(health))
    assert task.execute(CONTEXT) == task.execute(CONTEXT)
    other = {**CONTEXT, "dag": SimpleNamespace(dag_id="another")}
    task.execute(other)  # another DAG with the same run id is another run
    assert [record.run_id for record in K8sHealthHistoryStore(path).load_recent()] == ["d/r", "another/r"]


@pytest.mark.parametrize(("value", "is_on"), [(True, True), ("True", True), (False, False), ("false", False)])
def test_a_templated_switch_is_what_it_says(value, is_on):
    assert is_true(value, "x") is is_on


@pytest.mark.parametrize("value", ["yes", "", None, 2])
def test_a_switch_that_is_neither_is_refused(value):
    with pytest.raises(InputError, match="apply_enabled must be true or false"):
        is_true(value, "apply_enabled")
