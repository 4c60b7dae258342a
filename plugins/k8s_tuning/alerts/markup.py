"""Text cut to a receiver's limits, and our Markdown (bold, lists) in the words of each receiver. Pure."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

CUT_NOTE = "… (cut)"
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_JOINER = "\u200d"


def clusters(text: str) -> Iterator[str]:
    """The text in pieces that a reader sees as one sign: a letter with its accents, an emoji with what it is joined of.

    Follows the parts of Unicode's UAX #29 that matter here: combining marks, variation selectors, skin tones, joiners,
    pairs of regional indicators, and Korean syllables written as conjoining letters.
    """
    start = 0
    for position in range(1, len(text)):
        if not _joined(text, start, position):
            yield text[start:position]
            start = position
    if text:
        yield text[start:]


def _joined(text: str, start: int, position: int) -> bool:
    before, sign = text[position - 1], text[position]
    if sign < "\u0300":
        return before == "\r" and sign == "\n"
    if before == _JOINER or sign == _JOINER or unicodedata.category(sign) in ("Mn", "Me", "Mc"):
        return True
    if "\U0001f3fb" <= sign <= "\U0001f3ff" or "\U000e0020" <= sign <= "\U000e007f":
        return True
    if _is_flag_half(sign) and _is_flag_half(before):
        return (position - start) % 2 == 1
    # Conjoining jamo: vowels and trailing consonants belong to what is before them.
    return "\u1160" <= sign <= "\u11ff" and ("\u1100" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")


def _is_flag_half(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def utf16(text: str) -> int:
    """Length as JavaScript and Java count it, which is never below the number of signs."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8(text: str) -> int:
    """Length in bytes."""
    return len(text.encode("utf-8", "surrogatepass"))


def cut(text: str, limit: int, measure: Callable[[str], int] = utf16, note: str = CUT_NOTE) -> str:
    """The text where it fits into `limit`, else its beginning and a note. Never cuts through a sign."""
    if measure(text) <= limit:
        return text
    left = limit - measure(note)
    kept = []
    for sign in clusters(text):
        left -= measure(sign)
        if left < 0:
            break
        kept.append(sign)
    return "".join(kept) + note if limit >= measure(note) else ""


def escape_mrkdwn(text: str) -> str:
    """`&`, `<` and `>` as Slack wants them, so that nothing in a message can mention a channel or make a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn_text(text: str, limit: int) -> str:
    """A text without Markdown for Slack, at most `limit` long after escaping."""
    return escape_mrkdwn(cut(text, limit, lambda piece: utf16(escape_mrkdwn(piece))))


def to_mrkdwn(text: str, limit: int = 3000) -> str:
    """Markdown as Slack's mrkdwn, at most `limit` long after escaping."""
    return re.sub(r"(?m)^- ", "• ", _BOLD.sub(r"*\1*", mrkdwn_text(text, limit)))


def to_html(text: str) -> str:
    """Markdown as HTML."""
    parts: list[str] = []
    marked = (_BOLD.sub(r"<b>\1</b>", html.escape(line, quote=False)) for line in text.split("\n"))
    for is_list, lines in itertools.groupby(marked, lambda line: line.startswith("- ")):
        entries = [f"<li>{line[2:]}</li>" if is_list else f"{line}<br>" for line in lines]
        parts += ["<ul>", *entries, "</ul>"] if is_list else entries
    return "\n".join(parts)


def to_plain(text: str) -> str:
    """Markdown without its marks."""
    return _BOLD.sub(r"\1", text)
