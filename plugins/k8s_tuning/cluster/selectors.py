"""Kubernetes' label selectors: text to a value that matches objects. Pure; no I/O here.

The grammar is that of k8s.io/apimachinery/pkg/labels, as the API server reads the `labelSelector` parameter:

    selector    = [ requirement { "," requirement } ]          every requirement must hold; none selects all
    requirement = KEY | "!" KEY                                the label is there | is not there
                | KEY ("=" | "==" | "!=") [VALUE]              `!=` also holds where the label is not there
                | KEY ("in" | "notin") "(" [VALUE] { "," [VALUE] } ")"     likewise `notin`
                | KEY (">" | "<") INTEGER

White space may stand between any two parts. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from k8s_tuning.errors import SelectorError
from k8s_tuning.kubernetes_names import label_key_problem, label_value_problem

_TOKEN = re.compile(r"[ \t\r\n]*(?:(?P<symbol>!=|==|[=!(),<>])|(?P<word>[^ \t\r\n=!(),<>]+))")
_SYMBOLS = frozenset(("!=", "==", "=", "!", "(", ")", ",", "<", ">"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_FORMS = "write key=value, key!=value, key in (a,b), key notin (a,b), key, or !key"
_END = ""


@dataclass(frozen=True)
class Requirement:
    """One condition on one label. `operator`: =, ==, !=, in, notin, exists, !, > or <; `values`: sorted, no repeats."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels fulfils the condition."""
        value = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        if value is None or not _is_int64(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == ">" else int(value) < bound


@dataclass(frozen=True)
class Selector:
    """A parsed label selector, its requirements sorted by key."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse(text: str) -> Selector:
    """A label selector from its text; SelectorError says which part is wrong, why, and what would be right."""
    parser = _Parser(text)
    return Selector(tuple(sorted(parser.requirements(), key=lambda requirement: requirement.key)))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.position = 0

    def requirements(self) -> Iterator[Requirement]:
        if self.peek() == _END:
            return
        while True:
            yield self.requirement()
            follower = self.take()
            if follower == _END:
                return
            if follower != ",":
                raise self.wrong(f"found {_short(follower)} where ',' or the end was expected")
            if self.peek() == _END:
                raise self.wrong("ends with ','; drop it, or add a requirement after it")

    def requirement(self) -> Requirement:
        absent = self.peek() == "!"
        if absent:
            self.take()
        key = self.word("a label key")
        if (problem := label_key_problem(key)) is not None:
            raise self.wrong(f"the key {_short(key)} {problem}")
        if absent:
            return Requirement(key, "!")
        if self.peek() in (_END, ","):
            return Requirement(key, "exists")
        operator = self.take()
        match operator:
            case "in" | "notin":
                values = self.values(key, operator)
            case "=" | "==" | "!=" | ">" | "<":
                values = [""] if self.peek() in (_END, ",") else [self.word(f"the value of {_short(key)}")]
            case _:
                raise self.wrong(f"found {_short(operator)} after the key {_short(key)}")
        for value in values:
            if (problem := label_value_problem(value)) is not None:
                raise self.wrong(f"the value {_short(value)} of {_short(key)} {problem}")
        if operator in "<>" and not _is_int64(values[0]):
            raise self.wrong(f"{_short(key)} {operator} needs a whole number, not {_short(values[0])}")
        return Requirement(key, operator, tuple(sorted(set(values))))

    def values(self, key: str, operator: str) -> list[str]:
        if (opening := self.take()) != "(":
            raise self.wrong(f"expected '(' after {_short(f'{key} {operator}')}, found {_short(opening or 'the end')}")
        values = []
        while True:
            values.append("" if self.peek() in (",", ")") else self.word(f"a value of {_short(key)}"))
            follower = self.take()
            if follower == ")":
                return values
            if follower != ",":
                raise self.wrong(
                    f"expected ',' or ')' among the values of {_short(key)}, found {_short(follower or 'the end')}"
                )

    def word(self, what: str) -> str:
        token = self.take()
        if token == _END or token in _SYMBOLS:
            raise self.wrong(f"expected {what}, found {_short(token or 'the end')}")
        return token

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else _END

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def wrong(self, reason: str) -> SelectorError:
        return SelectorError(f"label selector {_short(self.text)}: {reason}; {_FORMS}")


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while (match := _TOKEN.match(text, position)) is not None:
        yield match.group("symbol") or match.group("word")
        position = match.end()


def _short(text: str) -> str:
    return repr(text if len(text) <= 200 else f"{text[:200]}…")


def _is_int64(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and -(2**63) <= int(text) < 2**63
