"""A growing file is added up by reading only what is new, and read afresh when it is another file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import StoreError
from k8s_tuning.storage.append_log import AppendLog
from k8s_tuning.storage.jsonl import decode
from k8s_tuning.storage.tail import TailReader, by_line


def _reader(path: Path) -> TailReader[list[int]]:
    return TailReader(path, list, by_line(decode, lambda seen, record: seen.append(record["n"])))


def _append(path: Path, *numbers: int) -> None:
    for number in numbers:
        AppendLog(path).append({"n": number})


def test_a_file_that_is_not_there_is_empty_and_is_read_once_it_comes(tmp_path: Path) -> None:
    """The first scrape of a fresh installation is no error."""
    reader = _reader(tmp_path / "f.jsonl")
    assert reader.state() == []
    _append(tmp_path / "f.jsonl", 1)
    assert reader.state() == [1]


def test_only_what_was_appended_is_read_again(tmp_path: Path) -> None:
    """A record is added once, however often the state is asked for."""
    path = tmp_path / "f.jsonl"
    reader = _reader(path)
    _append(path, 1, 2)
    first = reader.state()
    _append(path, 3)
    assert reader.state() == [1, 2, 3]
    assert reader.state() is first, "the state was built anew"


def test_a_torn_tail_waits_until_it_is_whole(tmp_path: Path) -> None:
    """A reader that comes in the middle of a write neither counts half a record nor loses it."""
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2')
    reader = _reader(path)
    assert reader.state() == [1]
    with path.open("ab") as handle:
        handle.write(b"2}\n")
    assert reader.state() == [1, 22]


@pytest.mark.parametrize("keep_inode", [True, False], ids=["written over", "replaced"])
def test_another_file_in_its_place_is_read_from_its_start(tmp_path: Path, keep_inode: bool) -> None:
    """Retention replaces the file; what was counted of the old one must not stay, and none is counted twice."""
    path = tmp_path / "f.jsonl"
    _append(path, 1, 2, 3)
    reader = _reader(path)
    assert reader.state() == [1, 2, 3]
    text = "".join(json.dumps({"n": number}) + "\n" for number in (7, 8, 9, 10))
    if keep_inode:
        path.write_text(text)
    else:
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").replace(path)
    assert reader.state() == [7, 8, 9, 10]
    path.unlink()
    assert reader.state() == []


def test_a_file_cut_short_is_read_again(tmp_path: Path) -> None:
    """A file that a person truncated is not taken for one that only did not grow."""
    path = tmp_path / "f.jsonl"
    _append(path, 1, 2, 3)
    reader = _reader(path)
    reader.state()
    path.write_text('{"n": 5}\n')
    assert reader.state() == [5]


def test_a_path_that_is_no_file_is_a_clear_error(tmp_path: Path) -> None:
    """A folder in the file's place is not an empty history."""
    reader = _reader(tmp_path)
    with pytest.raises(StoreError, match="not a regular file"):
        reader.state()


@given(
    st.lists(
        st.one_of(st.integers(0, 9), st.sampled_from([b"\n", b"torn{", b"\0\0\0\n", b"[1]\n", b"ask"])), max_size=30
    )
)
def test_reading_often_sees_what_reading_once_sees(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    """However the checks fall between whole, broken and torn writes, the sum is that of the whole file."""
    path = tmp_path_factory.mktemp("tail") / "f.jsonl"
    reader = _reader(path)
    for step in steps:
        if isinstance(step, int):
            _append(path, step)
        elif step == b"ask":
            reader.state()
        else:
            assert isinstance(step, bytes)
            with path.open("ab") as handle:
                handle.write(step)
    assert reader.state() == _reader(path).state()
