"""Alertmanager's label matchers: `name="value"`, `!=`, `=~`, `!~`, and what a set of them can never match. Pure.

How one is written is matcher_text's. Expressions are RE2's, by RE2 itself: Go's regexp takes the same ones.

A label that an alert lacks is the empty value. `reason` may have several values: an incident has every reason of its
Jobs. `=` and `=~` ask whether one of them fits, `!=` and `!~` whether none is excluded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import re2

from k8s_tuning.alerts import matcher_text
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.stages.health.reasons import REASONS

Labels = Mapping[str, str | Sequence[str]]

MANY_VALUED = "reason"
SOURCES = ("health", "pipeline", "smoke")
# What the pipeline says of itself, beside the reasons of docs/health.md.
OWN_REASONS = ("stage_broke", "history_stale", "run_overdue", "task_failed", "smoke_test")
# Labels whose every value is known: a matcher that fits none of them is a slip of the pen.
DOMAINS: Mapping[str, tuple[str, ...]] = {
    "severity": tuple(severity.value for severity in IncidentSeverity),
    "source": SOURCES,
    "reason": ("", *REASONS, *OWN_REASONS),
}

# RE2 has `\C`, one byte, and Go has not.
_ONE_BYTE = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)
_MOST_MEMORY = 64 << 20


@dataclass(frozen=True)
class Matcher:
    """One condition on one label."""

    name: str
    operator: str
    value: str = field(compare=True)

    def __str__(self) -> str:
        return matcher_text.written(self.name, self.operator, self.value)

    @property
    def positive(self) -> bool:
        """Whether it asks for a value rather than against one."""
        return self.operator in ("=", "=~")

    @cached_property
    def _pattern(self) -> Any:
        return _compiled(self.value)

    def accepts(self, value: str) -> bool:
        """Whether one value fits."""
        if self.operator in ("=", "!="):
            return (value == self.value) == self.positive
        return bool(self._pattern.search(value.encode("utf-8", "replace"))) == self.positive

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
    try:
        return [_matcher(*parts, text) for parts in matcher_text.classic(inner)]
    except InputError:
        if not (parts := matcher_text.utf8(inner)):
            raise
        return [_matcher(*one, text) for one in parts]


def _matcher(name: str, operator: str, value: str, text: str) -> Matcher:
    if operator in ("=~", "!~"):
        try:
            _compiled(value)
        except re2.error as error:
            why = error.args[0] if error.args else "unknown"
            why = why.decode("utf-8", "replace") if isinstance(why, bytes) else why
            raise InputError(f"{text!r}: the expression does not compile in RE2, Alertmanager's: {why}") from None
        except UnicodeEncodeError:
            raise InputError(f"{text!r}: the expression is not Unicode text") from None
    return Matcher(name, operator, value)


def _compiled(expression: str) -> Any:
    """The whole as Alertmanager compiles it: an expression with an odd `)` in it means there what it means here."""
    if any(found[1] == "C" for found in _ONE_BYTE.finditer(expression)):
        raise re2.error(r"invalid escape sequence: \C")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    return re2.compile(f"^(?:{expression})$", options)


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
    """Whether every alert that fits all of `given` surely fits all of `wanted`; False where that is not known."""
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
