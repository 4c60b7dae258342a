"""Searching, sorting and paging lists that fit into memory: the Jobs of a snapshot or of a session. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from k8s_tuning.errors import InputError

Item = TypeVar("Item")
_DIGITS = re.compile(r"(\d+)")


def search(items: Iterable[Item], query: str | None, text: Callable[[Item], str]) -> list[Item]:
    """The items whose text has every word of the query in it, in any case."""
    words = (query or "").casefold().split()
    return [item for item in items if all(word in text(item).casefold() for word in words)] if words else list(items)


def sort(items: Sequence[Item], key: str, order: str, keys: Mapping[str, Callable[[Item], Any]]) -> list[Item]:
    """By one of `keys`; no value (None) stands last in either order. InputError for an unknown key or order."""
    if key not in keys:
        raise InputError(f"sort: {key!r} is not one of {', '.join(keys)}")
    if order not in ("asc", "desc"):
        raise InputError(f"order: {order!r} is neither asc nor desc")
    value = keys[key]
    known = sorted((item for item in items if value(item) is not None), key=value, reverse=order == "desc")
    return known + [item for item in items if value(item) is None]


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which worker-2 comes before worker-10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(text) if part)
