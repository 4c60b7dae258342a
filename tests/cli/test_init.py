"""`k8s-tuning init`: lists, writes what is missing, keeps what differs unless it is asked to replace it."""

from pathlib import Path

import pytest

from k8s_tuning.cli import main

EDITED = "include/configs/targets.yaml"


def files(directory: Path) -> dict[str, str]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_text() for path in found}


def test_a_dry_run_lists_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "project"), "--dry-run"]) == 0
    assert "dags/k8s_tuning_pipeline.py: would be created" in capsys.readouterr().out
    assert files(tmp_path) == {}


def test_a_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 0
    assert "dags/k8s_tuning_pipeline.py: created" in capsys.readouterr().out
    first = files(tmp_path)
    assert main(["init", str(tmp_path)]) == 0
    assert "dags/k8s_tuning_pipeline.py: is there already" in capsys.readouterr().out
    assert files(tmp_path) == first


def test_a_file_that_differs_is_kept_named_and_replaced_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["init", str(tmp_path)])
    shipped = files(tmp_path)
    (tmp_path / EDITED).write_text("mine: true\n")
    capsys.readouterr()
    assert main(["init", str(tmp_path)]) == 0
    assert f"{EDITED}: differs, and was kept; --overwrite replaces it" in capsys.readouterr().out
    assert files(tmp_path) == shipped | {EDITED: "mine: true\n"}
    assert main(["init", str(tmp_path), "--overwrite", "--dry-run"]) == 0
    assert f"{EDITED}: would be replaced" in capsys.readouterr().out
    assert files(tmp_path)[EDITED] == "mine: true\n"
    assert main(["init", str(tmp_path), "--overwrite"]) == 0
    assert f"{EDITED}: replaced" in capsys.readouterr().out
    assert files(tmp_path) == shipped


def test_a_file_is_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["init", str(tmp_path / "file")]) == 3
    assert (
        capsys.readouterr().err
        == f"k8s-tuning init: {tmp_path / 'file'}: not a directory; give the Airflow project's\n"
    )
