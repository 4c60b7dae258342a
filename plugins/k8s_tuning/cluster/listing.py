"""A Kubernetes list, read while it arrives: every item is handed on and forgotten; no answer is held whole.

A server need not honour `limit`, and 200 MB of JSON are 1.3 GB of Python objects. Pure: bytes in, kept values out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from k8s_tuning.stages.api_values import Json, as_mapping, mapping

T = TypeVar("T")

# The API server keeps objects of at most 1.5 MiB (etcd's limit), of which JSON may make several times that.
MOST_ITEM_BYTES = 16 * 1024 * 1024
MOST_ITEMS = 200_000
_STEP = 256 * 1024
# Possessive: a text that has not ended yet ends the match.
_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
# Up to the next brace or bracket that is not within a text.
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|' + _TEXT + rb")*+([{}\[\]])", re.DOTALL)
_TOKEN = re.compile(rb'[^"{}\[\]]*+(' + _TEXT + rb"|[{}\[\]])", re.DOTALL)
_OPENS_ITEMS = re.compile(rb"\s*:\s*(\[|[^\s\[])")
# What stands before the first value, and before every other: the end of the list, or nothing more.
_BEFORE_FIRST = re.compile(rb"\s*+(?:(\])|(?=[^,]))")
_BEFORE_NEXT = re.compile(rb"\s*+(?:(\])|,\s*+(?=[^,\]]))")
# A value that is neither an object nor a list is whole where something follows it.
_SCALAR = re.compile(rb"(?:" + _TEXT + rb'|[^\s,\[\]{}"]++)(?=\s*+[,\]])', re.DOTALL)


class NotAList(Exception):  # noqa: N818 - becomes a BadAnswer where it is known what was asked
    """The bytes are no JSON object with a list of `items`, or hold more than is read."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """`kept`: what `keep` made of each item; `token`: where the list goes on, "" at its end."""

    kept: list[T]
    token: str
    resource_version: str


def json_object(data: bytes) -> Json | None:
    """The JSON object that the bytes are, None where they are none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


class ListReader(Generic[T]):
    """Takes a list's bytes in pieces and applies `keep` to every item. NotAList where they are none."""

    def __init__(self, keep: Callable[[Json], T]) -> None:
        self._keep = keep
        self._kept: list[T] = []
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._data = b""
        self._head: bytes | None = None
        self._ended = False
        self._depth = self._position = self._values = 0

    def write(self, piece: bytes) -> None:
        """The next piece."""
        self._pieces.append(piece)
        self._waiting += len(piece)
        # At least as much as is left over: an item that comes in a thousand pieces is not scanned a thousand times.
        if self._waiting >= max(_STEP, len(self._data)):
            self._scan()
            if len(self._data) > MOST_ITEM_BYTES:
                raise NotAList(f"more than {MOST_ITEM_BYTES // 1024**2} MiB between two items")

    def getvalue(self) -> Page[T]:
        """The page, after the last piece."""
        self._scan()
        if self._head is not None and not self._ended:
            raise NotAList("it ends within its items")
        if self._data[:200].lstrip().startswith(b"<"):
            raise NotAList("a web page")
        page = json_object(self._data if self._head is None else self._head + b"[]" + self._data)
        if page is None:
            raise NotAList("not a JSON object")
        items = page.get("items")
        if (
            items
            or (items is None and not str(page.get("kind", "")).endswith("List"))
            or not isinstance(items, list | None)
        ):
            raise NotAList("no list of items")
        metadata = mapping(page, "metadata")
        return Page(self._kept, str(metadata.get("continue") or ""), str(metadata.get("resourceVersion") or ""))

    def _scan(self) -> None:
        self._data = b"".join([self._data, *self._pieces])
        self._pieces, self._waiting = [], 0
        if self._head is None:
            self._find_items()
        if self._head is not None and not self._ended:
            self._take_items()

    def _find_items(self) -> None:
        """The head ends where the list of items begins: `"items": [` in the outermost object."""
        depth = position = 0
        while (token := _TOKEN.match(self._data, position)) is not None:
            found, position = token[1], token.end()
            if found in (b"{", b"["):
                depth += 1
            elif found in (b"}", b"]"):
                depth -= 1
            elif found == b'"items"' and depth == 1:
                opens = _OPENS_ITEMS.match(self._data, position)
                if opens is not None and opens[1] == b"[":
                    self._head, self._data = self._data[: opens.start(1)], self._data[opens.end() :]
                    return

    def _take_items(self) -> None:
        data, start, position = self._data, 0, self._position
        while True:
            if self._depth:  # within an object or a list
                bracket = _BRACKET.match(data, position)
                if bracket is None:
                    break
                position = bracket.end()
                self._depth += 1 if bracket[1] in (b"{", b"[") else -1
                if not self._depth:
                    self._take(data[start:position])
                continue
            start = position
            before = (_BEFORE_NEXT if self._values else _BEFORE_FIRST).match(data, position)
            if before is None:
                break
            if before[1] is not None:
                self._ended, start, position = True, before.end(), before.end()
                break
            if data[before.end() : before.end() + 1] in (b"{", b"["):
                self._depth, start, position = 1, before.end(), before.end() + 1
                continue
            scalar = _SCALAR.match(data, before.end())
            if scalar is None:
                break
            position = scalar.end()
            self._take(data[before.end() : position])
        # Whatever does not go on as JSON waits for more, in vain: `getvalue` reports it.
        self._data, self._position = data[start:], position - start

    def _take(self, value: bytes) -> None:
        """One value of the list. What is no object is one that says nothing: left out, nobody would miss it."""
        self._values += 1
        if self._values > MOST_ITEMS:
            raise NotAList(f"more than {MOST_ITEMS:,} items")
        try:
            self._kept.append(self._keep(as_mapping(orjson.loads(value))))
        except orjson.JSONDecodeError as error:
            raise NotAList("not a JSON object") from error
