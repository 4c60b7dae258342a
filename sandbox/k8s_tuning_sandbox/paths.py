"""The parts of a path into an object as FieldsV1 writes them, and how messages show them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson


def item_key(item: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The part that names a list's item by its keys."""
    return "k:" + shown({key: item.get(key, "TCP" if key == "protocol" else None) for key in keys})


def shown(value: Any) -> str:
    """A value as JSON."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def shown_path(path: Iterable[str]) -> str:
    """The path as messages show it: .spec.containers[name="c"]."""
    text = ""
    for part in path:
        if part.startswith("f:"):
            text += f".{part[2:]}"
        elif part.startswith("k:"):
            keys = orjson.loads(part[2:])
            text += "[" + ",".join(f"{key}={shown(value)}" for key, value in sorted(keys.items())) + "]"
        elif part.startswith("v:"):
            text += f"[={part[2:]}]"
    return text
