"""PagerDuty Events API v2. developer.pagerduty.com/docs/events-api-v2/overview

The routing (integration) key is the connection's `extra.routing_key`, as PagerdutyHook has it, or its password, as
PagerdutyEventsHook has it; its URL, where it has one, replaces events.pagerduty.com
(the EU's is https://events.eu.pagerduty.com). The incident's id is the dedup_key: PagerDuty holds one incident by it.
"""

from __future__ import annotations

from typing import Any

import orjson

from k8s_tuning.alerts.channels.kind import MASK, SEVERITY, ChannelConfig, ChannelKind, Draft, json_body, required_token
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.markup import cut, to_plain, utf8
from k8s_tuning.alerts.notice import Notice, NoticeItem, Sent, Status
from k8s_tuning.alerts.posting import post, said
from k8s_tuning.printable import one_line

BASE_URL = "https://events.pagerduty.com"
MOST_SUMMARY = 1024
MOST_BYTES = 512 * 1024
# Leaves room for the other fields, and for what JSON's escapes add to the text.
_MOST_DETAILS_BYTES = 64 * 1024
_ACTIONS = {Status.RESOLVED: "resolve", Status.ACKNOWLEDGED: "acknowledge"}


def render(notice: Notice, _config: ChannelConfig) -> list[Draft]:
    """An event an incident: trigger, acknowledge or resolve."""
    return [_draft(notice, item) for item in notice.items]


def _draft(notice: Notice, item: NoticeItem) -> Draft:
    action = _ACTIONS.get(notice.status, "trigger")
    event: dict[str, Any] = {"routing_key": MASK, "event_action": action, "dedup_key": item.incident_id}
    if action == "trigger":
        payload, incident = item.payload, item.payload.raw_incident
        summary = f"{payload.title}: {one_line(str(incident.get('summary') or ''))}".rstrip(": ")
        event["payload"] = {
            "summary": cut(summary, MOST_SUMMARY),
            "source": cut(f"{payload.namespace}/{item.target or payload.selector}", MOST_SUMMARY),
            "severity": SEVERITY[payload.severity],
            "timestamp": item.started_at,
            "component": cut(item.target or payload.selector, MOST_SUMMARY),
            "group": payload.namespace,
            "class": cut(", ".join(item.reasons), MOST_SUMMARY),
            "custom_details": {
                "text": cut(to_plain(notice.text), _MOST_DETAILS_BYTES, utf8),
                "job_counts": incident.get("job_counts"),
                "reasons": item.reasons,
                "why": item.why,
            },
        }
        event["client"] = "k8s-tuning"
    body = json_body(event)
    if len(body) > MOST_BYTES:
        event["payload"]["custom_details"] = {"text": "(cut: the details are too large for PagerDuty)"}
        body = json_body(event)
    return Draft(f"POST /v2/enqueue ({action})", body)


def send(drafts: list[Draft], config: ChannelConfig, secret: ChannelSecret) -> Sent:
    """POST the event with the routing key in it."""
    key = required_token(secret, config, "routing key", secret.extra.get("routing_key"))
    url = (secret.url or BASE_URL).strip().rstrip("/") + "/v2/enqueue"
    for draft in drafts:
        body = json_body(orjson.loads(draft.body) | {"routing_key": key})
        answer = post(url, body, {"Content-Type": "application/json"}, secret, config.timeout_seconds)
    return Sent(said(answer, secret))


CHANNEL = ChannelKind(
    "pagerduty",
    render,
    send,
    connection_types=("pagerduty_events", "pagerduty", "http"),
    per_incident=True,
    acknowledges=True,
)
