"""Files with env, logs and messages are for their owner and group alone, as far as the umask lets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.stages.test_retention import NOW

from k8s_tuning.private import create, make_folder
from k8s_tuning.stages.looks import LookStore, TargetLook
from k8s_tuning.stages.manifests import write_manifests
from k8s_tuning.stages.sessions import SessionStore, TuningSession

WRITERS: dict[str, Callable[[Path], object]] = {
    "manifests": lambda folder: write_manifests({"job-00-a.yaml": "kind: Job"}, folder),
    "looks": lambda folder: LookStore(folder).keep(TargetLook("n", "s", NOW)),
    "sessions": lambda folder: SessionStore(folder).applied(TuningSession("n", "s", None, NOW)),
}


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


def test_a_file_that_is_there_keeps_its_mode_and_a_folder_too(tmp_path: Path) -> None:
    for path, make in ((tmp_path / "folder", make_folder), (tmp_path / "file", lambda path: create(path).close())):
        make(path)
        path.chmod(0o705)
        make(path)
        assert path.stat().st_mode & 0o777 == 0o705
