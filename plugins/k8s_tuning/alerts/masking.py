"""What of a connection must never be shown, in every form in which a receiver may send it back."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, quote_plus, unquote, urlsplit

from k8s_tuning.alerts.escapes import Sign, unescaped, without_breaks

if TYPE_CHECKING:
    from k8s_tuning.alerts.credentials import ChannelSecret

MASK = "***"
# Shorter texts are searched for as whole words only: "smtp" within another word is no secret.
_SHORTEST_WITHIN_WORDS = 6
# A part of an address as long as this is a token by itself; a shorter one may be any word ("alertmanager").
_SHORTEST_TOKEN = 16
# What addresses are made of beside tokens: /api/v2/alerts, /services/.
_PATH_WORD = re.compile(r"[a-z]+(?:[-_.][a-z]+)*|v\d{1,2}", re.IGNORECASE)
_SHORTEST_WORD = 2
# Values of a connection's switches (`disable_ssl`).
_SWITCHES = {"true", "false", "yes", "no", "on", "off", "none", "null"}


class Masker:
    """Replaces the secrets of one connection by `***`. Scheme, host and port of its address are none, and stay.

    `own` is for our own messages, which quote no receiver: it leaves alone what may be any word. `answer` is for what a
    receiver said, which may quote the whole request: short tokens and every part of the path go as well.
    """

    def __init__(self, secret: ChannelSecret) -> None:
        url, login, password = secret.url, secret.login, secret.password
        parts = _split(url)
        held = _leaves(secret.extra)
        whole = {password or "", *held, parts.path.strip("/"), parts.query}
        # `Bearer TOKEN`: a receiver may name the token alone.
        whole |= {word for text in held for word in text.split() if len(word) >= _SHORTEST_TOKEN}
        whole |= {parts.password or "", parts.username or ""}
        through = _split(secret.proxy)
        whole |= {through.password or "", through.username or ""}
        whole |= {text.strip() for text in whole}
        whole -= _SWITCHES
        pieces = [piece for piece in re.split("[/&=]", f"{parts.path}/{parts.query}") if piece]
        tokens = {piece for piece in pieces if len(piece) >= _SHORTEST_TOKEN}
        basic = {
            f"{name}:{word}" for name, word in ((login, password), (parts.username, parts.password)) if name and word
        }
        every = {*tokens, *pieces[-1:], *(piece for piece in pieces if not _PATH_WORD.fullmatch(piece))}
        plain = {text for held in {*whole, *tokens, *basic, url or ""} for text in (held, unquote(held))}
        encoded = {form for text in plain for form in _base64_forms(text)}
        places = _places(parts, secret.host, secret.port)
        self._own = _Search({*whole, *tokens}, encoded, places, short=False)
        self._answer = _Search({*whole, *every}, encoded, places, short=True)

    def own(self, text: str) -> str:
        """A text of ours."""
        return self._own.replace(text)

    def answer(self, text: str) -> str:
        """A text that a receiver had a part in."""
        return self._answer.replace(text)


class _Search:
    """One pattern for all: the longest first, and before all others what is to stay."""

    def __init__(self, secrets: Iterable[str], encoded: Iterable[str], places: Iterable[str], *, short: bool) -> None:
        plain = {text for secret in secrets for text in (secret, unquote(secret)) if text}
        within = {form for text in plain if len(text) >= _SHORTEST_WITHIN_WORDS for form in _forms(text)} | set(encoded)
        words = {text for text in plain if short and _SHORTEST_WORD <= len(text) < _SHORTEST_WITHIN_WORDS}
        kept = {place for place in places if place not in plain}
        # A secret that holds the host's name goes whole; else the host stays, whatever secret is a part of its name.
        first = {text for text in within if any(place in text for place in kept)}
        self._found = re.compile("|".join(_either(within - first, words))) if within or words else None
        self._first = re.compile("|".join(_either(first, ()))) if first else None
        self._kept = re.compile("(" + "|".join(_either(kept, ())) + ")") if kept else None
        self._escaped = short
        broken = {*encoded, *_read_as_other(plain), *(text for text in plain if len(text) >= _SHORTEST_WITHIN_WORDS)}
        self._broken = re.compile("|".join(_either(broken, ()))) if broken else None

    def replace(self, text: str) -> str:
        if self._first is not None:
            text = self._first.sub(MASK, text)
        if self._found is None:
            return text
        pieces = self._kept.split(text) if self._kept is not None else [text]
        # Every second piece is what stays.
        return "".join(piece if at % 2 else self._masked(piece, self._found) for at, piece in enumerate(pieces))

    def _masked(self, piece: str, found: re.Pattern[str]) -> str:
        piece = found.sub(MASK, piece)
        if not self._escaped:
            return piece
        piece = _sub_within(found, piece, unescaped(piece))
        return piece if self._broken is None else _sub_within(self._broken, piece, without_breaks(piece))


def _sub_within(pattern: re.Pattern[str], text: str, signs: list[Sign]) -> str:
    """The text with `***` where `signs`, what it reads as, have what is searched for."""
    shown, at = [], 0
    for found in pattern.finditer("".join(sign for sign, _, _ in signs)):
        begin, end = signs[found.start()][1], signs[found.end() - 1][2]
        shown += [text[at:begin], MASK]
        at = end
    return "".join([*shown, text[at:]])


def _either(within: Iterable[str], words: Iterable[str]) -> list[str]:
    longest_first = sorted(within, key=lambda text: (-len(text), text))
    found = [re.escape(text) for text in longest_first]
    return found + [rf"(?<!\w){re.escape(text)}(?!\w)" for text in sorted(words, key=lambda text: (-len(text), text))]


def _split(url: str | None) -> SplitResult:
    try:
        parts = urlsplit(url or "")
        _ = parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _port(parts: SplitResult) -> str:
    return f":{parts.port}" if parts.port else ""


def _places(parts: SplitResult, host: str | None, port: int | None) -> set[str]:
    found = set()
    if parts.hostname:
        found |= {f"{parts.scheme}://{parts.hostname}{_port(parts)}", f"{parts.hostname}{_port(parts)}", parts.hostname}
    if host:
        found |= {f"{host}:{port}", host} if port else {host}
    return found | {"https://", "http://"} if found else found


def _forms(text: str) -> set[str]:
    quoted = {quote(text, errors="replace"), quote_plus(text, errors="replace")}
    quoted.add(quote(text, safe="", errors="replace"))
    quoted |= {re.sub("%..", lambda code: code[0].lower(), form) for form in quoted}
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    escaped |= {form.replace("/", r"\/") for form in escaped}
    return {text, html.escape(text), html.escape(text, quote=False), *quoted, *escaped}


def _base64_forms(text: str) -> set[str]:
    """The text in base64, wherever it lies in what is encoded: three shifts, of each what is of the text alone."""
    data = text.encode("utf-8", "replace")
    if len(data) < _SHORTEST_WITHIN_WORDS:
        return set()
    found = set()
    for shift in range(3):
        code = base64.b64encode(b"\0" * shift + data).decode()
        # The first sign that holds bits of what is before, and the last group with bits of what is behind.
        inner = code[(shift * 8 + 5) // 6 : (shift + len(data)) // 3 * 4]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    whole = base64.b64encode(data).decode()
    return {form for form in (*found, whole, whole.rstrip("=")) if len(form) >= _SHORTEST_WITHIN_WORDS}


def _read_as_other(texts: Iterable[str]) -> set[str]:
    """In hexadecimal, and as UTF-8 reads where it is taken for Latin-1, as HTTP servers take headers."""
    data = [text.encode("utf-8", "replace") for text in texts if len(text) >= _SHORTEST_WITHIN_WORDS]
    return {form for one in data for form in (one.hex(), one.hex().upper(), one.decode("latin-1"))}


def _leaves(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, (list, tuple)):
        return [leaf for inner in value for leaf in _leaves(inner)]
    if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) >= _SHORTEST_WITHIN_WORDS:
        return [str(value)]
    return [value] if isinstance(value, str) else []
