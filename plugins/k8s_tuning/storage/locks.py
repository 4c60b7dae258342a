"""The one lock: of a file beside what it guards, held by one process at a time on all hosts that share the folder.

filelock locks with flock(2) on a file opened for writing, which Linux hands to an NFS server as a lock that every
client sees (nfs(5), local_lock=none). The lock goes with its process, so that a crash leaves none behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import filelock

from k8s_tuning.errors import StoreError
from k8s_tuning.storage.private import FILE_MODE

# How long a writer waits for another one.
WAIT_SECONDS = 60.0


def lock(path: Path | str, timeout: float) -> filelock.FileLock:
    """The lock with this file: the group's whatever the umask, so that who makes it first shuts nobody else out."""
    return filelock.FileLock(path, timeout=timeout, mode=FILE_MODE, poll_interval=0.01)


def busy(guarded: Path, name: Path | str) -> str:
    """That others hold the lock called `name` of what it guards, and what to do."""
    return (
        f"{guarded}: another process has held {name} for {WAIT_SECONDS:.0f} s; "
        "see which (`fuser` or `lslocks`) and stop it if it hangs"
    )


@contextlib.contextmanager
def held(path: Path, busy: str, faults: AbstractContextManager[None]) -> Iterator[None]:
    """Hold the lock with this file. StoreError, with `busy` as its text, where others hold it for WAIT_SECONDS.

    `faults`: what an OSError goes through where there can be no lock. The first one makes the folder.
    """
    taken = lock(path, WAIT_SECONDS)
    with faults:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            taken.acquire()
        except filelock.Timeout:
            raise StoreError(busy) from None
    try:
        yield
    finally:
        # What was done under the lock is done; a lock that cannot be given back goes with its process.
        with contextlib.suppress(OSError):
            taken.release()
