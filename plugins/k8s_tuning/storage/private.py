"""Files that others on the machine have no business to read: manifests with their env, logs, messages.

The owner and the group read and write them, as far as the umask lets: 0640 with the usual 022, 0660 with the 002 that
Airflow's image has, so that containers with other uids and one group share a volume.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import filelock

FILE_MODE = 0o660
FOLDER_MODE = 0o770


def create(path: Path) -> BinaryIO:
    """The file, private where it is made, empty and open for writing. OSError where it cannot be."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE), "wb")


def make_folder(path: Path) -> None:
    """The folder, with those above it, private where it is made. OSError where it cannot be."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def lock(path: Path | str, timeout: float) -> filelock.FileLock:
    """The lock with this file: the group's whatever the umask, so that who makes it first shuts nobody else out."""
    return filelock.FileLock(path, timeout=timeout, mode=FILE_MODE, poll_interval=0.01)
