"""Values that nobody expects in JSON, and where to put them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 10**30, 1.5, 1e308, "", "x", "한글 🚀", "\x1b[2J", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "2025-11-16", "1e999999999", "9" * 5000, "1-5", "0-99999999999999",
    "x" * 20_000, [], {}, [None], ["x"], [[]], [{}], {"a": None}, {"": ""}, [1], {"x": {}}, [{"type": []}],
    [{"name": {}}],
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in the data."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with one value replaced."""
    whole: dict[str, Any] = {"": copy.deepcopy(data)}
    steps, place = ("", *path), whole
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    return whole[""]
