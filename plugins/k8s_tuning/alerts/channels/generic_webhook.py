"""Any HTTP receiver: D35's JSON body, signed where the connection holds a secret.

With a password in the connection, `X-K8s-Tuning-Signature: sha256=<hex>` is the HMAC-SHA256 of the timestamp header's
value, a full stop and the body: the receiver can tell who sent it, and refuse an old one played again.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels.kind import MASK, ChannelConfig, ChannelKind, Draft, json_body, required_url
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.notice import Notice, NoticeItem, Sent
from k8s_tuning.alerts.posting import post, said

SIGNATURE = "X-K8s-Tuning-Signature"
TIMESTAMP = "X-K8s-Tuning-Timestamp"


def render(notice: Notice, _config: ChannelConfig) -> list[Draft]:
    """One POST. With several incidents, the fields are the most severe one's and `incidents` has them all."""
    first = notice.items[0]
    payload = first.payload
    body: dict[str, Any] = {
        "alert_type": "k8s_health",
        "title": notice.title,
        "severity": notice.severity.value,
        "namespace": payload.namespace,
        "selector": payload.selector,
        "current_health": payload.current_health.value,
        "text": notice.text,
        "metadata": payload.metadata,
        "incident": payload.raw_incident,
        "status": notice.status.value,
    }
    if len(notice.items) > 1:
        body["incidents"] = [_incident(item) for item in notice.items]
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Idempotency-Key": notice.id,
        TIMESTAMP: notice.planned_at,
        SIGNATURE: f"sha256={MASK}",
    }
    return [Draft("POST webhook", json_body(body), headers)]


def _incident(item: NoticeItem) -> dict[str, Any]:
    return {"title": item.payload.title, "metadata": item.payload.metadata, "incident": item.payload.raw_incident}


def sign(body: bytes, timestamp: str, secret: str) -> str:
    """The value of the signature header."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def send(drafts: list[Draft], config: ChannelConfig, secret: ChannelSecret) -> Sent:
    """POST it; `extra.headers` of the connection go along."""
    url = required_url(secret, config)
    given = secret.extra.get("headers")
    (draft,) = drafts
    headers = dict(draft.headers)
    headers[TIMESTAMP] = timestamps.now()  # of the sending: a pending notice is not an old request
    if secret.password:
        headers[SIGNATURE] = sign(draft.body, headers[TIMESTAMP], secret.password)
    else:
        del headers[SIGNATURE]
    headers.update({str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {})
    return Sent(said(post(url, draft.body, headers, secret, config.timeout_seconds), secret))


CHANNEL = ChannelKind("generic_webhook", render, send, connection_types=("http",))
