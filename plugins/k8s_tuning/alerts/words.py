"""What a notice says: title and Markdown text, for one incident or for many. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from k8s_tuning.alerts.notice import NoticeItem, Status
from k8s_tuning.printable import one_line, printable
from k8s_tuning.stages.alert.incident import (
    EMOJI,
    IncidentSeverity,
    K8sAlertPayload,
    K8sIncident,
    build_alert_payload,
    which_target,
)
from k8s_tuning.stages.health.level import HealthLevel

_LONGEST_LIST = 20


def firing_payload(incident: K8sIncident, source: str = "health") -> K8sAlertPayload:
    """An incident that lasts: D35's words, and its causes in numbers."""
    payload = build_alert_payload(_clean(incident))
    payload.metadata["source"] = source
    if source == "pipeline":
        return replace(
            payload,
            title=f"{EMOJI[incident.severity]} Pipeline Alert: {incident.severity} – {incident.target}",
            text=_own_text(incident),
        )
    causes = causes_of(incident.reasons, sum(incident.job_counts.values()))
    return replace(payload, text=f"{payload.text}\n**Causes:** {causes}" if causes else payload.text)


def resolved_payload(
    incident: K8sIncident, over_at: str, notified: IncidentSeverity, source: str = "health"
) -> K8sAlertPayload:
    """An incident that is over. `notified`: the severity that the channel was last notified of."""
    payload = firing_payload(incident, source)
    raw = payload.raw_incident | {"resolved_at": over_at, "current_health": HealthLevel.OK.value}
    subject = incident.target or incident.namespace if source == "pipeline" else incident.namespace
    text = "\n".join(
        [
            f"**Namespace:** {incident.namespace}",
            f"**Selector:** {incident.selector}",
            *which_target(incident),
            f"**Was:** {notified} ({', '.join(incident.reasons) or 'no reason recorded'})",
            f"**Started At:** {incident.started_at}",
            f"**Resolved At:** {over_at}",
        ]
    )
    return replace(
        payload,
        title=f"✅ {'Pipeline' if source == 'pipeline' else 'K8s'} Alert: RESOLVED – {subject}",
        text=printable(text),
        severity=IncidentSeverity.INFO,
        current_health=HealthLevel.OK,
        metadata=payload.metadata | {"resolved_at": over_at},
        raw_incident=raw,
    )


def causes_of(reasons: Mapping[str, int], total: int) -> str:
    """`37 of 200: image_pull; 2 of 200: oom_killed`, the most frequent first; empty without reasons."""
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return "; ".join(f"{count} of {total}: {reason}" if total else reason for reason, count in ordered)


def compose(items: Sequence[NoticeItem], status: Status) -> tuple[str, str, IncidentSeverity]:
    """Title, text and severity of one message; `items` in order of severity, at least one."""
    severity = max((item.payload.severity for item in items), key=lambda severity: severity.rank)
    if len(items) == 1:
        return items[0].payload.title, _with_reason(items[0], status), severity
    reasons: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for item in items:
        reasons.update(item.reasons)
        counts.update(item.payload.raw_incident.get("job_counts") or {})
    namespaces = sorted({item.payload.namespace for item in items})
    where = namespaces[0] if len(namespaces) == 1 else f"{len(namespaces)} namespaces"
    word = "RESOLVED" if status is Status.RESOLVED else str(severity)
    sign = "✅" if status is Status.RESOLVED else EMOJI[severity]
    causes = causes_of(reasons, sum(counts.values()))
    lines = [f"**Causes:** {causes}", ""] if causes and status is not Status.RESOLVED else []
    for item in items[:_LONGEST_LIST]:
        payload = item.payload
        name = item.target or payload.selector
        own = causes_of(item.reasons, sum((payload.raw_incident.get("job_counts") or {}).values()))
        since = f"since {item.started_at}; {own}" if status is not Status.RESOLVED else f"began {item.started_at}"
        lines.append(f"- {payload.severity} {payload.namespace}/{name}: {since} ({item.decision}: {item.why})")
    if len(items) > _LONGEST_LIST:
        lines.append(f"- and {len(items) - _LONGEST_LIST} more (cut)")
    return f"{sign} K8s Alert: {word} – {len(items)} incidents in {where}", "\n".join(lines), severity


def _with_reason(item: NoticeItem, status: Status) -> str:
    return (
        item.payload.text if status is Status.TEST else f"{item.payload.text}\n**Why now:** {item.decision}: {item.why}"
    )


def smoke_incident(receiver: str, message: str, run_id: str, now: str) -> K8sIncident:
    """A marked test alert."""
    return K8sIncident(
        id=f"smoke-{run_id}"[:200],
        severity=IncidentSeverity.INFO,
        namespace="k8s-tuning-smoke-test",
        selector=f"receiver={receiver}",
        current_health=HealthLevel.OK,
        previous_health=None,
        started_at=now,
        detected_at=now,
        summary=one_line(message),
        job_counts={},
        reasons={"smoke_test": 1},
        target="smoke-test",
    )


def smoke_payload(incident: K8sIncident, receiver: str, channel: str) -> K8sAlertPayload:
    """The words of a test alert: nobody may take it for a real one."""
    payload = build_alert_payload(_clean(incident))
    payload.metadata["source"] = "smoke"
    text = f"**TEST, nothing is wrong.** {incident.summary}\n**Receiver:** {receiver}\n**Channel:** {channel}\n"
    return replace(
        payload,
        title=f"🧪 TEST alert – receiver {receiver}",
        text=printable(f"{text}**Sent At:** {incident.started_at}"),
    )


def _own_text(incident: K8sIncident) -> str:
    return printable(
        "\n".join(
            [
                f"**What:** {', '.join(incident.reasons)}",
                f"**Where:** {incident.target}",
                f"**Severity:** {incident.severity}",
                f"**Started At:** {incident.started_at}",
                f"**Detected At:** {incident.detected_at}",
                "",
                f"**Summary:** {incident.summary}",
            ]
        )
    )


def _clean(incident: K8sIncident) -> K8sIncident:
    """Without what a terminal must not have and UTF-8 cannot hold: a history of other hands may carry anything."""

    def clean(one: Any, *names: str, **others: Any) -> Any:
        return replace(one, **{name: printable(getattr(one, name) or "") for name in names}, **others)

    seen = ("type", "reason", "message", "involved_name")
    named = [name for name in ("target", "cluster") if getattr(incident, name) is not None]
    whole: K8sIncident = clean(
        incident,
        *("namespace", "selector", "summary", *named),
        recent_events=[clean(event, *seen, raw={}) for event in incident.recent_events],
        failing_jobs={printable(name): printable(cause) for name, cause in incident.failing_jobs.items()},
    )
    return whole
