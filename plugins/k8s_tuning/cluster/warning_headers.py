"""What an API server remarks beside its answer: `Warning: 299 - "text"` headers (RFC 7234, section 5.5). Pure.

Since 1.19; from admission (PodSecurity, policies), validation (a fractional byte, an unknown field) and deprecations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from k8s_tuning.printable import one_line

MOST_WARNINGS = 20
LONGEST_WARNING = 1_000
# Code, agent, text, and perhaps a date; several in one header are parted by commas, which texts may hold too.
_WARNING = re.compile(r'\s*\d{3} [^\s,"]+ "((?:[^"\\]++|\\.)*+)"(?: "[^"]*+")?\s*(?:,|\Z)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read_warnings(headers: Iterable[str]) -> list[str]:
    """The texts of all Warning headers: each once, printable, bounded in length and number.

    A header that is not as it should be is shown as it stands.
    """
    texts = dict.fromkeys(one_line(text, LONGEST_WARNING) for header in headers for text in _texts(header))
    found = [text for text in texts if text]
    left_out = len(found) - MOST_WARNINGS
    return found if left_out <= 0 else [*found[:MOST_WARNINGS], f"… and {left_out} more"]


def _texts(header: str) -> Iterable[str]:
    position = 0
    while position < len(header):
        found = _WARNING.match(header, position)
        if found is None:
            yield header[position:]
            return
        yield _ESCAPED.sub(r"\1", found[1])
        position = found.end()
