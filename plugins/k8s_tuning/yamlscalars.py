"""What an unquoted YAML value means: by YAML 1.2's core schema, and to kubectl. Pure.

Sources: https://yaml.org/spec/1.2.2/#103-core-schema; kubectl reads YAML with sigs.k8s.io/yaml, whose resolve.go is a
dialect of YAML 1.1 (octal 010, 1_000, yes and no; but no base 60, and dates stay texts).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

Scalar = None | bool | int | float | str


class Dialect(Enum):
    """Who else reads the file, which decides what an unquoted value is.

    CONFIG: nobody, so YAML 1.2's core schema. MANIFEST: kubectl may, so an error where it reads another value.
    KUBECTL: the file was written for kubectl, so as kubectl reads it.
    """

    CONFIG = "config"
    MANIFEST = "manifest"
    KUBECTL = "kubectl"


# Whatever begins otherwise is a text to both.
_FIRST = frozenset("0123456789+-.~nNtTfFyYoO")
_NULLS: dict[str, Scalar] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_CORE_WORDS: dict[str, Scalar] = {
    **_NULLS,
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((f"{sign}{word}" for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_KUBECTL_WORDS: dict[str, Scalar] = {
    **_CORE_WORDS,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_CORE_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Go's strconv.ParseInt with base 0, once the underscores are gone.
_GO_INT = re.compile(r"([-+]?)(?:0([xX])([0-9a-fA-F]+)|0([bB])([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))")
# Go's strconv.ParseFloat, which allows an underscore between two digits.
_GO_DOT_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")


class Reading(NamedTuple):
    """A value, and what is wrong with leaving it unquoted ("" for nothing)."""

    value: Scalar
    problem: str = ""


def read_scalar(text: str, dialect: Dialect) -> Reading:
    """An unquoted value to whoever reads the file, and a problem where somebody else would read another one.

    For CONFIG that is only a number that YAML 1.1 reads otherwise; for MANIFEST whatever kubectl does.
    """
    value, other = core(text), kubectl(text)
    if dialect is Dialect.KUBECTL:
        return Reading(other)
    if dialect is Dialect.CONFIG:
        has_number = _is_number(value) or _is_number(other)
        differs = _LEADING_ZERO.fullmatch(text) or (has_number and not _same(value, other))
        return Reading(value, _beyond(value) or (_NUMBER.format(other="older readers of YAML") if differs else ""))
    if _same(value, other):
        return Reading(other, _beyond(other))
    if isinstance(other, bool):
        said = str(other).lower()
        return Reading(value, f"{text} is {said} to kubectl and a text to YAML 1.2; put it in quotes, or write {said}")
    return Reading(value, _beyond(value) or _NUMBER.format(other="kubectl"))


def core(text: str) -> Scalar:
    """An unquoted value by YAML 1.2's core schema."""
    if text and text[0] not in _FIRST:
        return text
    if text in _CORE_WORDS:
        return _CORE_WORDS[text]
    if _DECIMAL.fullmatch(text):
        return _int(text)
    if _CORE_BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def kubectl(text: str) -> Scalar:
    """An unquoted value as kubectl sends it in JSON, where 1e3 and 1.0 are whole numbers."""
    if text and text[0] not in _FIRST:
        return text
    if text in _KUBECTL_WORDS:
        return _KUBECTL_WORDS[text]
    if text[0] == ".":
        return _whole(float(text)) if _GO_DOT_FLOAT.fullmatch(text) else text
    plain = text.replace("_", "")
    if match := _GO_INT.fullmatch(plain):
        sign, is_hex, hexadecimal, is_binary, binary, octal, decimal = match.groups()
        base = 16 if is_hex else 2 if is_binary else 8 if octal else 10
        value = _int(sign + (hexadecimal or binary or octal or decimal), base)
        if -(2**63) <= value < 2**64:
            return value
    if _FLOAT.fullmatch(plain) and abs(number := float(plain)) != float("inf"):
        return _whole(number)
    return text


# The value may be a password: it is not repeated.
_NUMBER = (
    "this number is one value to YAML 1.2 and another to {other}; put it in quotes if it is a text, else write it in "
    "plain digits (no leading 0, no _, no 0b)"
)


def _beyond(value: Scalar) -> str:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "is a number beyond 64 bits; put it in quotes if it is a text"
    return ""


def _int(digits: str, base: int = 10) -> int:
    # Python refuses to read more decimal digits than this, and nobody asks for the exact value of such a number.
    return int(digits, base) if base != 10 or len(digits) < 4000 else 10**4000


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) < 2**63 else number


def _is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(one: Scalar, other: Scalar) -> bool:
    if _is_number(one) and _is_number(other):
        return one == other or (one != one and other != other)
    return type(one) is type(other) and one == other
