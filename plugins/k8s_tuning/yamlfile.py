"""YAML files that people write: read with bounds, without surprises, and with errors that name file, line and key.

Plain data only, with texts for keys. A configuration means what YAML 1.2's core schema says; a manifest is refused
where kubectl would read another value (see `yamlscalars`). Aliases and merge keys are read as kubectl reads them, and
bounded by what they make when written out. The grammar is libyaml's, and so is kubectl's.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from k8s_tuning.errors import ConfigError
from k8s_tuning.yamlnodes import MAX_BYTES as MAX_BYTES
from k8s_tuning.yamlnodes import MAX_DEPTH, PLAIN, TAG, TOO_MUCH, compose, error_at
from k8s_tuning.yamlscalars import Dialect as Dialect
from k8s_tuning.yamlscalars import read_scalar

MAX_SHOWN = 5


class ValuesError(ConfigError):
    """Unquoted values that do not mean what they seem to. `problems`: each with its key path and line."""

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(f"{name}: {'; '.join(problems)}")
        self.problems = problems


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The file's text, UTF-8 with or without a byte order mark; ConfigError where it is missing, too large, binary."""
    try:
        # O_NONBLOCK is not needed: anything but a regular file is refused before it is opened.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{path}: not a regular file")
        with path.open("rb") as handle:
            data = handle.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; check the path and its permissions") from error
    if len(data) > max_bytes:
        raise ConfigError(f"{path}: larger than {max_bytes:,} bytes, which no configuration or manifest needs")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ConfigError(f"{path}: UTF-16, not UTF-8; save it as UTF-8") from error
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); is it a binary file?") from error


def parse(text: str, name: str, dialect: Dialect = Dialect.CONFIG) -> Any:
    """One YAML document as plain data, None for an empty one; ConfigError names `name`, the line and the problem."""
    return parse_with_nodes(text, name, dialect)[0]


def parse_with_nodes(text: str, name: str, dialect: Dialect = Dialect.CONFIG) -> tuple[Any, yaml.Node | None]:
    """The same, and the nodes that it came from: they know their lines. Merge keys are merged in both."""
    root = compose(text, name, dialect)
    if root is None:
        return None, None
    reader = _Reader(name, dialect, limit=2 * len(text) + MAX_BYTES)
    value = reader.value(root, 0)
    reader.check(root)
    if reader.problems:
        shown = [
            f"{_key_path(root, node)}{problem} (line {node.start_mark.line + 1})"
            for node, problem in reader.problems[:MAX_SHOWN]
        ]
        if (more := len(reader.problems) - MAX_SHOWN) > 0:
            shown.append(f"and {more} more values like these")
        raise ValuesError(name, shown)
    return value, root


def read(path: Path, max_bytes: int = MAX_BYTES, dialect: Dialect = Dialect.CONFIG) -> Any:
    """One YAML file as plain data."""
    return parse(read_text(path, max_bytes), str(path), dialect)


def read_mapping(path: Path, max_bytes: int = MAX_BYTES, dialect: Dialect = Dialect.CONFIG) -> dict[str, Any]:
    """One YAML file whose top level is a mapping."""
    data = read(path, max_bytes, dialect)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `key: value` lines at the top level, found {kind(data)}")
    return data


def kind(data: Any) -> str:
    """What plain data is, in words for an error."""
    names = {"NoneType": "nothing", "list": "a list", "str": "a text", "bool": "true or false", "dict": "a mapping"}
    return names.get(type(data).__name__, "a number")


class _Reader:
    """From nodes to plain data, each alias a copy of its own. `limit`: characters and values that it may make."""

    def __init__(self, name: str, dialect: Dialect, limit: int) -> None:
        self.name, self.dialect, self.limit = name, dialect, limit
        self.problems: list[tuple[yaml.Node, str]] = []

    def value(self, node: Any, depth: int) -> Any:
        """The node's value; what is wrong with an unquoted one is collected in `problems`."""
        self.limit -= 1
        if type(node) is yaml.ScalarNode:
            self.limit -= len(node.value)
            return self._scalar(node)
        self.check(node)
        if depth >= MAX_DEPTH:
            raise error_at(self.name, node, f"nested deeper than {MAX_DEPTH} levels")
        if type(node) is yaml.SequenceNode:
            return [self.value(item, depth + 1) for item in node.value]
        return {self._key(key): self.value(value, depth + 1) for key, value in node.value}

    def check(self, node: yaml.Node) -> None:
        """ConfigError where more was made than may be."""
        if self.limit < 0:
            raise error_at(self.name, node, TOO_MUCH)

    def _scalar(self, node: Any) -> Any:
        if node.tag == TAG + "str":
            return node.value
        value, problem = read_scalar(node.value, self.dialect)
        if node.tag == TAG + "float" and type(value) is int:
            value = float(value)
        elif node.tag not in (PLAIN, TAG + _TAGS_OF[type(value)]):
            problem = f"is no {node.tag[len(TAG) :]}, as its tag says; remove the tag"
        if problem:
            self.problems.append((node, problem))
        return value

    def _key(self, node: Any) -> str:
        self.limit -= len(node.value)
        value = self._scalar(node)
        if type(value) is str:
            return value
        if self.dialect is Dialect.KUBECTL and value is not None:
            return str(value).lower() if isinstance(value, bool) else str(value)
        if not self.problems or self.problems[-1][0] is not node:
            self.problems.append((node, "the key is not a text; put it in quotes"))
        return str(node.value)


_TAGS_OF = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}


def _key_path(root: yaml.Node, wanted: yaml.Node) -> str:
    """`spec.template.spec.containers[0].env[1].value: ` of a node, "" for the root."""
    todo: list[tuple[Any, str]] = [(root, "")]
    seen: set[int] = set()
    while todo:
        node, path = todo.pop()
        if node is wanted:
            return f"{path}: " if path else ""
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += [(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = f"{path}.{key.value}" if path else key.value
                todo += [(key, inner), (value, inner)]
    return ""
