"""Alertmanager's API v2: POST /api/v2/alerts. github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml

The connection's URL is Alertmanager's own (with its route prefix, where it has one); login and password, where they are
set, go as basic authentication. Alertmanager forgets an alert that nobody sends again, so each firing says until when
it holds: twice the route's repeat interval, so that one missed repeat ends nothing. Its labels stay the same while
the incident lasts, severity apart: when that changes, the alert with the former one is ended in the same request.
"""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels.kind import SEVERITY, ChannelConfig, ChannelKind, Draft, json_body, required_url
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.markup import cut, to_plain, utf8
from k8s_tuning.alerts.notice import Notice, NoticeItem, Sent, Status
from k8s_tuning.alerts.posting import post, said
from k8s_tuning.alerts.route import selector_labels
from k8s_tuning.stages.alert.incident import IncidentSeverity

ALERT_NAME = "K8sTuningIncident"
_LEAST_LASTING = timedelta(minutes=15)
_MOST_TEXT_BYTES = 64 * 1024


def render(notice: Notice, _config: ChannelConfig) -> list[Draft]:
    """One POST with an alert an incident."""
    return [
        Draft("POST /api/v2/alerts", json_body([alert for item in notice.items for alert in _alerts(notice, item)]))
    ]


def _alerts(notice: Notice, item: NoticeItem) -> list[dict[str, Any]]:
    planned = timestamps.to_datetime(notice.planned_at)
    lasting = max(timedelta(seconds=2 * notice.repeat_seconds), _LEAST_LASTING)
    resolved = notice.status is Status.RESOLVED
    severity = (item.notified_severity or item.payload.severity) if resolved else item.payload.severity
    alerts = [_alert(item, severity, timestamps.to_text(planned if resolved else planned + lasting))]
    if not resolved and item.notified_severity and item.notified_severity != severity:
        alerts.append(_alert(item, item.notified_severity, notice.planned_at))
    return alerts


def _alert(item: NoticeItem, severity: IncidentSeverity, ends_at: str) -> dict[str, Any]:
    payload = item.payload
    labels = {_label_name(name): value for name, value in selector_labels(payload.selector).items()}
    labels |= {
        "alertname": ALERT_NAME,
        "service": "k8s-tuning",
        "severity": SEVERITY[severity],
        "namespace": payload.namespace,
        "selector": payload.selector,
        "incident_id": item.incident_id,
    }
    if item.target:
        labels["target"] = item.target
    return {
        # An empty label is none to Alertmanager, which refuses it.
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": payload.title,
            "description": cut(to_plain(payload.text), _MOST_TEXT_BYTES, utf8),
            "reasons": ", ".join(item.reasons) or "none",
        },
        "startsAt": min(item.started_at, ends_at),
        "endsAt": ends_at,
    }


def _label_name(key: str) -> str:
    name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
    return f"_{name}" if name[:1].isdigit() else name


def send(drafts: list[Draft], config: ChannelConfig, secret: ChannelSecret) -> Sent:
    """POST the alerts."""
    url = required_url(secret, config).rstrip("/") + "/api/v2/alerts"
    headers = {"Content-Type": "application/json"}
    if secret.login and secret.password:
        pair = base64.b64encode(f"{secret.login}:{secret.password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    (draft,) = drafts
    return Sent(said(post(url, draft.body, headers, secret, config.timeout_seconds), secret))


CHANNEL = ChannelKind("alertmanager", render, send, connection_types=("http",))
