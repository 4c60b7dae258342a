"""Dataclasses' fields: enums that people give as plain strings, what they leave None, what two classes share."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeVar

from k8s_tuning.errors import InputError


class RankedEnum(StrEnum):
    """An enum whose members stand in their order, the least severe first."""

    @property
    def rank(self) -> int:
        """0 for the first."""
        return list(type(self)).index(self)


E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def chosen(cls: type[E], value: Any) -> E:
    """The member that has this value; InputError names those that there are."""
    try:
        return cls(value)
    except ValueError:
        raise InputError(f"{value!r} is no {cls.__name__}; there are {', '.join(cls)}") from None


def fill(instance: Any, **absent: Any) -> None:
    """In place of each field that is None what stands for nothing there: 0, "", a new list or dict."""
    for name, value in absent.items():
        if getattr(instance, name) is None:
            setattr(instance, name, value)


def made_of(cls: type[T], source: Any, **others: Any) -> T:
    """An instance of a dataclass with `others`, and in its other fields what `source`, of another class, has there."""
    shared = {one.name for one in fields(cls)} & vars(source).keys()  # type: ignore[arg-type]
    return cls(**{name: getattr(source, name) for name in shared} | others)
