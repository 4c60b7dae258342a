"""A YAML file as nodes that know their line, so that an error can name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError, InputError


@dataclass(frozen=True)
class Node:
    """One value in the file. `line` is its own, or its parent's where it is not there."""

    value: Any
    name: str
    line: int
    place: str
    there: bool
    _yaml: yaml.Node | None = None

    def child(self, key: str) -> Node:
        """A mapping's value by its key; one that is not `there` where the key is missing or null."""
        place = f"{self.place}.{key}" if self.place else key
        value = self.mapping().get(key)
        if value is None or not isinstance(self._yaml, yaml.MappingNode):
            return Node(None, self.name, self.line, place, False)
        found = next(pair for pair in self._yaml.value if getattr(pair[0], "value", None) == key)
        return Node(value, self.name, found[0].start_mark.line + 1, place, True, found[1])

    def items(self) -> list[Node]:
        """A list's entries; none where it is not there."""
        if not self.there:
            return []
        if not isinstance(self.value, list) or not isinstance(self._yaml, yaml.SequenceNode):
            raise self.error(f"expected a list, found {self.value!r}")
        return [
            Node(value, self.name, node.start_mark.line + 1, f"{self.place}[{position}]", True, node)
            for position, (value, node) in enumerate(zip(self.value, self._yaml.value, strict=True))
        ]

    def mapping(self) -> dict[str, Any]:
        """The value as a mapping."""
        if not isinstance(self.value, dict):
            raise self.error(f"expected `key: value` lines, found {self.value!r}")
        return self.value

    def as_text(self) -> str:
        """The value as text that is not blank."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error(f"expected a text, found {self.value!r}; write it in quotes")
        return self.value

    def text(self, key: str) -> str:
        """A mapping's text by its key, which must be there."""
        node = self.child(key)
        if not node.there:
            raise self.error(f"`{key}` is missing (a bare null is none: write 'null' in quotes)")
        return node.as_text()

    def texts(self, key: str) -> tuple[str, ...]:
        """A mapping's list of texts by its key; empty where it is not there."""
        return tuple(entry.as_text() for entry in self.child(key).items())

    def flag(self, key: str, default: bool) -> bool:
        """A mapping's true or false by its key."""
        node = self.child(key)
        if node.there and not isinstance(node.value, bool):
            raise node.error(f"{key}: {node.value!r} is neither true nor false")
        return bool(node.value) if node.there else default

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """What is wrong within is said of this value, with its line."""
        try:
            yield
        except InputError as error:
            raise self.error(str(error)) from None

    def only(self, *keys: str) -> None:
        """Refuse every key but these."""
        for key in self.mapping():
            if key not in keys:
                line = self.child(key).line if isinstance(key, str) else self.line
                raise ConfigError(
                    f"{self.name}, line {line}: {self._at()}unknown key {key!r}; known are {', '.join(keys)}"
                )

    def error(self, problem: str) -> ConfigError:
        """The error to raise about this value."""
        return ConfigError(f"{self.name}, line {self.line}: {self._at()}{problem}")

    def _at(self) -> str:
        return f"{self.place}: " if self.place else ""


def read_file(path: Path) -> Node:
    """The whole file."""
    return read_text(yamlfile.read_text(path), str(path))


def read_text(text: str, name: str) -> Node:
    """The whole text; `name` is for the errors."""
    value, node = yamlfile.parse_with_nodes(text, name)
    if not isinstance(value, dict):
        raise ConfigError(f"{name}, line 1: expected `key: value` lines at the top level")
    return Node(value, name, 1, "", True, node)
