"""Slack incoming webhook: D35's attachments. docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

The connection's URL is the whole webhook. Slack answers `ok` as text; a 200 with anything else is a failure.
"""

from __future__ import annotations

from typing import Any

from k8s_tuning.alerts.channels.kind import ChannelConfig, ChannelKind, Draft, json_body, required_url
from k8s_tuning.alerts.credentials import ChannelSecret, place_of
from k8s_tuning.alerts.markup import mrkdwn_text, to_mrkdwn
from k8s_tuning.alerts.notice import Notice, NoticeItem, Sent
from k8s_tuning.alerts.posting import post, quote
from k8s_tuning.errors import DeliveryError
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sAlertPayload

# What a section of Block Kit may hold; attachments have no stated limit, and hide what is longer than a screen.
MOST_TEXT = 3000
MOST_TITLE = 150
# Slack shows at most 100 attachments and asks for no more than 20 (docs.slack.dev/messaging/formatting-message-text).
MOST_ATTACHMENTS = 20
# Slack's word for a severity.
COLORS = {IncidentSeverity.CRITICAL: "danger", IncidentSeverity.WARN: "warning", IncidentSeverity.INFO: "good"}


def render(notice: Notice, _config: ChannelConfig) -> list[Draft]:
    """One POST: the title as text, an attachment an incident."""
    if len(notice.items) == 1:
        attachments = [_attachment(notice.items[0], notice.title, notice.text)]
    else:
        shown = notice.items[: MOST_ATTACHMENTS - 1]
        attachments = [
            {"color": COLORS[notice.severity], "text": to_mrkdwn(notice.text, MOST_TEXT), "mrkdwn_in": ["text"]}
        ]
        attachments += [_attachment(item, item.payload.title, item.payload.text) for item in shown]
        if len(shown) < len(notice.items):
            attachments[-1]["footer"] = f"and {len(notice.items) - len(shown)} more (cut)"
    return [
        Draft(
            "POST incoming webhook",
            json_body({"text": mrkdwn_text(notice.title, MOST_TEXT), "attachments": attachments}),
        )
    ]


def _attachment(item: NoticeItem, title: str, text: str) -> dict[str, Any]:
    payload = item.payload
    values = fields_of(payload)
    return {
        "color": COLORS[payload.severity],
        "title": mrkdwn_text(title, MOST_TITLE),
        "text": to_mrkdwn(text, MOST_TEXT),
        "fallback": mrkdwn_text(title, MOST_TITLE),
        "mrkdwn_in": ["text"],
        "fields": [{"title": name, "value": mrkdwn_text(value, 2000), "short": True} for name, value in values.items()],
    }


def fields_of(payload: K8sAlertPayload) -> dict[str, str]:
    """What stands in fields of its own in a message to Slack."""
    return {
        "Namespace": payload.namespace,
        "Selector": payload.selector,
        "Severity": payload.severity.value,
        "Health": payload.current_health.value,
    }


def send(drafts: list[Draft], config: ChannelConfig, secret: ChannelSecret) -> Sent:
    """POST it to the webhook."""
    url = required_url(secret, config)
    (draft,) = drafts
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = post(url, draft.body, headers, secret, config.timeout_seconds)
    if answer.text.strip() != "ok":
        raise DeliveryError(
            f"{place_of(url)}: answered {answer.status}, but not `ok`{quote(answer.text, secret) or ': nothing'}",
            retryable=False,
        )
    return Sent("ok")


CHANNEL = ChannelKind("slack_webhook", render, send, connection_types=("slackwebhook", "http"))
