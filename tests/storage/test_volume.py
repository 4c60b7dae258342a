"""Is a folder shared, and do its locks reach: what one host can tell, and what two can."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from k8s_tuning.cli import main
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.storage import volume
from k8s_tuning.storage.volume import check_volume, hold, identity

NOW, LATER = "2025-11-16T10:00:00Z", "2025-11-16T10:01:00Z"


def test_a_folder_has_one_identity_whoever_asks_first(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: identity(tmp_path), range(40)))
    assert len(found) == 1
    assert len(found.pop()) == 32


def test_hosts_that_share_a_folder_see_each_other_and_nothing_is_wrong(tmp_path: Path) -> None:
    first = check_volume(tmp_path, "worker-1", NOW)
    assert (first.problems, [one.host for one in first.hosts]) == ([], ["worker-1"])
    assert "no other host has checked this folder" in first.notes[-1]
    second = check_volume(tmp_path, "worker-2", NOW)
    assert (second.problems, [one.host for one in second.hosts]) == ([], ["worker-1", "worker-2"])
    assert not any("no other host" in note for note in second.notes)


def test_a_folder_that_was_replaced_under_a_host_is_found_out(tmp_path: Path) -> None:
    check_volume(tmp_path, "worker-1", NOW)
    (tmp_path / ".volume" / "identity").write_text("another\n")
    (problem,) = check_volume(tmp_path, "worker-2", NOW).problems
    assert "worker-1 found the identity" in problem
    assert "this host finds another" in problem


def test_a_lock_that_does_not_reach_another_host_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a mount with nolock does: both hosts get it."""
    check_volume(tmp_path, "worker-1", NOW)
    lock = hold(tmp_path, "worker-1", NOW, LATER)
    assert check_volume(tmp_path, "worker-2", NOW).problems == []
    with pytest.raises(StoreError, match="another process holds the lock"):
        hold(tmp_path, "worker-2", NOW, LATER)
    lock.release()
    (problem,) = check_volume(tmp_path, "worker-2", NOW).problems
    assert "locks do not reach other hosts" in problem
    assert check_volume(tmp_path, "worker-2", LATER).problems == [], "it holds none any more"


def test_a_volume_without_locks_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "_gets", lambda _: True)
    (problem,) = check_volume(tmp_path, "worker-1", NOW).problems
    assert "the volume has no locks" in problem


def test_what_can_be_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'\.\./x' can be no file's name"):
        check_volume(tmp_path, "../x", NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable"):
        check_volume(tmp_path / "file", "a", NOW)


def test_the_command_says_so_and_exits_by_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["doctor", "volume", "--history-dir", str(tmp_path)]
    assert main([*command, "--host", "a"]) == 0
    assert "Nothing wrong was found." in capsys.readouterr().out
    (tmp_path / ".volume" / "identity").write_text("another\n")
    assert main([*command, "--host", "b", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["identity"] == "another"
    (tmp_path / "file").write_text("")
    assert main(["doctor", "volume", "--history-dir", str(tmp_path / "file")]) == 3


def test_a_host_that_holds_the_lock_keeps_a_process_elsewhere_out(tmp_path: Path) -> None:
    """Two real processes, as on two hosts of one volume."""
    code = "import sys; from k8s_tuning.cli import main; sys.exit(main(sys.argv[1:]))"
    flags = ["doctor", "volume", "--history-dir", str(tmp_path), "--host", "a", "--hold", "60"]
    holder = subprocess.Popen([sys.executable, "-c", code, *flags], stdout=subprocess.DEVNULL)
    try:
        hosts = tmp_path / ".volume" / "hosts" / "a.json"
        while not hosts.exists() or json.loads(hosts.read_text())["holds_until"] is None:
            assert holder.poll() is None
        assert main(["doctor", "volume", "--history-dir", str(tmp_path), "--host", "b"]) == 0
    finally:
        holder.kill()
        holder.wait()
