"""The files that runs leave beside the history, a folder a run, and what a crash left half-written."""

from __future__ import annotations

import shutil
from pathlib import Path

from k8s_tuning.errors import StoreError
from k8s_tuning.storage.append_log import DRAFT_SUFFIX

_DAY_SECONDS = 86_400


def drop_old(folder: Path, max_age_days: float, now: float) -> int:
    """Delete the files below `folder` that lie in folders where nothing is younger; how many. `now`: Unix seconds.

    A run's files go together: half of a session's manifests would be another session. StoreError where one cannot go.
    """
    dropped = 0
    try:
        for run in [one for one in folder.glob("*") if one.is_dir() and not one.is_symlink()]:
            files = [path for path in run.rglob("*") if path.is_symlink() or not path.is_dir()]
            newest = max((path.lstat().st_mtime for path in [*files, run]), default=now)
            if newest < now - max_age_days * _DAY_SECONDS:
                shutil.rmtree(run)
                dropped += len(files)
            elif any(one.is_dir() for one in run.iterdir()):
                dropped += drop_old(run, max_age_days, now)
    except FileNotFoundError:
        return dropped  # another clean-up was quicker
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: cannot be deleted: {error.strerror}") from error
    return dropped


def drop_old_files(folder: Path, max_age_days: float, now: float) -> int:
    """Delete each file below `folder` that is older, and folders that are empty then; how many files."""
    dropped = 0
    for path in sorted(folder.rglob("*"), reverse=True):  # what a folder holds comes before it
        try:
            if path.lstat().st_mtime >= now - max_age_days * _DAY_SECONDS and not path.is_dir():
                continue
            if not path.is_dir() or path.is_symlink():
                path.unlink()
                dropped += 1
            elif path.stat().st_mtime < now - _DAY_SECONDS and not any(path.iterdir()):
                path.rmdir()
        except FileNotFoundError:
            continue  # another clean-up was quicker
        except OSError as error:
            raise StoreError(f"{path}: cannot be deleted: {error.strerror}") from error
    return dropped


def drop_drafts(folder: Path, now: float) -> int:
    """Delete what a crash left of files that were being written in `folder`: drafts older than a day; how many."""
    dropped = 0
    for path in [*folder.glob(f".*{DRAFT_SUFFIX}"), *folder.glob(".*.part")]:
        try:
            if path.stat().st_mtime < now - _DAY_SECONDS:
                path.unlink()
                dropped += 1
        except OSError:
            continue  # gone, or not this user's
    return dropped
