"""The completion indexes of a Job with completionMode Indexed: read from pods and texts, written as "0-2,5". Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from k8s_tuning_sandbox.resources import Object

INDEX = "batch.kubernetes.io/job-completion-index"
_MOST = 100_000  # completions that Kubernetes allows an Indexed Job
FAILURES = "batch.kubernetes.io/job-index-failure-count"


def index_of(pod: Object) -> int | None:
    """The pod's index, None where it has none."""
    return _number(pod, INDEX)


def failures_of(pod: Object) -> int:
    """How often the pods of its index had failed before this one."""
    return _number(pod, FAILURES) or 0


def parse(text: str) -> set[int]:
    """The indexes of a text such as "0-2,5"; ValueError where it is none."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        run = range(int(first), int(last or first) + 1)
        if len(run) > _MOST:
            raise ValueError(f"more than {_MOST} indexes")
        found.update(run)
    return found


def text_of(indexes: Iterable[int]) -> str:
    """The indexes as Kubernetes writes them: "0,1" two, "0-2" three in a row."""
    runs: list[tuple[int, int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1] = runs[-1][0], index
        else:
            runs.append((index, index))
    parts = (
        f"{first}" if first == last else f"{first},{last}" if last == first + 1 else f"{first}-{last}"
        for first, last in runs
    )
    return ",".join(parts)


def first_pending(count: int, completions: int, taken: Collection[int]) -> list[int]:
    """The first `count` indexes that are not taken."""
    return list(islice((index for index in range(completions) if index not in taken), count))


def _number(pod: Object, annotation: str) -> int | None:
    text = (pod["metadata"].get("annotations") or {}).get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else None
