"""Dataclasses to plain JSON values and back, for XCom, files and `--json`: by their type hints, through pydantic."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from k8s_tuning.errors import InputError

T = TypeVar("T")


@cache
def adapter(cls: type) -> TypeAdapter[Any]:
    """What reads and writes a type; made once, for it is slow to make."""
    return TypeAdapter(cls)


def dump(value: Any) -> Any:
    """A dataclass as JSON values (dict, list, str, number, bool, None); enums become their values."""
    return adapter(type(value)).dump_python(value, mode="json", by_alias=True)  # type: ignore[arg-type]  # a class is hashable


def load(cls: type[T], data: Any) -> T:
    """JSON values as an instance of `cls` and of what is nested in it; InputError names the field that does not fit."""
    try:
        loaded: T = adapter(cls).validate_python(data)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{cls.__name__}.{field}: {first['msg']}") from error
    return loaded
