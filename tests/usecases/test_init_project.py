"""The shipped DAGs and configuration, laid into a project: nothing of its owner's is lost."""

from pathlib import Path

import pytest

from k8s_tuning.errors import InputError
from k8s_tuning.usecases.init_project import FileState, compare_project, write_project

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*(ROOT / "dags").glob("*.py"), *(ROOT / "include/configs").glob("*.yaml")])


def states(directory: Path) -> dict[str, FileState]:
    return {str(file.name): file.state for file in compare_project(directory)}


def test_every_dag_and_configuration_file_is_shipped(tmp_path: Path) -> None:
    found = states(tmp_path / "not there yet")
    assert sorted(found) == [str(path.relative_to(ROOT)) for path in SHIPPED]
    assert set(found.values()) == {FileState.ABSENT}


def test_a_written_project_has_the_same_bytes_and_nothing_else(tmp_path: Path) -> None:
    write_project(tmp_path, compare_project(tmp_path))
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path) for path in written] == [path.relative_to(ROOT) for path in SHIPPED]
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in SHIPPED]
    assert set(states(tmp_path).values()) == {FileState.SAME}


def test_a_file_of_the_owners_is_seen_to_differ(tmp_path: Path) -> None:
    write_project(tmp_path, compare_project(tmp_path))
    (tmp_path / "include/configs/targets.yaml").write_text("targets: []\n")
    changed = [name for name, state in states(tmp_path).items() if state is FileState.DIFFERS]
    assert changed == ["include/configs/targets.yaml"]


def test_a_directory_in_a_files_place_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "include/configs/apply.yaml").mkdir(parents=True)
    with pytest.raises(InputError, match=r"apply\.yaml: Is a directory; .*move what is in its place"):
        compare_project(tmp_path)


def test_a_directory_that_cannot_be_read_is_an_error_that_asks_for_another(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"k8s_alert_smoke_test\.py: Not a directory; give a directory that you may"):
        compare_project(tmp_path / "file" / "below")


def test_a_write_that_fails_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = compare_project(tmp_path)

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_project(tmp_path, files)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
