"""A folder of JSON files, each one dataclass, that several processes on several machines read and change.

A file is replaced whole, so that a reader sees the old one or the new one and takes no lock. Writers take an exclusive
one on the folder's `.lock` (locks.py), so that none of two changes is lost.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from k8s_tuning import timestamps
from k8s_tuning.errors import StoreError
from k8s_tuning.storage import locks, private

log = logging.getLogger(__name__)

T = TypeVar("T")


class JsonFolder(Generic[T]):
    """The files below `path`, each an instance of the dataclass `kind`. The first change makes the folder.

    A name is a path below the folder without `.json`; callers see to it that it stays there. What is read is kept as
    long as the file stays as it is, and shared: nobody may change it.
    """

    def __init__(self, path: str | Path, kind: type[T]) -> None:
        self.path = Path(path)
        self._kind = kind
        self._known: dict[str, tuple[tuple[int, int, int], T]] = {}

    def read(self, name: str) -> T | None:
        """What the file holds, None where there is none. StoreError where it cannot be read or is no such instance."""
        path = self._file(name)
        try:
            with path.open("rb") as handle:
                state = os.fstat(handle.fileno())
                signature = (state.st_ino, state.st_mtime_ns, state.st_size)
                known = self._known.get(name)
                if known is not None and known[0] == signature:
                    return known[1]
                value = msgspec.json.decode(handle.read(), type=self._kind)
        except FileNotFoundError:
            self._known.pop(name, None)
            return None
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be read: {error.strerror}; give this user read permission on it and its folder"
            ) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(f"{path}: damaged ({error}); delete it, what comes next is written anew") from error
        self._known[name] = (signature, value)
        return value

    def read_or_warn(self, name: str, damaged: Callable[[str], object] = log.warning) -> T | None:
        """The same, but a file that cannot be read is as good as none; `damaged` gets why."""
        try:
            return self.read(name)
        except StoreError as error:
            damaged(str(error))
            return None

    def items(self, prefix: str = "", damaged: Callable[[str], object] = log.warning) -> Iterator[tuple[str, T]]:
        """The name and the content of each file whose name begins so, by name; as `read_or_warn` has them."""
        for name in self.names():
            value = self.read_or_warn(name, damaged) if name.startswith(prefix) else None
            if value is not None:
                yield name, value

    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return sorted(str(path.relative_to(self.path))[: -len(".json")] for path in self.path.glob("**/[!.]*.json"))

    def change(self, name: str, merge: Callable[[T | None], T | None]) -> T | None:
        """Replace the file by what `merge` makes of it, under the writers' lock; what is in it then.

        `merge` gets None where there is no file, or a damaged one (which is logged); where it returns None or what it
        was given, nothing is written. StoreError where the file cannot be written; the old one then stands.
        """
        with self._locked():
            old = self.read_or_warn(name)
            new = merge(old)
            if new is None or new == old:
                return old
            path = self._file(name)
            # "replace": a lone surrogate (from a file name or a log) has no UTF-8 form.
            data = json.dumps(asdict(new), ensure_ascii=False).encode("utf-8", "replace")  # type: ignore[call-overload]
            with self._naming_faults(path, "written"):
                private.make_folder(path.parent)
                private.replace(path, data)
            return new

    def prune(self, newest_at: Callable[[T], str], max_age_days: float, now: str) -> int:
        """Delete what is older than so many days at `now` by the timestamp that `newest_at` gives; how many.

        What is damaged or half-written goes by its file's age.
        """
        oldest = timestamps.to_datetime(now) - timedelta(days=max_age_days)
        oldest_text, oldest_mtime = timestamps.to_text(oldest), oldest.timestamp()
        dropped = 0
        with self._naming_faults(self.path, "tidied up"):
            if not self.path.is_dir():
                return 0
            with self._locked():
                for name in self.names():
                    path = self._file(name)
                    value = self.read_or_warn(name)
                    if newest_at(value) < oldest_text if value is not None else path.stat().st_mtime < oldest_mtime:
                        path.unlink(missing_ok=True)
                        self._known.pop(name, None)
                        dropped += 1
                for part in self.path.glob("**/.*.part"):
                    if part.stat().st_mtime < oldest_mtime:
                        part.unlink(missing_ok=True)
        return dropped

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.json"

    def _locked(self) -> AbstractContextManager[None]:
        faults = self._naming_faults(self.path, "locked")
        return locks.held(self.path / ".lock", locks.busy(self.path, "its .lock"), faults)

    @contextlib.contextmanager
    def _naming_faults(self, path: Path, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be {done}: {error.strerror or error}; "
                "the shared volume needs free space, and must be writable for this user"
            ) from error
