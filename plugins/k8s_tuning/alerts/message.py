"""A notice's message as text: what a dry run shows, and what the ledger keeps."""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from k8s_tuning.alerts.channels import CHANNELS, ChannelConfig, Draft
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.notice import Notice


def show(notice: Notice, drafts: Sequence[Draft]) -> str:
    """The bytes that would go, as text; `***` stands where a secret would."""
    return f"--- {notice.receiver}/{notice.channel}: {notice.status}, nothing is sent ---\n{_text(drafts)}"


def kept_message(notice: Notice, channel: ChannelConfig, secret: ChannelSecret) -> str:
    """The bytes that go, as text, to be kept; what `secret` holds is `***`, also in the incident's own words.

    What is set in the moment of sending (the time and the signature of generic_webhook) stands as it was drafted.
    """
    # Masked before it is rendered, too: an e-mail's parts may be in base64, where no search finds anything.
    mask = secret.masker.own
    return mask(_text(CHANNELS[channel.type].render(_masked(notice, mask), channel)))


def fitting(message: str, most_bytes: int) -> str:
    """The message where it takes at most so many bytes as a JSON string; else its beginning, and that it was cut."""
    if _size(message) <= most_bytes:
        return message
    whole = len(message.encode("utf-8", "replace"))
    note = f"\n… (cut here: the whole message has {whole:,} bytes, too many for a line of the ledger)"
    longest = bisect.bisect_right(range(len(message)), most_bytes, key=lambda end: _size(message[:end] + note))
    return message[: longest - 1] + note if longest else ""


def _text(drafts: Sequence[Draft]) -> str:
    lines: list[str] = []
    for draft in drafts:
        lines.append(draft.what)
        lines += [f"{name}: {value}" for name, value in draft.headers.items()]
        lines += ["", draft.body.decode("utf-8", "replace")]
    return "\n".join(lines) + "\n"


def _masked(notice: Notice, mask: Callable[[str], str]) -> Notice:
    def masked(one: Any, *names: str, **others: Any) -> Any:
        return replace(one, **{name: _masked_json(getattr(one, name), mask) for name in names}, **others)

    shown = ("title", "text", "namespace", "selector", "metadata", "raw_incident")
    items = [masked(item, "why", "target", "reasons", payload=masked(item.payload, *shown)) for item in notice.items]
    whole: Notice = masked(notice, "title", "text", items=items)
    return whole


def _masked_json(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {mask(str(key)): _masked_json(inner, mask) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked_json(inner, mask) for inner in value]
    return mask(value) if isinstance(value, str) else value


def _size(text: str) -> int:
    """Bytes of a JSON string as jsonl.encode writes it."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
