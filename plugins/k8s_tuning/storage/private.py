"""Files that others on the machine have no business to read: manifests with their env, logs, messages.

The owner and the group read and write them, as far as the umask lets: 0640 with the usual 022, 0660 with the 002 that
Airflow's image has, so that containers with other uids and one group share a volume.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

FILE_MODE = 0o660
FOLDER_MODE = 0o770


def create(path: Path) -> BinaryIO:
    """The file, private where it is made, empty and open for writing. OSError where it cannot be."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE), "wb")


def make_folder(path: Path) -> None:
    """The folder, with those above it, private where it is made. OSError where it cannot be."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def replace(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Make `data` the file's content, whole or not at all; its folder must exist. OSError where it cannot be.

    `durable`: it is on disk when this returns; without it a power loss may leave an empty file, which suits a cache.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with create(draft) as handle:
            handle.write(data)
            if durable:
                handle.flush()
                os.fsync(handle.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
