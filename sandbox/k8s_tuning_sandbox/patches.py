"""The other three ways to PATCH: merge patch (RFC 7386), JSON patch (RFC 6902), Kubernetes' strategic merge patch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from k8s_tuning_sandbox.schema import Definition, Schema, list_keys, member
from k8s_tuning_sandbox.status import Refusal


def merge_patch(live: Any, patch: Any) -> Any:
    """RFC 7386: a null removes, a map goes into a map, anything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def strategic(schema: Schema, live: Any, patch: Any, definition: Definition) -> Any:
    """As a merge patch, but lists with a merge key are merged by it; with the $patch directives that kubectl sends."""
    keys = list_keys(definition) if isinstance(patch, list) else None
    definition = schema.resolve(definition)
    if isinstance(patch, dict):
        if patch.get("$patch") == "replace":
            return {name: value for name, value in patch.items() if name != "$patch"}
        merged = dict(live) if isinstance(live, dict) else {}
        if (retained := patch.get("$retainKeys")) is not None:
            merged = {name: value for name, value in merged.items() if name in retained}
        for name, value in patch.items():
            if name.startswith("$deleteFromPrimitiveList/"):
                field = name.partition("/")[2]
                merged[field] = [item for item in merged.get(field, []) if item not in value]
            elif name.startswith("$"):
                continue
            elif value is None:
                merged.pop(name, None)
            else:
                merged[name] = strategic(schema, merged.get(name), value, member(definition, name) or {})
        return merged
    if not isinstance(patch, list) or keys is None or not isinstance(live, list):
        return [item for item in patch if item != {"$patch": "replace"}] if isinstance(patch, list) else patch
    if not keys:
        return [*live, *(item for item in patch if item not in live)]
    return _merged_items(schema, live, patch, keys[0], schema.resolve(definition.get("items") or {}))


def _merged_items(schema: Schema, live: list[Any], patch: list[Any], key: str, items: Definition) -> list[Any]:
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    known = {item.get(key): item for item in live}
    for item in patch:
        if item.get("$patch") == "delete":
            known.pop(item.get(key), None)
        else:
            known[item.get(key)] = strategic(schema, known.get(item.get(key)), item, items)
    return list(known.values())


def json_patch(live: Any, operations: Any) -> Any:
    """RFC 6902, without `move` and `copy`; Refusal 422 where a path is not there or a test fails."""
    patched = copy.deepcopy(live)
    try:
        for operation in operations:
            _operate(patched, operation)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        text = "the server rejected our request due to an error in our request"
        raise Refusal(422, "Invalid", text, {}) from error
    return patched


def _operate(document: Any, operation: Mapping[str, Any]) -> None:
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:])
    holder = document
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    index: Any = last
    if isinstance(holder, list):
        index = len(holder) if last == "-" else int(last)
    match operation["op"]:
        case "add" if isinstance(holder, list):
            holder.insert(index, operation["value"])
        case "add":
            holder[index] = operation["value"]
        case "replace":
            _ = holder[index]  # what is not there cannot be replaced
            holder[index] = operation["value"]
        case "remove":
            del holder[index]
        case "test" if holder[index] == operation["value"]:
            return
        case other:
            raise ValueError(other)
