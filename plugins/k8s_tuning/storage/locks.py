"""The one lock: of a file beside what it guards, held by one process at a time on all hosts that share the folder.

filelock locks with flock(2) on a file opened for writing, which Linux hands to an NFS server as a lock that every
client sees (nfs(5), local_lock=none). The lock goes with its process, so that a crash leaves none behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from k8s_tuning.errors import StoreError
from k8s_tuning.storage.private import FILE_MODE

# How long a writer waits for another one.
WAIT_SECONDS = 60.0


def lock(path: Path | str, timeout: float) -> filelock.FileLock:
    """The lock with this file: the group's whatever the umask, so that who makes it first shuts nobody else out."""
    return filelock.FileLock(path, timeout=timeout, mode=FILE_MODE, poll_interval=0.01)


@contextlib.contextmanager
def held(path: Path | str, busy: str) -> Iterator[None]:
    """Hold the lock with this file. StoreError, with `busy` as its text, where others hold it for WAIT_SECONDS.

    OSError where there can be no lock. The folder must exist.
    """
    taken = lock(path, WAIT_SECONDS)
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
