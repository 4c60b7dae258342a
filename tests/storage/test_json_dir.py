"""A folder of JSON files: replaced whole, by many at once, and none of two changes is lost."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import StoreError
from k8s_tuning.storage.json_dir import JsonFolder

NOW = "2025-11-16T10:00:00Z"


@dataclass(frozen=True)
class Note:
    at: str = NOW
    words: list[str] = field(default_factory=list)


@pytest.fixture
def folder(tmp_path: Path) -> JsonFolder[Note]:
    return JsonFolder(tmp_path / "deep" / "notes", Note)


def put(folder: JsonFolder[Note], name: str, note: Note) -> None:
    folder.change(name, lambda _: note)


@given(words=st.lists(st.text(st.characters(exclude_categories=[]))))
def test_any_text_is_read_back_as_it_was_or_with_what_has_no_utf8_form_replaced(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    folder = JsonFolder(tmp_path_factory.mktemp("notes"), Note)
    put(folder, "a", Note(words=words))
    expected = [word.encode("utf-8", "replace").decode() for word in words]
    assert JsonFolder(folder.path, Note).read("a") == Note(words=expected)


def test_nothing_is_there_before_the_first_change(folder: JsonFolder[Note]) -> None:
    assert folder.read("a") is None
    assert folder.names() == []
    assert folder.prune(lambda note: note.at, 1, NOW) == 0
    assert not folder.path.exists()


def test_a_reader_sees_what_another_process_wrote(folder: JsonFolder[Note]) -> None:
    """What was read before is kept, but not for longer than the file stays as it is."""
    put(folder, "ns/a", Note(words=["one"]))
    assert folder.read("ns/a") is folder.read("ns/a")
    put(JsonFolder(folder.path, Note), "ns/a", Note(words=["two"]))
    assert folder.read("ns/a") == Note(words=["two"])
    (folder.path / "ns" / "a.json").unlink()
    assert folder.read("ns/a") is None


def test_a_change_that_changes_nothing_writes_nothing(folder: JsonFolder[Note]) -> None:
    put(folder, "a", Note())
    before = (folder.path / "a.json").stat().st_ino
    assert folder.change("a", lambda note: note) == Note()
    assert folder.change("a", lambda _: None) == Note()
    assert folder.change("b", lambda _: None) is None
    assert (folder.path / "a.json").stat().st_ino == before
    assert folder.names() == ["a"]


@pytest.mark.slow
def test_of_many_writers_at_once_none_loses_anothers_change(folder: JsonFolder[Note]) -> None:
    """Threads of a triggerer, each with its own store, and other processes."""

    def add(word: str) -> None:
        own = JsonFolder(folder.path, Note)
        own.change("a", lambda note: replace(note or Note(), words=[*(note or Note()).words, word]))

    code = (
        "import sys; from tests.storage.test_json_dir import *\n"
        "for n in range(20): JsonFolder(sys.argv[1], Note).change("
        "'a', lambda note: replace(note or Note(), words=[*(note or Note()).words, f'{sys.argv[2]}-{n}']))"
    )
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": f"{root}:{root / 'plugins'}"}
    others = [subprocess.Popen([sys.executable, "-c", code, folder.path, name], env=env) for name in ("x", "y")]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, [f"t-{n}" for n in range(40)]))
    assert [other.wait(60) for other in others] == [0, 0]
    note = folder.read("a")
    assert note is not None
    assert sorted(note.words) == sorted(
        f"{who}-{n}" for who, many in (("t", 40), ("x", 20), ("y", 20)) for n in range(many)
    )
    assert not list(folder.path.glob("**/.*.part"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"at": "2025', id="torn"),
        pytest.param(b"\0\0\0", id="NULs"),
        pytest.param(b'{"at": 5}', id="another type"),
        pytest.param(b'{"at": "\xff"}', id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="nested too deep"),
    ],
)
def test_a_damaged_file_is_named_with_its_cure_and_the_next_change_replaces_it(
    folder: JsonFolder[Note], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "a.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"notes/a\.json: damaged .*delete it"):
        folder.read("a")
    with caplog.at_level(logging.WARNING):
        put(folder, "a", Note(words=["새로"]))
    assert "a.json: damaged" in caplog.text
    assert folder.read("a") == Note(words=["새로"])


def test_a_later_versions_unknown_fields_are_passed_over(folder: JsonFolder[Note]) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "a.json").write_text('{"at": "2025-11-16T10:00:00Z", "new": 1}')
    assert folder.read("a") == Note()


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="shared volume"):
        put(JsonFolder(tmp_path / "file" / "notes", Note), "a", Note())
    (tmp_path / "a.json").mkdir()
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        JsonFolder(tmp_path, Note).read("a")


def test_a_writer_that_hangs_is_named_after_a_while(folder: JsonFolder[Note], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("k8s_tuning.storage.locks.WAIT_SECONDS", 0.05)

    def hang(_: Note | None) -> Note:
        put(JsonFolder(folder.path, Note), "b", Note())
        raise AssertionError("the lock was given twice")

    with pytest.raises(StoreError, match=r"another process has held its \.lock"):
        folder.change("a", hang)


def test_pruning_takes_what_is_old_and_half_written_files_of_a_crash(folder: JsonFolder[Note]) -> None:
    put(folder, "ns/old", Note("2025-11-06T09:59:59Z"))
    put(folder, "ns/young", Note("2025-11-06T10:00:00Z"))
    for name in ("damaged.json", ".old.json.part", ".new.json.part", "ns/new-damaged.json"):
        (folder.path / name).write_text("{")
    for name in ("damaged.json", ".old.json.part"):
        os.utime(folder.path / name, (1_700_000_000, 1_700_000_000))
    assert folder.prune(lambda note: note.at, 10, NOW) == 2
    assert folder.names() == ["ns/new-damaged", "ns/young"]
    assert [path.name for path in folder.path.glob(".*.part")] == [".new.json.part"]
