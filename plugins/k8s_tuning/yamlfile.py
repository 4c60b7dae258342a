"""YAML files that people write: read with bounds, without surprises, and with errors that name file, line and key.

Plain data only, with texts for keys. A configuration means what YAML 1.2's core schema says; a manifest is refused
where kubectl would read another value (see `yamlscalars`). Aliases and merge keys are read as kubectl reads them, and
bounded by what they make when written out. The grammar is libyaml's, and so is kubectl's.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, cast

import yaml

from k8s_tuning import yamlscalars
from k8s_tuning.errors import ConfigError
from k8s_tuning.yamlscalars import Reading

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_SHOWN = 5

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_CORE_TAGS = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null")}
_TOO_MUCH = f"its aliases, written out, make more than {MAX_BYTES:,} characters"
# Line breaks to YAML 1.1 and letters to 1.2. C0 and C1 controls beside them are refused by libyaml.
_ODD_BREAKS = {"\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}
_CURES = {
    "mapping values are not allowed": "; put a text that holds ': ' in quotes",
    "cannot start any token": "; put the value in quotes",
}


class Dialect(Enum):
    """Who else reads the file, which decides what an unquoted value is.

    CONFIG: nobody, so YAML 1.2's core schema. MANIFEST: kubectl may, so an error where it reads another value.
    KUBECTL: the file was written for kubectl, so as kubectl reads it.
    """

    CONFIG = "config"
    MANIFEST = "manifest"
    KUBECTL = "kubectl"


_RESOLVE: dict[Dialect, Callable[[str], Reading]] = {
    Dialect.CONFIG: yamlscalars.config,
    Dialect.MANIFEST: yamlscalars.manifest,
    Dialect.KUBECTL: lambda text: Reading(yamlscalars.kubectl(text)),
}


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
    root = _Composer(text, name, dialect).document()
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


class _Composer:
    """From libyaml's events to nodes. Its own composer recurses without a bound, and takes a key twice."""

    def __init__(self, text: str, name: str, dialect: Dialect) -> None:
        self.text, self.name, self.dialect = text, name, dialect
        self.anchors: dict[str, yaml.Node] = {}
        self.open: list[Any] = []
        self.merged = 0

    def document(self) -> yaml.Node | None:
        """The only document that is not empty. A trailing `---`, or comments after it, are none."""
        if self.dialect is not Dialect.KUBECTL:
            self._refuse_odd_breaks()
        found: yaml.Node | None = None
        for node, event in self._documents():
            if node.tag == "?" and node.value == "":
                continue
            if found is not None:
                raise self._error(event, "a second document begins; put each into a file of its own")
            found = node
        return found

    def _documents(self) -> Iterator[tuple[yaml.Node, Any]]:
        start = None
        try:
            for event in yaml.parse(self.text.encode(), Loader=_Loader):
                if type(event) is yaml.DocumentStartEvent:
                    start = event
                    self.anchors.clear()
                    if event.version == (1, 1) and self.dialect is Dialect.CONFIG:
                        raise self._error(event, "%YAML 1.1: this file is read as YAML 1.2; remove the line")
                elif (node := self._node(event)) is not None:
                    yield node, start
        except yaml.MarkedYAMLError as error:
            raise ConfigError(self._syntax_problem(error)) from error
        except yaml.reader.ReaderError as error:
            line = self.text.encode()[: error.position].count(b"\n") + 1
            raise ConfigError(f"{self.name}, line {line}: not YAML: {error.reason}; remove the character") from error
        except UnicodeEncodeError as error:
            raise ConfigError(f"{self.name}: not text (half of a surrogate pair at {error.start})") from error

    def _node(self, event: Any) -> yaml.Node | None:
        """Put the node that ends with this event into its parent; gives a document's root once it is complete."""
        node: Any
        kind = type(event)
        if kind is yaml.ScalarEvent:
            node = yaml.ScalarNode(self._scalar_tag(event), event.value, event.start_mark, None, event.style)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event)
            return None
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            node = self.open.pop()
            if kind is yaml.MappingEndEvent:
                node.value = self._pairs(node)
        elif kind is yaml.AliasEvent:
            node = self._alias(event)
        else:
            return None
        if kind is yaml.ScalarEvent and event.anchor:
            self.anchors[event.anchor] = node
        if self.open:
            self.open[-1].value.append(node)
            return None
        return cast(yaml.Node, node)

    def _open(self, event: Any) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        is_mapping = type(event) is yaml.MappingStartEvent
        node_type, plain = (yaml.MappingNode, "map") if is_mapping else (yaml.SequenceNode, "seq")
        if event.tag not in (None, "!", _TAG + plain):
            raise self._error(event, _tag_problem(event.tag))
        node = node_type(_TAG + plain, [], event.start_mark, None)
        if event.anchor:
            self.anchors[event.anchor] = node
        self.open.append(node)

    def _scalar_tag(self, event: Any) -> str:
        """`?` for what the dialect resolves; else one of the core schema's tags."""
        if event.tag is None:
            return "?" if event.implicit[0] else _TAG + "str"
        if event.tag == "!":
            return _TAG + "str"
        if event.tag not in _CORE_TAGS:
            raise self._error(event, _tag_problem(event.tag))
        return str(event.tag)

    def _alias(self, event: Any) -> yaml.Node:
        node: yaml.Node | None = self.anchors.get(event.anchor)
        if node is None:
            raise self._error(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        if any(node is above for above in self.open):
            raise self._error(event, f"the alias *{event.anchor} is inside of what it repeats; write the value out")
        return node

    def _pairs(self, mapping: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
        """A mapping's pairs, merge keys merged: what the mapping says itself goes before what it merges."""
        flat = mapping.value
        pairs: dict[str, tuple[Any, Any]] = {}
        merged: dict[str, tuple[Any, Any]] = {}
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(mapping, "the key is not a text but a list or a mapping; write a text")
            if key.value == "<<" and key.tag == "?":
                if merged:
                    raise self._error(key, "the key '<<' is there twice; write `<<: [*one, *other]`")
                merged = self._merged(key, value)
                if twice := next((name for name in pairs if name in merged), None):
                    raise self._error(key, f"{twice!r} stands before the '<<' that brings it too; put '<<' first")
            elif key.value in pairs:
                raise self._error(key, f"the key {key.value!r} is there twice")
            else:
                pairs[key.value] = key, value
        return list({**merged, **pairs}.values())

    def _merged(self, key: yaml.Node, value: Any) -> dict[str, tuple[Any, Any]]:
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        merged: dict[str, tuple[Any, Any]] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise self._error(
                    key, "'<<' merges a mapping or a list of mappings; a key that is none is put in quotes"
                )
            self.merged += len(source.value)
            if self.merged > MAX_BYTES:
                raise self._error(key, _TOO_MUCH)
            for pair in source.value:
                merged.setdefault(pair[0].value, pair)
        return merged

    def _refuse_odd_breaks(self) -> None:
        for character, escape in _ODD_BREAKS.items():
            if (found := self.text.find(character)) >= 0:
                line = self.text.count("\n", 0, found) + 1
                raise ConfigError(
                    f"{self.name}, line {line}: holds U+{ord(character):04X}, a line break to some readers of YAML; "
                    f'remove it, or write it as {escape} in a "text in double quotes"'
                )

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> str:
        mark, problem = error.problem_mark or error.context_mark, str(error.problem or error.context)
        if mark is None:
            return f"{self.name}: not YAML: {problem}"
        cure = next((cure for part, cure in _CURES.items() if part in problem), "")
        line = "".join(self.text.split("\n")[mark.line : mark.line + 1])
        if "\t" in line[: len(line) - len(line.lstrip())]:
            cure = "; indent with spaces, not with tabs"
        return f"{self.name}, line {mark.line + 1}: not YAML: {problem}{cure}"

    def _error(self, at: Any, problem: str) -> ConfigError:
        return ConfigError(f"{self.name}, line {at.start_mark.line + 1}: {problem}")


class _Reader:
    """From nodes to plain data, each alias a copy of its own. `limit`: characters and values that it may make."""

    def __init__(self, name: str, dialect: Dialect, limit: int) -> None:
        self.name, self.dialect, self.limit = name, dialect, limit
        self.resolve = _RESOLVE[dialect]
        self.problems: list[tuple[yaml.Node, str]] = []

    def value(self, node: Any, depth: int) -> Any:
        """The node's value; what is wrong with an unquoted one is collected in `problems`."""
        self.limit -= 1
        if type(node) is yaml.ScalarNode:
            self.limit -= len(node.value)
            return self._scalar(node)
        self.check(node)
        if depth >= MAX_DEPTH:
            raise self._error(node, f"nested deeper than {MAX_DEPTH} levels")
        if type(node) is yaml.SequenceNode:
            return [self.value(item, depth + 1) for item in node.value]
        return {self._key(key): self.value(value, depth + 1) for key, value in node.value}

    def check(self, node: yaml.Node) -> None:
        """ConfigError where more was made than may be."""
        if self.limit < 0:
            raise self._error(node, _TOO_MUCH)

    def _scalar(self, node: Any) -> Any:
        if node.tag == "?":
            value, problem = self.resolve(node.value)
        elif node.tag == _TAG + "str":
            return node.value
        else:
            value, problem = self.resolve(node.value)
            if node.tag == _TAG + "float" and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            elif node.tag[len(_TAG) :] != _TAGS_OF[type(value)]:
                problem = f"is no {node.tag[len(_TAG) :]}, as its tag says; remove the tag"
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

    def _error(self, node: Any, problem: str) -> ConfigError:
        return ConfigError(f"{self.name}, line {node.start_mark.line + 1}: {problem}")


_TAGS_OF = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}


def _tag_problem(tag: str) -> str:
    shown = tag.replace(_TAG, "!!")[:60]
    return f"not YAML that is read here: the tag {shown}; remove it, and put a text in quotes"


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
