"""To standard output, for people at a terminal and for a task's log."""

from __future__ import annotations

import sys

from k8s_tuning.alerts.channels.kind import ChannelConfig, ChannelKind, Draft
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.markup import to_plain
from k8s_tuning.alerts.notice import Notice, Sent
from k8s_tuning.errors import DeliveryError


def render(notice: Notice, _config: ChannelConfig) -> list[Draft]:
    """The title, and the text without Markdown's marks."""
    return [Draft("print", f"{notice.title}\n\n{to_plain(notice.text)}\n".encode())]


def send(drafts: list[Draft], _config: ChannelConfig, _secret: ChannelSecret) -> Sent:
    """Print it."""
    try:
        for draft in drafts:
            sys.stdout.write(draft.body.decode())
        sys.stdout.flush()
    except (OSError, ValueError) as error:  # full, closed, or of an encoding that lacks a letter
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise DeliveryError(f"standard output: cannot be written: {cause}", retryable=False) from None
    return Sent("printed")


CHANNEL = ChannelKind("console", render, send)
