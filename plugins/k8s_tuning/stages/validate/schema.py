"""A Job against Kubernetes' own schema, offline: the strict JSON schemas that kubernetes-validate ships."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from k8s_tuning import yamlfile

# The newest schema that the pinned kubernetes-validate has. An older cluster knows fewer fields; the API server's dry
# run, which asks that cluster, says which.
_SCHEMA = "kubernetes-json-schema/v1.37.0-local-strict/{}.json"
_VERSION = "1.37"


def schema_problems(job: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field path, what is wrong and the cure), in the order of the schema. Values of `env` are not repeated."""
    for error in _validator().iter_errors(job):
        path = field_path(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for name in error.instance:
                if name not in known:
                    yield field_path([*error.absolute_path, name]), f"unknown field; {_nearest(str(name), known)}"
        elif error.validator == "required":
            for name in error.validator_value:
                if name not in error.instance:
                    yield field_path([*error.absolute_path, name]), "is required; add it"
        elif error.validator == "type":
            yield path, _type_problem(error.instance, error.validator_value)
        elif error.validator in _LIST_RULES:
            yield path, error.message
        elif error.validator == "enum":
            yield path, f"must be one of {', '.join(str(value) for value in error.validator_value)}"
        else:
            yield path, f"does not fit Kubernetes' schema ({error.validator} {str(error.validator_value)[:80]})"


def field_path(steps: Sequence[Any]) -> str:
    """`spec.template.spec.containers[0].image`, as kubectl writes it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


@cache
def _validator() -> Any:
    # Imported here: 0.3 s that only a validation should pay. The library's own validate() reads its 2 MB of schemas
    # anew for each file and stops at the first problem, so its schemas are used without it.
    import jsonschema
    from kubernetes_validate.utils import schema_contents
    from referencing import Registry, Resource

    schema = schema_contents(_SCHEMA.format("job-batch-v1"), _VERSION)
    definitions = schema_contents(_SCHEMA.format("_definitions"), _VERSION)
    registry: Registry[Any] = Resource.from_contents(definitions) @ (Resource.from_contents(schema) @ Registry())
    kind = jsonschema.validators.extend(jsonschema.validators.Draft202012Validator, _LIST_RULES)
    return kind(schema, registry=registry)


def _once_by_key(_: Any, keys: list[str], items: Any, __: Any) -> Iterator[Any]:
    """Entries of a list that is a map to Kubernetes: server-side apply refuses two of one key."""
    from jsonschema import ValidationError

    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return  # the rule of its type says so
    seen: dict[tuple[str, ...], int] = {}
    for index, item in enumerate(items):
        # As texts: not all that YAML knows can be looked up.
        key = tuple(str(item.get(name, _KEY_DEFAULTS.get(name))) for name in keys)
        first = seen.setdefault(key, index)
        if first != index:
            shown = ", ".join(repr(item[name]) for name in keys if name in item)
            message = f"{shown} is there twice, here and in entry {first}; a server-side apply refuses that, remove one"
            yield ValidationError(message, path=(index, keys[0]))


def _once(_: Any, kind: str, items: Any, __: Any) -> Iterator[Any]:
    """Entries of a list that is a set to Kubernetes."""
    from jsonschema import ValidationError

    if kind == "set" and isinstance(items, list):
        for index, item in enumerate(items):
            if item in items[:index]:
                yield ValidationError(f"{item!r} is there twice; a server-side apply refuses that", path=(index,))


_KEY_DEFAULTS = {"protocol": "TCP"}
_LIST_RULES = {"x-kubernetes-list-map-keys": _once_by_key, "x-kubernetes-list-type": _once}


_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


def _type_problem(value: Any, wanted: Any) -> str:
    kinds = [kind for kind in ([wanted] if isinstance(wanted, str) else wanted) if kind != "null"]
    expected = " or ".join(_WORDS.get(kind, kind) for kind in kinds)
    if kinds == ["string"] and isinstance(value, (bool, int, float)):
        return "must be a text; put the value in quotes"
    return f"must be {expected}, not {yamlfile.kind(value)}"


def _nearest(name: str, known: dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else "remove it: the API server drops or refuses it"
