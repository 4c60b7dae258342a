"""The files of runs go once they are old, a run's together; what is young stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from k8s_tuning.errors import StoreError
from k8s_tuning.storage.leftovers import drop_drafts, drop_old

DAY = 86_400
NOW = 1_800_000_000.0


def put(path: Path, days_old: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    for one in (path, path.parent):
        os.utime(one, (NOW - days_old * DAY,) * 2)
    return path


@pytest.mark.parametrize("names", [("a", "b"), ("dag/run/a", "dag/run/b"), (".hidden", "x.yaml")], ids=str)
def test_a_run_that_is_old_goes_with_its_folder(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        put(tmp_path / "jobs" / "old" / name, 40)
        put(tmp_path / "jobs" / "new" / name, 20)
    for folder in (tmp_path / "jobs").iterdir():
        os.utime(folder, (NOW - 40 * DAY,) * 2)
    assert drop_old(tmp_path / "jobs", 30, NOW) == len(names)
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["new"]
    assert drop_old(tmp_path / "jobs", 30, NOW) == 0


def test_of_a_run_with_a_young_file_all_stays(tmp_path: Path) -> None:
    """Half of a session's manifests would be another session."""
    put(tmp_path / "run" / "a.yaml", 40)
    put(tmp_path / "run" / "b.yaml", 1)
    assert drop_old(tmp_path, 30, NOW) == 0


def test_the_runs_of_one_dag_go_one_by_one(tmp_path: Path) -> None:
    put(tmp_path / "dag" / "old" / "a.json", 40)
    put(tmp_path / "dag" / "new" / "a.json", 1)
    assert drop_old(tmp_path, 30, NOW) == 1
    assert [path.name for path in (tmp_path / "dag").iterdir()] == ["new"]


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    kept = put(tmp_path / "elsewhere" / "a", 40)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "run").symlink_to(kept.parent)
    assert drop_old(tmp_path / "jobs", 30, NOW) == 0
    assert kept.exists()


def test_a_folder_that_is_not_there_has_nothing_to_drop(tmp_path: Path) -> None:
    assert drop_old(tmp_path / "none", 30, NOW) == drop_drafts(tmp_path / "none", NOW) == 0


def test_what_cannot_be_deleted_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "run" / "a", 40)

    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied", "a")

    monkeypatch.setattr("k8s_tuning.storage.leftovers.shutil.rmtree", refuse)
    with pytest.raises(StoreError, match="a: cannot be deleted: Permission denied"):
        drop_old(tmp_path, 30, NOW)


def test_drafts_of_a_crash_go_after_a_day_and_those_under_way_stay(tmp_path: Path) -> None:
    old = [put(tmp_path / name, 2) for name in (".health.jsonl.1a.rewrite", ".l.jsonl.state.2b.part")]
    new = [put(tmp_path / name, 0.5) for name in (".health.jsonl.3c.rewrite", "health.jsonl")]
    assert drop_drafts(tmp_path, NOW) == 2
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in new)
