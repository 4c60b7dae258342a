"""One request to the API server and its answer, as data; and how an answer's body is taken in, piece by piece."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

import httpx2

from k8s_tuning.cluster.faults import Call

# Objects are bounded by etcd (1.5 MiB), logs by their request. Lists are never held as a whole: theirs is a bound on
# the work that a server without an end can make.
MOST_BYTES = 32 * 1024 * 1024
MOST_LIST_BYTES = 512 * 1024 * 1024
Params = Mapping[str, str | int]
T = TypeVar("T")
R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class Asked:
    """One request. `most_bytes`: of the unpacked answer, None for one without an end (a watch).

    `cut`: what goes on behind `most_bytes` is not read; else it is a fault.
    """

    method: str
    path: str
    call: Call
    params: Params | None = None
    content: bytes | None = None
    headers: Mapping[str, str] | None = None
    most_bytes: int | None = MOST_BYTES
    cut: bool = False
    timeout: httpx2.Timeout | None = None

    @property
    def target(self) -> str:
        """Path and query."""
        # httpx2 would take the URL apart and put it together four times a request, hundreds of times a snapshot.
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path

    @property
    def extensions(self) -> dict[str, Any]:
        """The bounds, for the transport."""
        return {"most_bytes": self.most_bytes, "cut": self.cut}


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A whole 2xx answer. `warnings`: what the server remarked beside it."""

    status: int
    headers: Mapping[str, str]
    body: T
    warnings: Sequence[str] = ()


class Body(Protocol[R]):
    """Takes an answer's body piece by piece, and says at its end what it was."""

    def feed(self, piece: bytes) -> None:
        """The next piece."""

    def finish(self) -> R:
        """The whole, after the last piece."""


class WholeBody:
    """The body's bytes."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()

    def feed(self, piece: bytes) -> None:
        """The next piece."""
        self._bytes.write(piece)

    def finish(self) -> bytes:
        """All of them."""
        return self._bytes.getvalue()
