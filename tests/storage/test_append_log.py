"""The journal: whole lines, once, under concurrent writers, crashes, full disks and damaged files."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples

from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.storage import append_log, jsonl, locks
from k8s_tuning.storage.append_log import AppendLog

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON_VALUES, max_size=4)
# Anything that is not a JSON object on its line: torn records, other JSON, NULs, bytes that are no UTF-8.
DEBRIS = st.sampled_from(
    [b'{"timestamp": "2025', b"null", b"[1]", b"12", b"\0" * 40, b"\xff\xfe", b"", b"   ", b'{"a":1}{"b":2}']
)


def write_in_a_process(path: Path, first: int, count: int) -> subprocess.Popen[bytes]:
    code = """
        import sys
        from k8s_tuning.storage.append_log import AppendLog
        path, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        for number in range(first, first + count):
            AppendLog(path).append({"n": number, "text": "가" * 500}, unless=lambda find: find(["n"]))
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(path), str(first), str(count)])


def oldest_first(file: AppendLog) -> list[dict[str, Any]]:
    return [record for _, line in file.lines() if (record := jsonl.decode(line)) is not None]


@settings(max_examples=examples(60))
@given(pieces=st.lists(RECORDS | DEBRIS, max_size=12))
def test_reads_every_whole_record_in_order_between_any_debris(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[dict[str, object] | bytes]
) -> None:
    """Broken neighbours hide nothing, in either direction."""
    file = AppendLog(tmp_path_factory.mktemp("journal") / "j.jsonl")
    with file.path.open("ab") as handle:
        for piece in pieces:
            handle.write(piece + b"\n" if isinstance(piece, bytes) else jsonl.encode(piece))
    records = [piece for piece in pieces if isinstance(piece, dict)]
    assert oldest_first(file) == records
    assert list(file.newest_first()) == records[::-1]


@settings(max_examples=examples(150))
@given(
    lines=st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), max_size=30),
    block=st.integers(1, 25),
    longest=st.integers(25, 60),  # as in the real ones: a line may span blocks, a block is within the limit
    torn=st.binary(max_size=60).filter(lambda line: b"\n" not in line),
)
def test_blocks_of_any_size_give_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], block: int, longest: int, torn: bytes
) -> None:
    """Where a block ends, and where the length limit lies, changes no line and no offset."""
    data = b"".join(line + b"\n" for line in lines) + torn
    file = AppendLog(tmp_path_factory.mktemp("journal") / "j.jsonl")
    file.path.write_bytes(data)
    expected, offset = [], 0
    for line in [*lines, torn]:
        if 0 < len(line) <= longest:
            expected.append((offset, line))
        offset += len(line) + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "BLOCK_BYTES", block)
        patch.setattr(jsonl, "FIRST_BLOCK_BYTES", block)
        patch.setattr(jsonl, "MAX_LINE_BYTES", longest)
        backward = [(at, line) for at, line in file.lines_newest_first() if line]
        forward = list(file.lines())
    assert forward == expected
    assert backward == expected[::-1]


def test_a_missing_file_reads_as_empty_and_is_made_with_its_folders(tmp_path: Path) -> None:
    file = AppendLog(tmp_path / "a" / "b" / "j.jsonl")
    assert list(file.newest_first()) == oldest_first(file) == []
    assert not (tmp_path / "a").exists(), "reading makes nothing"
    assert file.append({"이름": "📈"}) == ({"이름": "📈"}, True)
    assert file.path.read_text() == '{"이름": "📈", "format": 1}\n'


def test_a_torn_tail_costs_only_itself_and_the_next_append_heals(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    file.append({"n": 1})
    with file.path.open("ab") as handle:
        handle.write(b'{"n": 2, "te')
    assert [record["n"] for record in file.newest_first()] == [1]
    file.append({"n": 3})
    assert [record["n"] for record in file.newest_first()] == [3, 1]
    assert file.path.read_bytes().endswith(b'"te\n{"n": 3, "format": 1}\n')
    assert "byte 22" in caplog.text, "the log says where the broken line is"


def test_nuls_after_a_power_loss_cost_nothing_written_after_them(tmp_path: Path) -> None:
    """A file whose length grew but whose bytes never arrived ends in NULs; a writer elsewhere may go on behind them."""
    file = AppendLog(tmp_path / "j.jsonl")
    file.path.write_bytes(b'{"n": 1}\n' + b"\0" * 5000)
    file.append({"n": 2})
    with file.path.open("ab") as handle:
        handle.write(b"\0" * 10 + b'{"n": 3}\n')
    assert [record["n"] for record in file.newest_first()] == [3, 2, 1]
    assert [record["n"] for record in oldest_first(file)] == [1, 2, 3]


def test_writers_in_many_processes_lose_and_tear_nothing(tmp_path: Path) -> None:
    """Ranges overlap, so that `once` is raced for too: every number stands there exactly once."""
    path = tmp_path / "j.jsonl"
    writers = [write_in_a_process(path, first, 60) for first in (0, 30, 60, 90)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0, 0]
    lines = path.read_bytes().splitlines()
    assert sorted(json.loads(line)["n"] for line in lines) == list(range(150))


def test_writers_in_threads_lose_nothing(tmp_path: Path) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: file.append({"n": number}), range(100)))
    assert sorted(record["n"] for record in oldest_first(file)) == list(range(100))


def test_a_writer_killed_at_any_moment_costs_at_most_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    writer = write_in_a_process(path, 0, 100_000)
    while not path.exists() or path.stat().st_size < 100_000:
        assert writer.poll() is None
        time.sleep(0.01)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    file = AppendLog(path)
    file.append({"n": -1})
    numbers = [record["n"] for record in oldest_first(file)]
    assert numbers == [*range(len(numbers) - 1), -1]


def test_two_links_to_one_file_meet_at_one_lock(tmp_path: Path) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    file.append({"n": 1})
    link = tmp_path / "elsewhere" / "link.jsonl"
    link.parent.mkdir()
    link.symlink_to(file.path)
    AppendLog(link).append({"n": 2})
    assert not (link.parent / "link.jsonl.lock").exists()
    assert [record["n"] for record in oldest_first(file)] == [1, 2]


class TestOnce:
    def test_finds_the_record_however_far_back_it_is(self, tmp_path: Path) -> None:
        """Not only in a window at the end: the first of 20,000 records, behind a torn line, counts."""
        file = AppendLog(tmp_path / "j.jsonl")
        first = {"run_id": "manual__첫째", "namespace": "a"}
        with file.path.open("ab") as handle:
            handle.write(b'{"run_id": "manu\n' + jsonl.encode(first))
            handle.writelines(jsonl.encode({"run_id": f"scheduled__{n}", "namespace": "a" * 60}) for n in range(20_000))
        size = file.path.stat().st_size
        assert size > 2 * jsonl.BLOCK_BYTES
        assert file.append(first | {"x": 1}, unless=lambda find: find(["run_id", "namespace"])) == (first, False)
        assert file.path.stat().st_size == size
        assert file.append(first | {"namespace": "b"}, unless=lambda find: find(["run_id", "namespace"]))[1]

    @settings(max_examples=examples(80))
    @given(
        keys=st.lists(
            st.tuples(st.sampled_from(["r", "rr", "r\n가", '"r"']), st.sampled_from(["a", "b"])), max_size=25
        ),
        block=st.integers(1, 90),
    )
    def test_is_exact_wherever_blocks_end(
        self, tmp_path_factory: pytest.TempPathFactory, keys: list[tuple[str, str]], block: int
    ) -> None:
        """Values that hold each other, need escapes, or stand in other fields are kept apart."""
        file = AppendLog(tmp_path_factory.mktemp("journal") / "j.jsonl")
        seen: set[tuple[str, str]] = set()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jsonl, "BLOCK_BYTES", block)
            patch.setattr(jsonl, "FIRST_BLOCK_BYTES", block)
            patch.setattr(os, "fsync", lambda _: None)
            for run, target in keys:
                record = {"note": f"{run} {target}", "other": run, "run": run, "target": target}
                assert file.append(record, unless=lambda find: find(["run", "target"]))[1] is (
                    (run, target) not in seen
                )
                seen.add((run, target))


class TestFaults:
    def test_a_full_disk_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        """A real limit: the kernel writes a part of the line, then refuses the rest."""
        file = AppendLog(tmp_path / "j.jsonl")
        file.append({"n": 1})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        try:
            with pytest.raises(StoreError, match=r"j\.jsonl: cannot be written to: File too large"):
                file.append({"n": 2, "text": "x" * 9000})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        assert file.path.read_bytes() == b'{"n": 1, "format": 1}\n'
        file.append({"n": 3})
        assert [record["n"] for record in oldest_first(file)] == [1, 3]

    def test_no_space_on_the_device_says_what_to_do(self) -> None:
        """/dev/full answers every write with ENOSPC."""
        with pytest.raises(OSError, match="No space"):
            append_log._write_whole(os.open("/dev/full", os.O_WRONLY), b"x\n", 0)
        file = AppendLog("/dev/full")
        with pytest.raises(StoreError, match="free space on the volume"), file.naming_faults("written to"):
            raise OSError(28, "No space left on device")

    def test_no_permission_says_what_to_do(self, tmp_path: Path) -> None:
        """Run as another user where the test runs as root, for whom no file is locked."""
        file = AppendLog(tmp_path / "j.jsonl")
        file.append({"n": 1})
        (tmp_path / "folder.jsonl").mkdir()
        with pytest.raises(StoreError, match="name a file, not a folder"):
            AppendLog(tmp_path / "folder.jsonl").append({})
        with pytest.raises(StoreError, match="goes through a file"):
            AppendLog(file.path / "below.jsonl").append({})
        for folder in (tmp_path, *tmp_path.parents[:3]):
            folder.chmod(0o755)
        file.path.chmod(0o600)
        if os.geteuid() == 0:
            os.seteuid(65534)
        else:
            file.path.chmod(0)
        try:
            for act in (lambda: list(file.newest_first()), lambda: file.append({})):
                with pytest.raises(StoreError, match="permission on the file and its folder"):
                    act()
        finally:
            if os.getuid() == 0:
                os.seteuid(0)

    def test_a_lock_held_too_long_names_the_lock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = AppendLog(tmp_path / "j.jsonl")
        monkeypatch.setattr(locks, "WAIT_SECONDS", 0.05)
        with file._locked(), ThreadPoolExecutor(1) as pool, pytest.raises(StoreError, match=r"held .*j\.jsonl\.lock"):
            pool.submit(file.append, {}).result()

    @pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"], ids=["nan", "set", "bytes"])
    def test_what_is_no_json_is_refused_and_nothing_written(self, tmp_path: Path, value: object) -> None:
        file = AppendLog(tmp_path / "j.jsonl")
        with pytest.raises(InputError, match="cannot be written as JSON"):
            file.append({"value": value})
        assert not file.path.exists()

    def test_a_record_over_the_limit_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="at most 8,388,608"):
            AppendLog(tmp_path / "j.jsonl").append({"text": "x" * jsonl.MAX_LINE_BYTES})

    @pytest.mark.parametrize("event", ["renamed", "replaced", "the lock's folder is gone"])
    def test_what_happens_to_the_name_while_a_line_is_written_makes_no_failure_of_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str
    ) -> None:
        """As logrotate does: the line is on disk, in the file that was renamed."""
        file, moved = AppendLog(tmp_path / "logs" / "j.jsonl"), tmp_path / "logs" / "j.jsonl.1"
        file.append({"n": 1})
        fsync = os.fsync

        def rotate(descriptor: int) -> None:
            fsync(descriptor)
            if event == "the lock's folder is gone":
                file.path.parent.rename(tmp_path / "moved")
            else:
                file.path.rename(moved)
            if event == "replaced":
                file.path.touch()

        monkeypatch.setattr(os, "fsync", rotate)
        assert file.append({"n": 2})[1]
        monkeypatch.undo()
        found = tmp_path / "moved" / "j.jsonl" if "folder" in event else moved
        assert [record["n"] for record in oldest_first(AppendLog(found))] == [1, 2]

    def test_a_file_that_is_deleted_while_a_line_is_written_is_made_again_with_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = AppendLog(tmp_path / "j.jsonl")
        file.append({"n": 1})
        fsync, deleted = os.fsync, []

        def delete(descriptor: int) -> None:
            fsync(descriptor)
            if not deleted:
                deleted.append(file.path.unlink())

        monkeypatch.setattr(os, "fsync", delete)
        assert file.append({"n": 2})[1]
        assert oldest_first(file) == [{"n": 2}]

    def test_a_file_that_is_deleted_each_time_is_said_to_be(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = AppendLog(tmp_path / "j.jsonl")
        fsync = os.fsync

        def delete(descriptor: int) -> None:
            fsync(descriptor)
            file.path.unlink(missing_ok=True)

        monkeypatch.setattr(os, "fsync", delete)
        with pytest.raises(StoreError, match="deleted again and again"):
            file.append({"n": 2})

    def test_a_close_that_fails_is_no_failure_of_what_is_on_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """NFS tells of a quota at close; after fsync it has reported of all there is."""
        file, close = AppendLog(tmp_path / "j.jsonl"), os.close

        def failing(descriptor: int) -> None:
            is_journal = Path(f"/proc/self/fd/{descriptor}").readlink() == file.path
            close(descriptor)
            if is_journal:
                raise OSError(5, "Input/output error")

        file.append({"n": 1})
        monkeypatch.setattr(os, "close", failing)
        assert file.append({"n": 2})[1]
        monkeypatch.undo()
        assert [record["n"] for record in oldest_first(file)] == [1, 2]

    def test_a_folder_whose_names_cannot_be_made_to_last_gets_no_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failure is reported only of what is not there."""
        file, fsync = AppendLog(tmp_path / "j.jsonl"), os.fsync

        def failing(descriptor: int) -> None:
            if Path(f"/proc/self/fd/{descriptor}").is_dir():
                raise OSError(5, "Input/output error")
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(StoreError, match="Input/output error"):
            file.append({"n": 1})
        assert file.path.read_bytes() == b""

    def test_a_fifo_in_the_files_place_does_not_hang_the_reader(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "j.jsonl")
        with pytest.raises(StoreError, match="not a regular file"):
            list(AppendLog(tmp_path / "j.jsonl").newest_first())
        for path in (tmp_path / "j.jsonl", Path("/dev/null")):
            with pytest.raises(StoreError, match="not a regular file"):
                AppendLog(path).append({"n": 1})


def test_a_line_of_a_hundred_megabytes_is_skipped_in_bounded_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    file.append({"n": 1})
    with file.path.open("ab") as handle:
        for _ in range(100):
            handle.write(b"x" * 1_000_000)
    file.append({"n": 2})
    tracemalloc.start()
    try:
        assert [record["n"] for record in file.newest_first()] == [2, 1]
        assert [record["n"] for record in oldest_first(file)] == [1, 2]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * jsonl.MAX_LINE_BYTES
    assert caplog.text.count("skipped the line at byte 22: longer than") == 2


def test_a_thousand_broken_lines_do_not_flood_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    file.path.write_bytes(b"torn\n" * 1000)
    with caplog.at_level(logging.WARNING):
        assert list(file.newest_first()) == []
    assert len(caplog.records) == 6
    assert "1000 broken lines" in caplog.text


def test_a_rewrite_is_atomic_for_readers_and_appenders(tmp_path: Path) -> None:
    """A reader in the middle of the old file goes on; the next append lands in the new one."""
    file = AppendLog(tmp_path / "j.jsonl")
    for number in range(5000):
        file.path.open("ab").write(jsonl.encode({"n": number, "text": "x" * 50}))
    file.path.chmod(0o640)
    reader = file.newest_first()
    assert next(reader)["n"] == 4999
    assert file.leave_out(lambda end: all_but(file, end, b'"n": 7,'))
    file.append({"n": -1})
    assert [record["n"] for record in reader] == list(range(4998, -1, -1))
    assert [record["n"] for record in oldest_first(file)] == [7, -1]
    assert file.path.stat().st_mode & 0o777 == 0o640


def all_but(file: AppendLog, end: int, kept: bytes) -> Iterator[tuple[int, int]]:
    for stop, block in file.blocks(end=end):
        at = stop - len(block)
        for line in block.splitlines(keepends=True):
            if kept not in line:
                yield at, at + len(line)
            at += len(line)


def test_what_is_appended_while_a_file_is_rewritten_is_in_the_new_one(tmp_path: Path) -> None:
    """Writers are never made to wait: here one appends, and finishes, between any two lines of the rewrite."""
    file = AppendLog(tmp_path / "j.jsonl")
    for number in range(20):
        file.append({"n": number})
    late = iter(range(100, 200))

    def spans(end: int) -> Iterator[tuple[int, int]]:
        for span in all_but(file, end, b'"n": 7'):
            file.append({"n": next(late)})
            yield span

    assert file.leave_out(spans)
    file.append({"n": -1})
    assert [record["n"] for record in oldest_first(file)] == [7, *range(100, 119), -1]


@pytest.mark.parametrize("torn", [b"", b'{"n": 2'], ids=["whole", "torn at its end"])
def test_a_file_that_another_process_rewrites_meanwhile_is_rewritten_from_that(tmp_path: Path, torn: bytes) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    for number in range(4):
        file.append({"n": number})
    seen = []

    def spans(end: int) -> Iterator[tuple[int, int]]:
        seen.append(end)
        if len(seen) == 1:
            (tmp_path / "other").write_bytes(b'{"n": 3}\n{"n": 4}\n' + torn)
            (tmp_path / "other").replace(file.path)
            return iter([(0, 9)])
        return all_but(file, end, b'"n": 4')

    assert file.leave_out(spans)
    assert file.path.read_bytes() == b'{"n": 4}\n' + torn
    assert seen == [88, 18]


def test_a_rewrite_that_leaves_nothing_out_touches_nothing(tmp_path: Path) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    assert not file.leave_out(lambda _: iter(()))
    file.append({"n": 1})
    before = file.path.stat()
    assert not file.leave_out(lambda _: iter(()))
    after = file.path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


def test_a_rewrite_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = AppendLog(tmp_path / "j.jsonl")
    file.append({"n": 1})

    def spans(end: int) -> Iterator[tuple[int, int]]:
        yield 0, 1
        raise StoreError("stop")

    with pytest.raises(StoreError, match="stop"):
        file.leave_out(spans)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["j.jsonl", "j.jsonl.lock"]
    assert oldest_first(file) == [{"n": 1}]
