"""The last net of commands, tasks, triggers and callbacks: a fault that nobody foresaw becomes one sentence.

The sentence names the kind of fault and where it happened, never the fault's own words: they may quote an address or a
token. A private file has them, without what looks like a secret, and without local variables.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from k8s_tuning.errors import OutputError, TuningError, UnforeseenError
from k8s_tuning.printable import printable
from k8s_tuning.storage import private
from k8s_tuning.storage.state_dir import tracebacks_dir

PREFIX = "k8s-tuning-traceback-"
MOST_KEPT = 20
_MOST_CHARACTERS = 200_000
_MASK = "***"
_PACKAGE = Path(__file__).resolve().parent
# Here and below from a word's start alone: a word of 100,000 letters must not be tried from each of them.
_ADDRESS = re.compile(r"(\b\w+://)[^\s'\"]+")
_SECRETS = (
    re.compile(r"(\b(?:bearer|basic)\s+)[^\s'\",)]+", re.IGNORECASE),
    re.compile(
        r"(?<![\w-])((?>[\w-]*(?:passw|pwd|secret|token|credential|api[-_]?key|signature))[\w-]*+['\"]?\s*+[=:]\s*)"
        r"(?:'[^']*'|\"[^\"]*\"|[^\s'\",;&)}]+)",
        re.IGNORECASE,
    ),
    # Tokens of themselves: Slack's, JSON Web Tokens, long runs of letters and digits.
    re.compile(r"(\b)(?:xox[a-z]-[\w-]+|eyJ[\w.-]+|(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9+=]{24,})"),
)


@contextlib.contextmanager
def net(*foreseen: type[Exception]) -> Iterator[None]:
    """Whatever is neither an error of this package nor one of `foreseen` becomes an UnforeseenError."""
    known: tuple[type[Exception], ...] = (TuningError, OutputError, *foreseen)
    try:
        yield
    except known:
        raise
    except Exception as error:  # noqa: BLE001 - the one net: what was not foreseen may be anything
        raise UnforeseenError(report(error)) from None


def without_addresses(text: str) -> str:
    """The text with what stands behind each `scheme://` as `***`: a webhook's whole address is a secret."""
    return _ADDRESS.sub(rf"\1{_MASK}", text)


def traceback_text(error: BaseException) -> str:
    """The traceback, its causes included, without what looks like a secret; of a very long one, the end."""
    text = "".join(traceback.format_exception(error))[-_MOST_CHARACTERS:]
    text = without_addresses(text)
    for secret in _SECRETS:
        text = secret.sub(rf"\1{_MASK}", text)
    return printable(text)


def report(error: BaseException) -> str:
    """One sentence on a fault that nobody foresaw; its traceback is kept in a file (0600) that the sentence names."""
    sentence = f"{type(error).__name__} in {_place(error)}, which k8s-tuning did not foresee"
    try:
        return f"{sentence}; its traceback is in {_keep(traceback_text(error))}"
    except (OSError, MemoryError, RecursionError):
        return f"{sentence}; its traceback could not be kept"


def _place(error: BaseException) -> str:
    """The innermost line of this package that the fault came through, else the innermost line of all."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(path.relative_to(_PACKAGE.parent), line) for path, line in frames if path.is_relative_to(_PACKAGE)]
    if not frames:
        return "a place unknown"
    path, line = own[-1] if own else (Path(frames[-1][0].name), frames[-1][1])
    return f"{path}:{line}"


def _keep(text: str) -> Path:
    folder = tracebacks_dir()
    try:
        private.make_folder(folder)
        handle, name = tempfile.mkstemp(".txt", PREFIX, folder)
    except OSError:
        handle, name = tempfile.mkstemp(".txt", PREFIX)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    path = Path(name)
    _drop_older(path.parent)
    return path


def _drop_older(folder: Path) -> None:
    """All but the newest MOST_KEPT; another user's stay where the folder says so."""
    dated = []
    for path in folder.glob(f"{PREFIX}*.txt"):
        with contextlib.suppress(OSError):
            dated.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(dated)[:-MOST_KEPT]:
        with contextlib.suppress(OSError):
            path.unlink()
