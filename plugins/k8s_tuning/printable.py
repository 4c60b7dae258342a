"""Text from strangers, as a terminal, a mail and a page may have it: a cluster's messages, logs and names.

A control sequence can repaint a terminal, write the clipboard or hide a line; a turn of the writing direction makes a
line read as something else. Sequences go (ECMA-48 and xterm's, with what they carry); every other sign that cannot be
seen is shown as a picture, so that nothing is hidden.
"""

from __future__ import annotations

import re

# Tabs and line ends stay. U+200C and U+200D stay as well: scripts and emoji are joined by them.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_SEQUENCE = re.compile(
    r"""
      (?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]                                # colours, cursor moves, modes
    | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|\Z)  # titles, links, the clipboard
    | \x1b[ -/]*[0-~]                                                 # the short ones: character sets, a full reset
    """,
    re.VERBOSE,
)
_OVERWRITTEN = re.compile(r"[\r\x08]+")
_CONTROL_PICTURES, _SPACE, _DELETE = 0x2400, 0x20, 0x7F


def printable(text: str) -> str:
    """The text without control sequences, and with what cannot be seen as pictures: ␛, ␇, ⟨U+202E⟩."""
    return text if text.isprintable() else visible(_SEQUENCE.sub("", text))


def visible(text: str) -> str:
    """The text with every sign that cannot be seen as a picture, the beginnings of control sequences as well."""
    return _UNSEEN.sub(_picture, text)


def log_line(line: str) -> str:
    """One line of a log as it stands on a terminal in the end: of a progress bar, which returns to the line's beginning
    (or goes back sign by sign) to write itself again, the last state."""
    states = [state for state in _OVERWRITTEN.split(_SEQUENCE.sub("", line)) if state.strip()]
    return visible(states[-1]) if states else ""


def one_line(text: str, widest: int | None = None) -> str:
    """The text in one line, printable, cut at its end where it is longer than `widest` characters."""
    line = " ".join(printable(text).split())
    return line if widest is None else start_of(line, widest)


def start_of(text: str, widest: int) -> str:
    """A text's first `widest` characters."""
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def end_of(line: str, widest: int) -> str:
    """A line's last `widest` characters: the news stands at the end of a long line of a log."""
    return line if len(line) <= widest else f"…{line[1 - widest :]}"


def json_text(text: str) -> str:
    r"""JSON that says the same in signs that can be seen: `\u009b`, as JSON itself writes the older ones."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in "\n\t" else f"\\u{ord(found[0]):04x}", text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < _SPACE:
        return chr(_CONTROL_PICTURES + code)
    return "\u2421" if code == _DELETE else f"⟨U+{code:04X}⟩"
