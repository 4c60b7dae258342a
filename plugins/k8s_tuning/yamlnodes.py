"""YAML texts as nodes that know their lines: bounded, a key once, merge keys merged. The grammar is libyaml's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import yaml

from k8s_tuning.errors import ConfigError
from k8s_tuning.yamlscalars import Dialect

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
TAG = "tag:yaml.org,2002:"
# The tag of an unquoted value, which the dialect resolves.
PLAIN = "?"
TOO_MUCH = f"its aliases, written out, make more than {MAX_BYTES:,} characters"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = {f"{TAG}{name}" for name in ("str", "int", "float", "bool", "null")}
# Line breaks to YAML 1.1 and letters to 1.2. C0 and C1 controls beside them are refused by libyaml.
_ODD_BREAKS = {"\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}
_CURES = {
    "mapping values are not allowed": "; put a text that holds ': ' in quotes",
    "cannot start any token": "; put the value in quotes",
}


def compose(text: str, name: str, dialect: Dialect) -> yaml.Node | None:
    """The only document that is not empty, None for none. ConfigError names `name`, the line and the problem."""
    return _Composer(text, name, dialect).document()


def error_at(name: str, node: Any, problem: str) -> ConfigError:
    """What is wrong with a node (or an event) of the file `name`, with its line."""
    return ConfigError(f"{name}, line {node.start_mark.line + 1}: {problem}")


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
            if node.tag == PLAIN and node.value == "":
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
        if event.tag not in (None, "!", TAG + plain):
            raise self._error(event, _tag_problem(event.tag))
        node = node_type(TAG + plain, [], event.start_mark, None)
        if event.anchor:
            self.anchors[event.anchor] = node
        self.open.append(node)

    def _scalar_tag(self, event: Any) -> str:
        """`?` for what the dialect resolves; else one of the core schema's tags."""
        if event.tag is None:
            return PLAIN if event.implicit[0] else TAG + "str"
        if event.tag == "!":
            return TAG + "str"
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
            if key.value == "<<" and key.tag == PLAIN:
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
                raise self._error(key, TOO_MUCH)
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
        if "maximum nesting depth" in problem:  # a newer libyaml counts too, and reads ahead of us
            return f"{self.name}, line {mark.line + 1}: nested deeper than {MAX_DEPTH} levels"
        cure = next((cure for part, cure in _CURES.items() if part in problem), "")
        line = "".join(self.text.split("\n")[mark.line : mark.line + 1])
        if "\t" in line[: len(line) - len(line.lstrip())]:
            cure = "; indent with spaces, not with tabs"
        return f"{self.name}, line {mark.line + 1}: not YAML: {problem}{cure}"

    def _error(self, at: Any, problem: str) -> ConfigError:
        return error_at(self.name, at, problem)


def _tag_problem(tag: str) -> str:
    shown = tag.replace(TAG, "!!")[:60]
    return f"not YAML that is read here: the tag {shown}; remove it, and put a text in quotes"
