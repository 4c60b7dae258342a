"""To standard output, for people at a terminal and for a task's log."""

from __future__ import annotations

import sys

from k8s_tuning.alerts.channels.kind import ChannelConfig, ChannelKind, Draft
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.markup import to_plain
from k8s_tuning.alerts.notice import Notice, Sent


def render(notice: Notice, _config: ChannelConfig) -> list[Draft]:
    """The title, and the text without Markdown's marks."""
    return [Draft("print", f"{notice.title}\n\n{to_plain(notice.text)}\n".encode())]


def send(drafts: list[Draft], _config: ChannelConfig, _secret: ChannelSecret) -> Sent:
    """Print it."""
    for draft in drafts:
        sys.stdout.write(draft.body.decode())
    sys.stdout.flush()
    return Sent("printed")


CHANNEL = ChannelKind("console", render, send)
