"""Alertmanager's label matchers: `name="value"`, `!=`, `=~`, `!~`, and what a set of them can never match. Pure.

Grammar and escapes are those of pkg/labels/parse.go in prometheus/alertmanager; a name that is no Prometheus label (a
Kubernetes key such as app.kubernetes.io/name) is written in double quotes, as Alertmanager 0.27's UTF-8 mode has it.

A label that an alert lacks is the empty value. `reason` may have several values: an incident has every reason of its
Jobs. `=` and `=~` ask whether one of them fits, `!=` and `!~` whether none is excluded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from k8s_tuning.errors import InputError
from k8s_tuning.stages.health_policy import DEFAULT_RULES
from k8s_tuning.stages.incident import IncidentSeverity

Labels = Mapping[str, str | Sequence[str]]

MANY_VALUED = "reason"
SOURCES = ("health", "pipeline", "smoke")
# What the pipeline says of itself, beside the reasons of docs/health.md.
OWN_REASONS = ("stage_broke", "history_stale", "run_overdue", "task_failed", "smoke_test")
# Labels whose every value is known: a matcher that fits none of them is a slip of the pen.
DOMAINS: Mapping[str, tuple[str, ...]] = {
    "severity": tuple(severity.value for severity in IncidentSeverity),
    "source": SOURCES,
    "reason": ("", *DEFAULT_RULES, *OWN_REASONS),
}

_MATCHER = re.compile(
    r"""^\s*(?:([a-zA-Z_:][a-zA-Z0-9_:]*)|"((?:[^"\\]|\\.)+)")\s*(=~|=|!=|!~)\s*(.*?)\s*$""", re.DOTALL
)
# What Python's expressions have and Go's (RE2) have not: the same file must mean the same to Alertmanager.
_NOT_RE2 = re.compile(r"\\[1-9]|\(\?(?:[=!>(#]|<[=!]|P[=>])|[*+?}]\+")


@dataclass(frozen=True)
class Matcher:
    """One condition on one label."""

    name: str
    operator: str
    value: str = field(compare=True)

    def __str__(self) -> str:
        name = self.name if re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", self.name) else f'"{self.name}"'
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{name}{self.operator}"{value}"'

    @property
    def positive(self) -> bool:
        """Whether it asks for a value rather than against one."""
        return self.operator in ("=", "=~")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.value, re.ASCII)

    def accepts(self, value: str) -> bool:
        """Whether one value fits."""
        found = value == self.value if self.operator in ("=", "!=") else bool(self._pattern.fullmatch(value))
        return found == self.positive

    def matches(self, labels: Labels) -> bool:
        """Whether an alert's labels fit."""
        values = values_of(labels, self.name)
        return any(map(self.accepts, values)) if self.positive else all(map(self.accepts, values))


def values_of(labels: Labels, name: str) -> Sequence[str]:
    """A label's values; the empty one where it has none."""
    value = labels.get(name, "")
    return [value] if isinstance(value, str) else (list(value) or [""])


def parse_matchers(text: str) -> list[Matcher]:
    """One or several matchers with commas between, with or without braces around; InputError says what is wrong."""
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        raise InputError(f"{text!r}: the braces do not match")
    inner = inner.removeprefix("{").removesuffix("}")
    parts, inside, start, position = [], False, 0, 0
    while position < len(inner):
        sign = inner[position]
        if sign == "\\" and inside:
            position += 1
        elif sign == '"':
            inside = not inside
        elif sign == "," and not inside:
            parts.append(inner[start:position])
            start = position + 1
        position += 1
    parts.append(inner[start:])
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()  # a trailing comma is allowed
    return [parse_matcher(part) for part in parts]


def parse_matcher(text: str) -> Matcher:
    """One matcher."""
    found = _MATCHER.match(text)
    if not found:
        raise InputError(f'{text!r} is not a matcher; write one as name="value", with =, !=, =~ or !~')
    plain, quoted, operator, raw = found.groups()
    name = plain or re.sub(r"\\(.)", r"\1", quoted)
    value = _unquote(raw, text)
    if operator in ("=~", "!~"):
        if _NOT_RE2.search(value):
            raise InputError(f"{text!r}: look-arounds, back-references and possessive repeats are not in Go's RE2")
        try:
            re.compile(value, re.ASCII)
        except (re.error, RecursionError, OverflowError) as error:
            raise InputError(f"{text!r}: the expression does not compile: {error}") from error
    return Matcher(name, operator, value)


def _unquote(raw: str, text: str) -> str:
    is_quoted = raw.startswith('"')
    raw = raw[1:] if is_quoted else raw
    value, position, closed = [], 0, False
    while position < len(raw):
        sign = raw[position]
        if sign == "\\" and position + 1 < len(raw):
            position += 1
            follow = raw[position]
            value.append({"n": "\n", '"': '"', "\\": "\\"}.get(follow, "\\" + follow))
        elif sign == '"':
            if not is_quoted or position != len(raw) - 1:
                raise InputError(f'{text!r}: a double quote inside the value; write it as \\"')
            closed = True
        else:
            value.append(sign)
        position += 1
    if is_quoted and not closed:
        raise InputError(f"{text!r}: the value's closing double quote is missing")
    return "".join(value)


def contradiction(matchers: Iterable[Matcher]) -> str | None:
    """Why no alert can ever fit all of these, None where one may."""
    by_name: dict[str, list[Matcher]] = {}
    for matcher in matchers:
        by_name.setdefault(matcher.name, []).append(matcher)
    for name, group in by_name.items():
        written = " and ".join(map(str, dict.fromkeys(group)))
        if name == MANY_VALUED:
            against = [matcher for matcher in group if not matcher.positive]
            wishes: list[list[Matcher]] = [[matcher] for matcher in group if matcher.positive] or [[]]
            possible = all(
                any(all(m.accepts(value) for m in [*wish, *against]) for value in DOMAINS[name]) for wish in wishes
            )
        else:
            candidates = _candidates(name, group)
            possible = candidates is None or any(all(m.accepts(value) for m in group) for value in candidates)
            if candidates is None:
                expressions = {(m.value, m.positive) for m in group if m.operator in ("=~", "!~")}
                possible = not any((value, not positive) in expressions for value, positive in expressions)
        if not possible:
            known = f"; {name} is one of {', '.join(filter(None, DOMAINS[name]))}" if name in DOMAINS else ""
            return f"{written} can never be true{known}"
    return None


def implies(given: Sequence[Matcher], wanted: Sequence[Matcher]) -> bool:
    """Whether every alert that fits all of `given` surely fits all of `wanted`; False where it cannot be told."""
    return all(_is_implied(given, matcher) for matcher in wanted)


def _is_implied(given: Sequence[Matcher], wanted: Matcher) -> bool:
    if wanted in given:
        return True
    group = [matcher for matcher in given if matcher.name == wanted.name]
    if wanted.name == MANY_VALUED:
        return wanted.positive and any(m.operator == "=" and wanted.accepts(m.value) for m in group)
    candidates = _candidates(wanted.name, group)
    if candidates is None:
        return False
    return all(wanted.accepts(value) for value in candidates if all(m.accepts(value) for m in group))


def _candidates(name: str, group: Sequence[Matcher]) -> list[str] | None:
    """Every value that a label could still have; None for any."""
    if name in DOMAINS:
        return list(DOMAINS[name])
    exact = [matcher.value for matcher in group if matcher.operator == "="]
    return exact[:1] or None
