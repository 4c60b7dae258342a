"""One request to the API server and its answer, as data, and what reads the answer's body. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from k8s_tuning.cluster.faults import Call

# Objects are bounded by etcd (1.5 MiB), logs by their request. Lists are never held as a whole: theirs is a bound on
# the work that a server without an end can make.
MOST_BYTES = 32 * 1024 * 1024
MOST_LIST_BYTES = 512 * 1024 * 1024
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
