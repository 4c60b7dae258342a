"""The one lock: it keeps another process out, goes with its process, and says who holds it too long."""

from __future__ import annotations

import contextlib
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s_tuning.errors import StoreError
from k8s_tuning.storage import locks

HOLD = (
    "import sys, time; from k8s_tuning.storage import locks\n"
    "with locks.lock(sys.argv[1], 5): print('held', flush=True); time.sleep(60)"
)


@contextlib.contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One that holds the lock."""
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield other
    finally:
        other.kill()
        other.wait()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.05)


def test_another_process_is_kept_out_and_the_error_names_what_is_held(tmp_path: Path) -> None:
    path = tmp_path / "f.lock"
    mine = locks.held(path, locks.busy(tmp_path / "f.jsonl", path), contextlib.nullcontext())
    with another_process(path), pytest.raises(StoreError, match=r"f\.jsonl: another process has held .*f\.lock"), mine:
        pass


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    """A crash leaves none behind; the file that stays is no lock."""
    path = tmp_path / "f.lock"
    with another_process(path) as other:
        other.kill()
        other.wait()
        with locks.held(path, "busy", contextlib.nullcontext()):
            pass


def test_a_group_may_share_it_whatever_the_umask_of_who_came_first(tmp_path: Path) -> None:
    with locks.held(tmp_path / "below" / "f.lock", "busy", contextlib.nullcontext()):
        mode = stat.S_IMODE((tmp_path / "below" / "f.lock").stat().st_mode)
    assert mode == 0o660


def test_what_fails_under_the_lock_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "f.lock"
    with pytest.raises(ValueError, match="mine"), locks.held(path, "busy", contextlib.nullcontext()):
        raise ValueError("mine")
    with locks.held(path, "busy", contextlib.nullcontext()):
        pass
