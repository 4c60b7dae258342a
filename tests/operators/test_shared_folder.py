"""A shared folder that is not shared: the first task's host wrote it, another task's host does not see it."""

import platform
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from k8s_tuning.operators.stage import StageOperator
from k8s_tuning.storage.volume import identity


class Writing(StageOperator):
    """A stage that does its work."""

    def run_stage(self, context):
        return "done"


class Run:
    """One DAG run: tasks on named hosts, each with the folder that is mounted there."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.xcoms = monkeypatch, {}
        with DAG("d") as self.dag:
            first, later, mapped = (Writing(task_id=name) for name in ("first", "later", "mapped"))
            first >> later >> mapped

    def on(self, host, folder, task_id):
        def push(key, value):
            self.xcoms[task_id, key] = value

        def pull(*, task_ids, key, map_indexes):
            return self.xcoms.get((task_ids, key))

        self.monkeypatch.setattr(platform, "node", lambda: host)
        self.monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(folder))
        ti = SimpleNamespace(task_id=task_id, xcom_push=push, xcom_pull=pull)
        return self.dag.get_task(task_id).execute({"ti": ti})


@pytest.fixture
def run(monkeypatch):
    return Run(monkeypatch)


def test_hosts_that_share_the_folder_work_on(run, tmp_path):
    (tmp_path / "mounted-elsewhere").symlink_to(tmp_path / "volume")
    assert run.on("worker-1", tmp_path / "volume", "first") == "done"
    assert run.on("worker-2", tmp_path / "volume", "later") == "done"
    assert run.on("worker-3", tmp_path / "mounted-elsewhere", "mapped") == "done"


@pytest.mark.parametrize("task", ["later", "mapped"])
@pytest.mark.parametrize("theirs", ["empty", "missing", "of another volume"])
def test_a_task_on_a_host_that_does_not_share_it_fails_at_once_and_writes_nothing(run, tmp_path, theirs, task):
    here = tmp_path / "theirs"
    if theirs != "missing":
        here.mkdir()
    if theirs == "of another volume":
        identity(here)
    before = sorted(tmp_path.rglob("*"))
    run.on("worker-1", tmp_path / "volume", "first")
    with pytest.raises(AirflowFailException) as failed:
        run.on("worker-2", here, task)
    said = str(failed.value)
    assert (
        f"{here} on this host (worker-2) is not the folder {tmp_path / 'volume'} that first had on host worker-1"
        in said
    )
    assert "one ReadWriteMany volume at $K8S_TUNING_HISTORY_DIR in all components" in said
    assert "k8s-tuning doctor volume" in said
    assert [
        path for path in sorted(tmp_path.rglob("*")) if (tmp_path / "volume") not in (path, *path.parents)
    ] == before


def test_a_task_that_is_cleared_later_finds_the_same_folder(run, tmp_path):
    for _ in range(2):
        run.on("worker-1", tmp_path, "first")
        assert run.on("worker-2", tmp_path, "later") == "done"


def test_a_run_whose_first_task_handed_nothing_on_is_not_checked(run, tmp_path):
    """One that an earlier version began."""
    assert run.on("worker-2", tmp_path, "later") == "done"


def test_a_folder_that_cannot_be_written_is_reported_by_who_writes_there(run, tmp_path):
    (tmp_path / "file").write_text("")
    assert run.on("worker-1", tmp_path / "file", "first") == "done"


def test_a_task_outside_a_dag_is_not_checked():
    assert Writing(task_id="alone").execute({}) == "done"
