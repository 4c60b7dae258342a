"""The DAGs and configuration files of this package, laid into an Airflow or Astro project."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from k8s_tuning import installation
from k8s_tuning.errors import InputError

_SUFFIXES = (".py", ".yaml")


class FileState(StrEnum):
    """What the project has in a file's place."""

    ABSENT = "absent"
    SAME = "same"
    DIFFERS = "differs"


@dataclass(frozen=True)
class ProjectFile:
    """One file that the package ships. `name`: its path in a project; `source`: where it is copied from."""

    name: Path
    source: Path
    state: FileState


def compare_project(directory: Path) -> list[ProjectFile]:
    """Every file that is shipped, in order, and what the directory has of it; the directory need not exist.

    Raises: InputError where something that is no readable file stands in a file's place.
    """
    return [
        ProjectFile(place / source.name, source, _state(directory / place / source.name, source))
        for place, folder in installation.shipped_folders().items()
        for source in sorted(folder.iterdir())
        if source.suffix in _SUFFIXES and source.name != "__init__.py"
    ]


def write_project(directory: Path, files: Iterable[ProjectFile]) -> None:
    """Copy these files into the directory, each whole or not at all. InputError where one cannot be written."""
    for file in files:
        path = directory / file.name
        draft = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(file.source.read_bytes())
            draft.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise InputError(f"{path}: {error.strerror}; give a directory that you may write to") from error


def _state(path: Path, source: Path) -> FileState:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return FileState.ABSENT
    except IsADirectoryError as error:
        raise InputError(f"{path}: {error.strerror}; a file belongs there: move what is in its place") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a directory that you may read and write to") from error
    return FileState.SAME if found == source.read_bytes() else FileState.DIFFERS
