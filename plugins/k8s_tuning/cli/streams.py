"""Standard output and standard error, however the caller left them: closed, full, a pipe without a reader, ASCII."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import sys

from k8s_tuning.errors import InputError, OutputError

CANNOT = 3
# As a shell says of a command that SIGPIPE ended: 128 + 13.
READER_GONE = 141
_ESCAPES = "k8s-tuning-escapes"


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""What an encoding does not have, as JSON writes it (`\ud55c`), so that JSON stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPES, _escaped)


class _Output(io.TextIOWrapper):
    """Standard output that says that it failed: an OSError by itself does not say of what it is."""

    fault: OSError | None = None

    def write(self, text: str) -> int:
        """Write."""
        try:
            return super().write(text)
        except OSError as error:
            self.fault = error
            raise OutputError(*error.args) from None

    def flush(self) -> None:
        """Flush."""
        try:
            super().flush()
        except OSError as error:
            self.fault = error
            raise OutputError(*error.args) from None


def prepare() -> None:
    """Make both fit for any text. InputError where standard output is closed: what is said would be lost."""
    is_closed = sys.stdout is None
    for descriptor in (0, 1, 2):
        # Else the next file that is opened gets the number, and what is printed ends in it.
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")
    if type(sys.stdout) is io.TextIOWrapper:
        given = sys.stdout
        sys.stdout = _Output(
            given.buffer,
            encoding=given.encoding,
            line_buffering=given.line_buffering,
            write_through=given.write_through,
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPES)
    if is_closed:
        raise InputError("standard output is closed; where nobody reads it, send it to /dev/null")


def say(message: str) -> None:
    """One message on standard error. That nobody can read it is no fault of the command."""
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def _output_fault() -> OSError | None:
    """Why standard output did not take what was printed, None where it did; all of it is then written."""
    fault = None
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        fault = error
    return getattr(sys.stdout, "fault", fault)


def finish(code: int, name: str) -> int:
    """The exit code: `code` where all that was printed is written, else what that means."""
    fault = _output_fault()
    if fault is not None:
        _throw_away(1)
        if isinstance(fault, BrokenPipeError):
            code = CANNOT if code == CANNOT else READER_GONE
        else:
            say(f"{name}: standard output: cannot be written: {fault.strerror or type(fault).__name__}")
            code = CANNOT
    try:
        sys.stderr.flush()
    except OSError:
        _throw_away(2)
    return code


def _throw_away(descriptor: int) -> None:
    """Python writes what is left when it ends, and would fail once more, with another exit code."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
