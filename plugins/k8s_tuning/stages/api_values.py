"""Fields of the API's JSON objects by their types: a missing or mistyped one is absent, never an error.

Texts are made `printable` here, where they come in: a container may write what it likes into its message.
"""

from __future__ import annotations

from typing import Any

from k8s_tuning.printable import printable

Json = dict[str, Any]


def as_mapping(value: Any) -> Json:
    """The value where it is an object, {} for anything else."""
    return value if isinstance(value, dict) else {}


def mapping(source: Json, key: str) -> Json:
    """The object there, {} for none."""
    return as_mapping(source.get(key))


def mappings(source: Json, key: str) -> list[Json]:
    """The objects of a list, [] for none."""
    value = source.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(source: Json, key: str) -> str | None:
    """A text that is not empty."""
    value = source.get(key)
    return printable(value) if isinstance(value, str) and value else None


def texts(source: Json, key: str) -> dict[str, str]:
    """A mapping of texts: labels, annotations."""
    return {printable(str(name)): printable(str(value)) for name, value in mapping(source, key).items()}


def text_list(source: Json, key: str) -> list[str]:
    """The texts of a list."""
    value = source.get(key)
    return [printable(item) for item in value if isinstance(item, str) and item] if isinstance(value, list) else []


def number(source: Json, key: str) -> int | None:
    """A whole number."""
    value = source.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count(source: Json, key: str) -> int:
    """A whole number, 0 for none: the API leaves counts of 0 out."""
    return number(source, key) or 0


def flag(source: Json, key: str) -> bool | None:
    """True or False."""
    value = source.get(key)
    return value if isinstance(value, bool) else None
