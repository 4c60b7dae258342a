"""How a label matcher is written: Alertmanager's two grammars, tried in the order of its own default mode. Pure.

First the classic one (pkg/labels/parse.go): a Prometheus label name, an operator, a value with or without quotes, in
which a backslash escapes only itself, a double quote and an n. What it does not take is read by the UTF-8 one of
Alertmanager 0.27 (matcher/parse): any name and value, in double quotes with Go's escapes, or bare without reserved
characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from k8s_tuning.errors import InputError

# name, operator, value
Parts = tuple[str, str, str]

# Go's \s is ASCII.
_CLASSIC = re.compile(
    r"[ \t\n\f\r]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t\n\f\r]*(=~|=|!=|!~)[ \t\n\f\r]*(.*?)[ \t\n\f\r]*", re.DOTALL
)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}
_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>=~|!=|!~|=|,)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<bare>[^\s{}!=~,\\"'`]+))""", re.DOTALL
)
_GO_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\\\n])"
)
_GO_LETTERS = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}


def classic(inner: str) -> list[Parts]:
    """The matchers of a text without its braces; InputError where the classic grammar does not have it."""
    return [_classic_one(part) for part in _split(inner)]


def utf8(inner: str) -> list[Parts] | None:
    """The same by the UTF-8 grammar; None where it does not have it."""
    tokens = list(_tokens(inner))
    found: list[Parts] = []
    while tokens:
        if len(tokens) < 3 or not (tokens[1][0] == "sign" and tokens[1][1] != ","):
            return None
        name, value = _text(*tokens[0]), _text(*tokens[2])
        if name is None or value is None or tokens[3:4] not in ([], [("sign", ",")]):
            return None
        found.append((name, tokens[1][1], value))
        tokens = tokens[4:]
    return found


def written(name: str, operator: str, value: str) -> str:
    """A matcher as text that both grammars read alike, and Alertmanager reads the same."""
    shown = name if re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name) else _quoted(name)
    return f"{shown}{operator}{_quoted(value)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _split(inner: str) -> list[str]:
    parts, part, inside, escaped = [], "", False, False
    for sign in inner:
        if sign == "," and not inside:
            parts.append(part)
            part = ""
            continue
        if sign == '"':
            inside, escaped = inside if escaped else not inside, False
        elif sign != ",":  # Alertmanager's own oddity: a comma does not end an escape
            escaped = sign == "\\" and not escaped
        part += sign
    return [*parts, part] if part.strip() or not parts else parts  # a trailing comma is allowed


def _classic_one(text: str) -> Parts:
    found = _CLASSIC.fullmatch(text)
    if not found:
        raise InputError(f'{text!r} is not a matcher; write one as name="value", with =, !=, =~ or !~')
    name, operator, raw = found.groups()
    is_quoted = raw.startswith('"')
    raw = raw[1:] if is_quoted else raw
    value, position, closed = [], 0, False
    while position < len(raw):
        sign = raw[position]
        if sign == "\\" and position + 1 < len(raw):
            position += 1
            follow = raw[position]
            value.append(_ESCAPES.get(follow, "\\" + follow))
        elif sign == '"':
            if not is_quoted or position != len(raw) - 1:
                raise InputError(f'{text!r}: a double quote inside the value; write it as \\"')
            closed = True
        else:
            value.append(sign)
        position += 1
    if is_quoted and not closed:
        raise InputError(f"{text!r}: the value's closing double quote is missing")
    return name, operator, "".join(value)


def _tokens(inner: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(inner.rstrip())
    while position < end:
        found = _TOKEN.match(inner, position)
        if not found:
            yield "sign", ""  # a reserved character, which no matcher has there
            return
        kind = found.lastgroup or ""
        yield kind, found[kind]
        position = found.end()


def _text(kind: str, token: str) -> str | None:
    if kind == "bare":
        return token
    if kind != "quoted":
        return None
    data, position, body = bytearray(), 0, token[1:-1]
    while position < len(body):
        found = _GO_ESCAPE.match(body, position)
        if not found:
            return None
        letter, in_hex, in_octal, short, long, plain = found.groups()
        try:
            if letter:
                data.append(_GO_LETTERS[letter])
            elif in_hex or in_octal:
                data.append(int(in_hex, 16) if in_hex else int(in_octal, 8))
            else:
                data += (plain or chr(int(short or long, 16))).encode()
        except (ValueError, OverflowError):  # \400, a surrogate, past the last code point
            return None
        position = found.end()
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
