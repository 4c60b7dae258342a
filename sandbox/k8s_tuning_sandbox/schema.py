"""What Kubernetes' types say about an object: which fields there are, of which type, and how their lists merge.

The schemas are those of kubernetes-validate (Kubernetes' own OpenAPI), cut back where the oldest of them know more than
the dialect does, so that a field that an older server would drop is dropped here too.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from k8s_tuning_sandbox.status import bad_request

Definition = Mapping[str, Any]

QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_QUANTITY_TEXT = re.compile(r"[+-]?[0-9.]+[eEinumkKMGTP]*[-+]?[0-9]*")
_SHAPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, eq=False)
class Schema:
    """The types of one version. `later`: by type, the fields that the file has and the version has not."""

    version: str
    later: Mapping[str, frozenset[str]]

    @cached_property
    def _definitions(self) -> Mapping[str, Definition]:
        found = importlib.util.find_spec("kubernetes_validate")
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError("the sandbox reads Kubernetes' schemas from kubernetes-validate: install it")
        path = Path(found.submodule_search_locations[0], "kubernetes-json-schema", self.version, "_definitions.json")
        definitions: dict[str, Any] = orjson.loads(path.read_bytes())["$defs"]
        for name, fields in self.later.items():
            for field in fields:
                definitions[name]["properties"].pop(field, None)
        return definitions

    def resolve(self, definition: Definition | str) -> Definition:
        """A definition by its name, or what a `$ref` stands for."""
        if isinstance(definition, str):
            return self._definitions[definition]
        reference = definition.get("$ref")
        if reference is None:
            return definition
        return self._definitions[reference.rpartition("/")[2]]

    def decode(self, kind: str, api_version: str, definition: str, value: Any) -> tuple[dict[str, Any], list[str]]:
        """An object as its type allows it, and the paths of unknown fields (dropped); Refusal 400 at a wrong type.

        Nulls and empty lists, maps and texts go, as they do on the way through a server's Go types.
        """
        unknown: list[str] = []
        try:
            decoded = self._decode(value, self.resolve(definition), "", unknown)
        except TypeError as error:
            version = api_version.rpartition("/")[2]
            raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from error
        return decoded, unknown

    def _decode(self, value: Any, definition: Definition, path: str, unknown: list[str]) -> Any:
        kinds = list(_kinds(definition))
        if definition is self._definitions.get(QUANTITY):
            text = str(value)
            if isinstance(value, (bool, list, dict)) or not _QUANTITY_TEXT.fullmatch(text):
                raise TypeError(f"{path}: quantities must match the regular expression '{_QUANTITY_TEXT.pattern}'")
            return text
        if kinds and not any(_is(value, kind) for kind in kinds):
            raise TypeError(f"{path or 'the body'}: expected {' or '.join(kinds)}, found {_shown(value)}")
        if isinstance(value, list):
            items = self.resolve(definition.get("items") or {})
            return [self._decode(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        decoded = {}
        declared = definition.get("properties")
        for name, field in value.items():
            below = f"{path}.{name}" if path else name
            inner = member(definition, name)
            if inner is None and (declared or "additionalProperties" in definition):
                unknown.append(below)
            elif field is not None:
                shape = self.resolve(inner or {})
                found = self._decode(field, shape, below, unknown)
                if not declared or found not in ("", [], {}) or (isinstance(found, dict) and shape.get("properties")):
                    decoded[name] = found
        return decoded


def member(definition: Definition, name: str) -> Definition | None:
    """The definition of one member of an object: a declared field, or a map's value; None where there can be none."""
    found = (definition.get("properties") or {}).get(name, definition.get("additionalProperties"))
    return found if isinstance(found, Mapping) else None


def list_keys(definition: Definition) -> tuple[str, ...] | None:
    """By which fields a list's items differ; () for a set of plain values, None where a list is one value."""
    if keys := definition.get("x-kubernetes-list-map-keys"):
        return tuple(keys)
    strategy = definition.get("x-kubernetes-patch-strategy", "").split(",")
    if "merge" in strategy:
        key = definition.get("x-kubernetes-patch-merge-key")
        return (key,) if key else ()
    return () if definition.get("x-kubernetes-list-type") == "set" else None


def _kinds(definition: Definition) -> Iterator[str]:
    for alternative in definition.get("oneOf") or (definition,):
        kinds = alternative.get("type") or ()
        for kind in (kinds,) if isinstance(kinds, str) else kinds:
            if kind != "null":
                yield kind


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _SHAPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:60]}…"
