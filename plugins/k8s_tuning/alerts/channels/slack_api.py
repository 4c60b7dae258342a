"""Slack Web API: a thread an incident, its first message edited to its present state. docs.slack.dev/reference/methods

The bot token (xoxb-…, scope chat:write) is the connection's password; its URL, where it has one, replaces
https://slack.com/api. `channel` in the configuration says where to.
"""

from __future__ import annotations

from typing import Any

import orjson

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels.kind import ChannelConfig, ChannelKind, Draft, json_body, required_token
from k8s_tuning.alerts.channels.slack_webhook import COLORS, fields_of
from k8s_tuning.alerts.credentials import ChannelSecret, place_of
from k8s_tuning.alerts.markup import cut, mrkdwn_text, to_mrkdwn
from k8s_tuning.alerts.notice import Notice, NoticeItem, Sent
from k8s_tuning.alerts.posting import post, quote
from k8s_tuning.errors import DeliveryError

BASE_URL = "https://slack.com/api"
MOST_HEADER = 150
MOST_SECTION = 3000
MOST_FIELD = 2000
MOST_BLOCKS = 50
# "fatal_error" and the others may pass; what is left (invalid_auth, channel_not_found, …) stays until somebody
# repairs it.
_PASSING = {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
# The first message is gone or too old to change: the thread, or a new first message, has to do.
_NOT_EDITABLE = {"message_not_found", "cant_update_message", "edit_window_closed", "update_failed"}
_CURES = {
    "invalid_auth": "the token is wrong: put the bot token (xoxb-…) into the connection's password",
    "not_authed": "no token arrived: put the bot token (xoxb-…) into the connection's password",
    "token_expired": "the token has expired: renew it in the connection",
    "token_revoked": "the token was revoked: renew it in the connection",
    "account_inactive": "the token's user was removed: make a new token",
    "missing_scope": "give the app the scope chat:write and install it again",
    "channel_not_found": "check `channel`, and invite the app into it if it is private",
    "not_in_channel": "invite the app into the channel",
    "is_archived": "the channel is archived: choose another",
}


def render(notice: Notice, config: ChannelConfig) -> list[Draft]:
    """A first message, or for an incident that has one: its edit, and an answer in its thread."""
    item = notice.items[0]
    message = _message(notice, item)
    if not item.ref.get("ts"):
        return [Draft("chat.postMessage", json_body({"channel": config.options["channel"], **message}))]
    place = item.ref.get("channel") or config.options["channel"]
    return [
        Draft("chat.update", json_body({"channel": place, "ts": item.ref["ts"], **message})),
        Draft("chat.postMessage", json_body({"channel": place, "thread_ts": item.ref["ts"], **message})),
    ]


def _message(notice: Notice, item: NoticeItem) -> dict[str, Any]:
    payload = item.payload
    values = fields_of(payload)
    fields = [f"*{name}*\n{mrkdwn_text(value, MOST_FIELD - 40)}" for name, value in values.items()]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(notice.title, MOST_HEADER), "emoji": True}},
        {"type": "section", "fields": [_mrkdwn(text) for text in fields]},
        {"type": "section", "text": _mrkdwn(to_mrkdwn(notice.text, MOST_SECTION))},
        {"type": "context", "elements": [_mrkdwn(mrkdwn_text(f"{item.decision}: {item.why}", MOST_FIELD))]},
    ]
    return {
        "text": mrkdwn_text(notice.title, MOST_SECTION),
        "attachments": [{"color": COLORS[payload.severity], "blocks": blocks[:MOST_BLOCKS]}],
        "unfurl_links": False,
    }


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def send(drafts: list[Draft], config: ChannelConfig, secret: ChannelSecret) -> Sent:
    """Call the methods in their order; the edit first, for doing it twice does no harm."""
    token = required_token(secret, config, "bot token")
    base = (secret.url or BASE_URL).strip().rstrip("/")
    ref: dict[str, str] = {}
    for draft in drafts:
        message = orjson.loads(draft.body)
        try:
            said = _call(base, draft.what, draft.body, token, secret, config.timeout_seconds)
        except _NotEditableError as error:
            if error.code != "message_not_found":
                continue
            # The first message was deleted: begin a new thread.
            start = {key: value for key, value in message.items() if key != "ts"}
            said = _call(base, "chat.postMessage", json_body(start), token, secret, config.timeout_seconds)
            return Sent("ok", _ref(said))
        if draft.what == "chat.postMessage" and "thread_ts" not in message:
            ref = _ref(said)
    return Sent("ok", ref)


def _ref(said: dict[str, Any]) -> dict[str, str]:
    return {key: str(said.get(key) or "") for key in ("channel", "ts")}


class _NotEditableError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _call(
    base: str, method: str, body: bytes, token: str, secret: ChannelSecret, timeout_seconds: float
) -> dict[str, Any]:
    url = f"{base}/{method}"
    headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {token}"}
    answer = post(url, body, headers, secret, timeout_seconds)
    try:
        said = orjson.loads(answer.text)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise DeliveryError(f"{place_of(url)}: {method} answered something that is not Slack's JSON", retryable=True)
    if said.get("ok") is True:
        return said
    code = str(said.get("error") or "no reason given")
    if method == "chat.update" and code in _NOT_EDITABLE:
        raise _NotEditableError(code)
    cure = f"; {_CURES[code]}" if code in _CURES else ""
    raise DeliveryError(
        f"{place_of(url)}: {method} was refused{quote(code, secret)}{cure}",
        retryable=code in _PASSING,
        retry_after=timestamps.retry_after(answer.headers.get("retry-after")),
    )


CHANNEL = ChannelKind(
    "slack_api", render, send, {"channel": str}, ("channel",), connection_types=("slack",), per_incident=True
)
