"""What server-side apply's own types refuse of a configuration, beyond what decoding does. Pure.

(sigs.k8s.io/structured-merge-diff/typed/validate.go)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8s_tuning_sandbox.dialect import Dialect
from k8s_tuning_sandbox.paths import item_key, shown_path
from k8s_tuning_sandbox.schema import QUANTITY, Definition, list_keys, member


def problem(dialect: Dialect, definition: str, applied: Any) -> str | None:
    """What is wrong, None for nothing."""
    found = list(_problems(dialect, dialect.schema.resolve(definition), applied, ()))
    if len(found) > 1:
        return "errors:\n" + "\n".join(f"  {one}" for one in found)
    return found[0] if found else None


def _problems(dialect: Dialect, definition: Definition, value: Any, path: tuple[str, ...]) -> Iterator[str]:
    keys = list_keys(definition) if isinstance(value, list) else None
    quantity = definition.get("$ref", "").endswith(QUANTITY)
    definition = dialect.schema.resolve(definition)
    if quantity and not dialect.since(26) and isinstance(value, (int, float)):
        yield f"{shown_path(path)}: expected string, got &value.valueUnstructured{{Value:{value}}}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            below, declared = (*path, f"f:{name}"), member(definition, name)
            if declared is None and ("properties" in definition or "additionalProperties" in definition):
                yield f"{shown_path(below)}: field not declared in schema"
            else:
                yield from _problems(dialect, declared or {}, inner, below)
    elif isinstance(value, list) and keys:
        yield from _items(dialect, definition, value, keys, path)


def _items(
    dialect: Dialect, definition: Definition, value: list[Any], keys: tuple[str, ...], path: tuple[str, ...]
) -> Iterator[str]:
    seen = set()
    for item in value:
        if not isinstance(item, dict):
            continue
        below = (*path, item_key(item, keys))
        if below in seen:
            yield f"{shown_path(path)}: duplicate entries for key {shown_path(below[-1:])}"
        seen.add(below)
        yield from _problems(dialect, definition.get("items") or {}, item, below)
