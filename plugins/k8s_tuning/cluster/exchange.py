"""One request to the API server and its answer, as data, what reads the answer's body, and its warnings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from k8s_tuning.cluster.faults import Call
from k8s_tuning.printable import one_line

# Objects are bounded by etcd (1.5 MiB), logs by their request. Lists are never held as a whole: theirs is a bound on
# the work that a server without an end can make.
MOST_BYTES = 32 * 1024 * 1024
MOST_LIST_BYTES = 512 * 1024 * 1024
MOST_WARNINGS = 20
LONGEST_WARNING = 1_000
# RFC 7234, 5.5: code, agent, text, and perhaps a date. Commas part several in one header, and may be in a text too.
_WARNING = re.compile(r'\s*\d{3} [^\s,"]+ "((?:[^"\\]++|\\.)*+)"(?: "[^"]*+")?\s*(?:,|\Z)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
Params = Mapping[str, str | int]
T = TypeVar("T")
R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class ApiRequest:
    """One request. `most_bytes`: of the unpacked answer, None for one without an end (a watch).

    `cut`: what goes on behind `most_bytes` is not read; else it is a fault. `retry_seconds`: how long it is tried again
    (default: the connection's), 0 for what must not be sent twice.
    """

    method: str
    call: Call
    params: Params | None = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    most_bytes: int | None = field(default_factory=lambda: MOST_BYTES)
    cut: bool = False
    retry_seconds: float | None = None
    read_seconds: float | None = None


@dataclass(frozen=True)
class ApiAnswer(Generic[T]):
    """A whole 2xx answer. `warnings`: what the server remarked beside it."""

    status: int
    body: T
    warnings: Sequence[str] = ()


class Body(Protocol[R]):
    """Takes an answer's body piece by piece, as io.BytesIO does for one that is held whole."""

    def write(self, piece: bytes, /) -> object:
        """The next piece."""

    def getvalue(self) -> R:
        """What it was, after the last piece."""


def read_warnings(headers: Iterable[str]) -> list[str]:
    """The texts of all Warning headers (`299 - "text"`): each once, printable, bounded in length and number.

    They come from admission (PodSecurity, policies), validation (a fractional byte, an unknown field) and deprecations.
    A header that is not as it should be is shown as it stands.
    """
    texts = dict.fromkeys(one_line(text, LONGEST_WARNING) for header in headers for text in _texts(header))
    found = [text for text in texts if text]
    left_out = len(found) - MOST_WARNINGS
    return found if left_out <= 0 else [*found[:MOST_WARNINGS], f"… and {left_out} more"]


def _texts(header: str) -> Iterable[str]:
    position = 0
    while position < len(header):
        found = _WARNING.match(header, position)
        if found is None:
            yield header[position:]
            return
        yield _ESCAPED.sub(r"\1", found[1])
        position = found.end()
