"""Files with env, logs and messages are for their owner and group alone, as far as the umask lets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.stages.history.test_retention import NOW

from k8s_tuning.alerts import Ledger
from k8s_tuning.operators.stage import INLINE_BYTES, to_xcom
from k8s_tuning.stages.history.latest import LatestSnapshot, LatestStore
from k8s_tuning.stages.manifests import write_manifests
from k8s_tuning.stages.sessions.session import TuningSession
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage.append_log import AppendLog
from k8s_tuning.storage.private import create, make_folder
from k8s_tuning.storage.volume import check_volume

WRITERS: dict[str, Callable[[Path], object]] = {
    "manifests": lambda folder: write_manifests({"job-00-a.yaml": "kind: Job"}, folder),
    "looks": lambda folder: LatestStore(folder).keep(LatestSnapshot("n", "s", NOW)),
    "sessions": lambda folder: SessionStore(folder).applied(TuningSession("n", "s", None, NOW)),
    "handed over": lambda folder: hand_over(folder, "x" * INLINE_BYTES),
}


def hand_over(folder: Path, value: str) -> None:
    """As a task does with what is too large for an XCom."""
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("K8S_TUNING_HISTORY_DIR", str(folder))
        to_xcom({"lines": [value]}, {"ti": ti})


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o640), (0o002, 0o660), (0o077, 0o600)], ids=oct)
@pytest.mark.parametrize("writer", WRITERS)
def test_what_runs_write_is_private(tmp_path: Path, writer: str, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        WRITERS[writer](tmp_path / "there")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "there").rglob("*") if path.is_file() and path.name != ".lock"]
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {mode}


def plan(folder: Path) -> None:
    with Ledger(folder / "ledger.jsonl").planning():
        pass


LOCKERS: dict[str, Callable[[Path], object]] = {
    "a journal": lambda folder: AppendLog(folder / "health.jsonl").append({"a": 1}),
    "a folder of files": WRITERS["sessions"],
    "planning": plan,
    "the check of the volume": lambda folder: check_volume(folder, "worker-1", NOW),
}


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077], ids=oct)
@pytest.mark.parametrize("locker", LOCKERS)
def test_a_lock_can_be_taken_by_others_of_the_group_whoever_made_its_file(
    tmp_path: Path, locker: str, umask: int
) -> None:
    """flock needs the right to write; an administrator's shell with umask 022 must not shut the workers out."""
    before = os.umask(umask)
    try:
        LOCKERS[locker](tmp_path)
    finally:
        os.umask(before)
    locks = [path for path in tmp_path.rglob("*") if path.suffix == ".lock" or path.name == ".lock"]
    assert locks
    assert {path.stat().st_mode & 0o777 for path in locks} == {0o660}


def test_a_file_that_is_there_keeps_its_mode_and_a_folder_too(tmp_path: Path) -> None:
    for path, make in ((tmp_path / "folder", make_folder), (tmp_path / "file", lambda path: create(path).close())):
        make(path)
        path.chmod(0o705)
        make(path)
        assert path.stat().st_mode & 0o777 == 0o705
