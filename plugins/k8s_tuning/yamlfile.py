"""YAML files that people write: read with a bound, without surprises, and with errors that name the line.

Plain data only (YAML 1.1's safe subset); duplicate keys, several documents, and aliases are refused: an alias is either
a YAML bomb or a Job that shares a value with its neighbour by accident.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from k8s_tuning.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 64

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); is it a binary file?") from error


def parse(text: str, name: str) -> Any:
    """One YAML document as plain data; ConfigError names `name`, the line and the problem."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                place = _place(name, event.start_mark)
                raise ConfigError(f"{place}: YAML aliases (*{event.anchor}) are not allowed; repeat the value")
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > MAX_DEPTH:
                    raise ConfigError(f"{_place(name, event.start_mark)}: nested deeper than {MAX_DEPTH} levels")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_duplicates(node, name)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{_place(name, mark)}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: a scalar that looks like a date and is none (2025-13-45).
        raise ConfigError(f"{name}: not YAML: {' '.join(str(error).split())}") from error


def read(path: Path, max_bytes: int = MAX_BYTES) -> Any:
    """One YAML file as plain data."""
    return parse(read_text(path, max_bytes), str(path))


def read_mapping(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """One YAML file whose top level is a mapping."""
    data = read(path, max_bytes)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `key: value` lines at the top level, found {_kind(data)}")
    return data


def _refuse_duplicates(node: yaml.Node, name: str) -> None:
    todo = [node]
    while todo:
        current = todo.pop()
        if isinstance(current, yaml.SequenceNode):
            todo.extend(current.value)
        elif isinstance(current, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in current.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        raise ConfigError(f"{_place(name, key.start_mark)}: the key {key.value!r} is there twice")
                    seen.add(key.value)
                todo.append(value)


def _place(name: str, mark: Any) -> str:
    return name if mark is None else f"{name}, line {mark.line + 1}"


def _kind(data: Any) -> str:
    return {"NoneType": "nothing", "list": "a list", "str": "a text"}.get(type(data).__name__, type(data).__name__)
