"""Server-side apply: who owns which field (metadata.managedFields), and what an apply changes. Pure.

A field set is a set of paths; a path's parts are written as in FieldsV1: `f:name` a field or a map's key,
`k:{"name":"c"}` a list's item by its keys, `v:"x"` a value of a set, `.` the item or map itself.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from k8s_tuning_sandbox.dialect import Dialect
from k8s_tuning_sandbox.resources import Object, Resource
from k8s_tuning_sandbox.schema import QUANTITY, Definition, Schema, list_keys, member
from k8s_tuning_sandbox.status import Cause, Refusal

Path = tuple[str, ...]
Fields = frozenset[Path]

_NOT_OWNED = (("f:apiVersion",), ("f:kind",))
_NOT_OWNED_META = frozenset(
    ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "selfLink", "generation", "managedFields")
)


def apply(
    schema: Schema, resource: Resource, live: Object | None, applied: Object, manager: str, now: str, *, force: bool
) -> Object:
    """The object after `manager` applied its configuration; Refusal 409 names the fields that others own."""
    definition = schema.resolve(resource.definition)
    wanted = _owned_paths(schema, applied, definition)
    if live is None:
        created = copy.deepcopy(applied)
        created["metadata"]["managedFields"] = [_entry(resource, manager, "Apply", wanted, now)]
        return created
    entries: list[Object] = live["metadata"].get("managedFields", [])
    mine = next((entry for entry in entries if entry["manager"] == manager and entry["operation"] == "Apply"), None)
    had: Fields = _paths(mine["fieldsV1"]) if mine else frozenset()
    others = [(entry, _paths(entry["fieldsV1"])) for entry in entries if entry is not mine]
    changed = {path for path in wanted if _value(live, path) != _value(applied, path) and path[-1] != "."}
    conflicts = [(entry["manager"], sorted(changed & fields)) for entry, fields in others if changed & fields]
    if conflicts and not force:
        raise _conflict(conflicts)
    kept_by_others: Fields = frozenset().union(*(fields for _, fields in others))
    merged: Object = _merge(schema, copy.deepcopy(live), applied, definition)
    # A list's item goes as a whole, before its fields (its key is one of them) are looked at one by one.
    kept = {path[:length] for path in wanted | kept_by_others for length in range(1, len(path) + 1)}
    for path in sorted(had - kept, key=lambda path: path[-1] != "."):
        _remove(merged, path)
    updated = [_shrunk(entry, fields, fields - changed) for entry, fields in others]
    entry = mine if mine is not None and had == wanted else _entry(resource, manager, "Apply", wanted, now)
    merged["metadata"]["managedFields"] = _ordered([entry, *(other for other in updated if other is not None)])
    return merged


def update(schema: Schema, resource: Resource, live: Object | None, obj: Object, manager: str, now: str) -> None:
    """Note in `obj` that `manager` set, by another way than apply, every field that differs from `live`."""
    definition = schema.resolve(resource.definition)
    after = _owned_paths(schema, obj, definition)
    before = _owned_paths(schema, live, definition) if live is not None else frozenset()
    status = frozenset(path for path in after if path[0] == "f:status")
    changed = frozenset(
        path for path in after - status if path not in before or _value(live, path) != _value(obj, path)
    )
    entries: list[Object] = (live["metadata"].get("managedFields", []) if live is not None else [])[:]
    if not changed and after >= before:
        obj["metadata"]["managedFields"] = entries
        return
    mine = next((entry for entry in entries if entry["manager"] == manager and entry["operation"] == "Update"), None)
    fields = changed | (_paths(mine["fieldsV1"]) & after if mine else frozenset())
    others = [(entry, _paths(entry["fieldsV1"])) for entry in entries if entry is not mine]
    kept = [_shrunk(entry, had, (had - changed) & after) for entry, had in others]
    mine = _entry(resource, manager, "Update", fields, now)
    obj["metadata"]["managedFields"] = _ordered([mine, *(entry for entry in kept if entry is not None)])


def _ordered(entries: list[Object]) -> list[Object]:
    return sorted(entries, key=lambda entry: (entry["operation"] != "Apply", entry["time"], entry["manager"]))


def _entry(resource: Resource, manager: str, operation: str, fields: Fields, now: str) -> Object:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": resource.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": _nested(fields),
    }


def _shrunk(entry: Object, had: Fields, kept: Fields) -> Object | None:
    if had == kept:
        return entry
    return {**entry, "fieldsV1": _nested(kept)} if kept else None


def _owned_paths(schema: Schema, obj: Mapping[str, Any], definition: Definition) -> Fields:
    found: set[Path] = set()
    _collect(schema, obj, definition, (), found)
    return frozenset(
        path
        for path in found
        if path not in _NOT_OWNED
        and not (path[0] == "f:metadata" and (len(path) == 1 or path[1][2:] in _NOT_OWNED_META))
    )


def _collect(schema: Schema, value: Any, definition: Definition, path: Path, found: set[Path]) -> None:
    keys = list_keys(definition) if isinstance(value, list) else None
    definition = schema.resolve(definition)
    if isinstance(value, dict) and value and definition.get("x-kubernetes-map-type") != "atomic":
        for name, inner in value.items():
            _collect(schema, inner, member(definition, name) or {}, (*path, f"f:{name}"), found)
    elif isinstance(value, list) and keys:
        for item in value:
            below = (*path, _item_key(item, keys))
            found.add((*below, "."))
            _collect(schema, item, definition.get("items") or {}, below, found)
    elif isinstance(value, list) and keys == ():
        found.update((*path, f"v:{_shown(item)}") for item in value)
    else:
        found.add(path)


def _merge(schema: Schema, live: Any, applied: Any, definition: Definition) -> Any:
    keys = list_keys(definition) if isinstance(applied, list) else None
    definition = schema.resolve(definition)
    if isinstance(applied, dict) and isinstance(live, dict) and definition.get("x-kubernetes-map-type") != "atomic":
        merged = dict(live)
        for name, inner in applied.items():
            below = member(definition, name) or {}
            merged[name] = _merge(schema, live[name], inner, below) if name in live else copy.deepcopy(inner)
        return merged
    if isinstance(applied, list) and isinstance(live, list) and keys is not None:
        items = definition.get("items") or {}
        known = {_item_key(item, keys) if keys else f"v:{_shown(item)}": item for item in live}
        for item in applied:
            name = _item_key(item, keys) if keys else f"v:{_shown(item)}"
            known[name] = _merge(schema, known[name], item, items) if name in known else copy.deepcopy(item)
        return list(known.values())
    return copy.deepcopy(applied)


def _paths(nested: Mapping[str, Any], start: Path = ()) -> Fields:
    found: set[Path] = set()
    for part, inner in nested.items():
        path = (*start, part)
        if inner:
            found |= _paths(inner, path)
        else:
            found.add(path)
    return frozenset(found)


def _nested(fields: Fields) -> Object:
    nested: Object = {}
    for path in sorted(fields):
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
    return nested


def _find(value: Any, part: str) -> Any:
    if part.startswith("f:"):
        return value.get(part[2:]) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    wanted = orjson.loads(part[2:])
    if part.startswith("v:"):
        return wanted if wanted in value else None
    return next((item for item in value if _item_key(item, wanted) == part), None)


def _value(value: Any, path: Path) -> Any:
    for part in path:
        value = value if part == "." else _find(value, part)
    return value


def _remove(obj: Object, path: Path) -> None:
    *above, last = path[:-1] if path[-1] == "." else path
    holder = _value(obj, tuple(above))
    found = _find(holder, last)
    if found is None:
        return
    if isinstance(holder, list):
        holder.remove(found)
    else:
        del holder[last[2:]]


def _conflict(conflicts: list[tuple[str, list[Path]]]) -> Refusal:
    causes = [
        Cause(_shown_path(path), "FieldManagerConflict", f'conflict with "{manager}"').body()
        for manager, paths in conflicts
        for path in paths
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = (
            f'conflicts with "{manager}":\n' + "\n".join(f"- {_shown_path(path)}" for path in paths)
            for manager, paths in conflicts
        )
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return Refusal(409, "Conflict", message, {"causes": causes})


def type_problem(dialect: Dialect, definition: str, applied: Any) -> str | None:
    """What server-side apply's types refuse of a configuration, beyond what decoding does; None for nothing.

    (sigs.k8s.io/structured-merge-diff/typed/validate.go)
    """
    found = list(_problems(dialect, dialect.schema.resolve(definition), applied, ()))
    if len(found) > 1:
        return "errors:\n" + "\n".join(f"  {one}" for one in found)
    return found[0] if found else None


def _problems(dialect: Dialect, definition: Definition, value: Any, path: tuple[str, ...]) -> Iterator[str]:
    keys = list_keys(definition) if isinstance(value, list) else None
    quantity = definition.get("$ref", "").endswith(QUANTITY)
    definition = dialect.schema.resolve(definition)
    if quantity and not dialect.since(26) and isinstance(value, (int, float)):
        yield f"{_shown_path(path)}: expected string, got &value.valueUnstructured{{Value:{value}}}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            below, declared = (*path, f"f:{name}"), member(definition, name)
            if declared is None and ("properties" in definition or "additionalProperties" in definition):
                yield f"{_shown_path(below)}: field not declared in schema"
            else:
                yield from _problems(dialect, declared or {}, inner, below)
    elif isinstance(value, list) and keys:
        seen = set()
        for item in (item for item in value if isinstance(item, dict)):
            below = (*path, _item_key(item, keys))
            if below in seen:
                yield f"{_shown_path(path)}: duplicate entries for key {_shown_path(below[-1:])}"
            seen.add(below)
            yield from _problems(dialect, definition.get("items") or {}, item, below)


def _item_key(item: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The part that names a list's item by its keys."""
    return "k:" + _shown({key: item.get(key, "TCP" if key == "protocol" else None) for key in keys})


def _shown(value: Any) -> str:
    """A value as JSON."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _shown_path(path: Iterable[str]) -> str:
    """The path as messages show it: .spec.containers[name="c"]."""
    text = ""
    for part in path:
        if part.startswith("f:"):
            text += f".{part[2:]}"
        elif part.startswith("k:"):
            keys = orjson.loads(part[2:])
            text += "[" + ",".join(f"{key}={_shown(value)}" for key, value in sorted(keys.items())) + "]"
        elif part.startswith("v:"):
            text += f"[={part[2:]}]"
    return text
