r"""A text as it reads without its escapes, each sign with where it stood: `%2F`, `%252F`, `\u002f`, `&#x2f;`, `\/`.

A receiver may write any sign of what it sends back in any of these; to list the forms of a whole word is endless.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_ESCAPE = re.compile(
    r"(?P<bytes>(?:%(?:25){0,3}[0-9a-fA-F]{2}|\\{1,3}x[0-9a-fA-F]{2})+)"
    r"|(?P<units>(?:\\{1,3}u[0-9a-fA-F]{4})+)"
    r"|(?P<entity>&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,7}|[a-zA-Z]{2,31});)"
    r"|\\{1,3}(?P<sign>[^\\])",
    re.DOTALL,
)
_BYTE = re.compile(r"(?:%(?:25){0,3}|\\{1,3}x)([0-9a-fA-F]{2})")
_UNIT = re.compile(r"\\{1,3}u([0-9a-fA-F]{4})")
_KEPT_OR_BREAK = re.compile(r"\s+|\\[rn]|(?P<kept>.)")

Sign = tuple[str, int, int]


def unescaped(text: str) -> list[Sign]:
    """The signs that are meant, each with its begin and end in the text."""
    signs: list[Sign] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        signs += [(text[i], i, i + 1) for i in range(at, found.start())]
        signs += _meant(found)
        at = found.end()
    return signs + [(text[i], i, i + 1) for i in range(at, len(text))]


def without_breaks(text: str) -> list[Sign]:
    """The same without line ends and blanks, as base64 is broken into lines."""
    joined = [(one[0], one.start(), one.end()) for one in _KEPT_OR_BREAK.finditer(text) if one["kept"]]
    read = unescaped("".join(sign for sign, _, _ in joined))
    return [(sign, joined[begin][1], joined[end - 1][2]) for sign, begin, end in read]


def _meant(found: re.Match[str]) -> Iterator[Sign]:
    begin, end = found.span()
    if found["bytes"] or found["units"]:
        pattern, encoding = (_BYTE, "utf-8") if found["bytes"] else (_UNIT, "utf-16-be")
        parts = [(bytes.fromhex(one[1]), begin + one.start(), begin + one.end()) for one in pattern.finditer(found[0])]
        yield from _decoded(parts, encoding)
    else:
        yield from ((sign, begin, end) for sign in found["sign"] or html.unescape(found[0]))


def _decoded(parts: list[tuple[bytes, int, int]], encoding: str) -> Iterator[Sign]:
    """Signs of one or more parts each; what is no sign of the encoding is passed over part by part."""
    at = 0
    while at < len(parts):
        for length in (1, 2, 3, 4):
            try:
                sign = b"".join(data for data, _, _ in parts[at : at + length]).decode(encoding)
            except UnicodeDecodeError:
                continue
            yield sign, parts[at][1], parts[min(at + length, len(parts)) - 1][2]
            at += length
            break
        else:
            yield "\ufffd", parts[at][1], parts[at][2]
            at += 1
