"""D35 incident: the unbroken run of non-OK records that a person is notified of, and what the notice says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import takewhile
from typing import Any

from k8s_tuning import plain_values
from k8s_tuning.choices import RankedEnum, chosen, fill, made_of
from k8s_tuning.printable import one_line
from k8s_tuning.stages.events.snapshot import K8sEvent, is_of, most_telling
from k8s_tuning.stages.health.evaluate import HealthLevel
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord
from k8s_tuning.stages.target_identity import same_target


class IncidentSeverity(RankedEnum):
    """How urgent an incident is: ERROR is CRITICAL, WARN is WARN; INFO is for tests and resolved notices."""

    INFO = "INFO"
    WARN = "WARN"
    CRITICAL = "CRITICAL"


@dataclass
class K8sIncident:
    """One unbroken run of non-OK health of one target. The id stays the same while it lasts.

    `job_counts`: {OK, WARN, ERROR}; empty where the Jobs could not be listed.
    """

    id: str
    severity: IncidentSeverity
    namespace: str
    selector: str
    current_health: HealthLevel
    previous_health: HealthLevel | None
    started_at: str
    detected_at: str
    summary: str
    job_counts: dict[str, int]
    recent_events: list[K8sEvent] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    target: str | None = None
    failing_jobs: dict[str, str] = field(default_factory=dict)
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Take plain strings; InputError where one is no level."""
        fill(self, summary="", job_counts={}, recent_events=[], reasons={}, failing_jobs={})
        self.severity = chosen(IncidentSeverity, self.severity)
        self.current_health = chosen(HealthLevel, self.current_health)
        self.previous_health = None if self.previous_health is None else chosen(HealthLevel, self.previous_health)


@dataclass
class K8sAlertPayload:
    """What a channel sends. `text` is Markdown; `raw_incident` is the incident as JSON values."""

    title: str
    text: str
    severity: IncidentSeverity
    namespace: str
    selector: str
    current_health: HealthLevel
    metadata: dict[str, Any] = field(default_factory=dict)
    raw_incident: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take plain strings; InputError where one is no level."""
        fill(self, text="", metadata={}, raw_incident={})
        self.severity = chosen(IncidentSeverity, self.severity)
        self.current_health = chosen(HealthLevel, self.current_health)


RECENT_EVENTS = 3
_SEVERITIES = {HealthLevel.ERROR: IncidentSeverity.CRITICAL, HealthLevel.WARN: IncidentSeverity.WARN}
EMOJI = {IncidentSeverity.CRITICAL: "🚨", IncidentSeverity.WARN: "⚠️", IncidentSeverity.INFO: "ℹ️"}
_LONGEST_MESSAGE = 300


def severity_of(health: HealthLevel) -> IncidentSeverity | None:
    """ERROR is CRITICAL, WARN is WARN, OK is no incident (D35)."""
    return _SEVERITIES.get(HealthLevel(health))


def incident_id(
    namespace: str, selector: str, started_at: str, target: str | None = None, cluster: str | None = None
) -> str:
    """Twelve hex digits that one incident keeps while it lasts. `target`, `cluster`: as its first record has them.

    Without a cluster, the id is that of versions which knew none: an incident that lasts over an upgrade keeps it.
    """
    # NUL stands in none of them, so that no two targets run together.
    parts = [namespace, selector, started_at, *([] if cluster is None else [target or "", cluster])]
    return sha256("\0".join(parts).encode()).hexdigest()[:12]


def incident_id_of(first: K8sHealthHistoryRecord) -> str:
    """The id of the incident that a record began."""
    return incident_id(first.namespace, first.selector, first.timestamp, first.target, first.cluster)


def build_incident(
    history: Sequence[K8sHealthHistoryRecord], recent_events: Sequence[K8sEvent], detected_at: str
) -> K8sIncident | None:
    """The incident that the newest record of `history` (oldest first) is part of; None where it is OK or there is none.

    Records of other targets than the newest's, and events of other namespaces, are left out: one incident is of one
    target. `history` must reach back to the first record of the non-OK run for the id to stay the same;
    `K8sHealthHistoryStore.open_run` returns just that.
    """
    if not history:
        return None
    newest = history[-1]
    severity = severity_of(newest.overall_health)
    if severity is None:
        return None
    place, target = (newest.namespace, newest.selector), (newest.target, newest.cluster)
    own = [
        record
        for record in history
        if (record.namespace, record.selector) == place and same_target((record.target, record.cluster), target)
    ]
    *_, first = takewhile(lambda record: record.overall_health != HealthLevel.OK, reversed(own))
    previous = own[-2].overall_health if len(own) > 1 else None
    events = _events(recent_events, newest)
    counts = {"OK": newest.jobs_ok, "WARN": newest.jobs_warn, "ERROR": newest.jobs_error}
    return made_of(
        K8sIncident,
        newest,
        id=incident_id_of(first),
        severity=severity,
        current_health=newest.overall_health,
        previous_health=previous,
        started_at=first.timestamp,
        detected_at=detected_at,
        summary=_summary(newest, previous, events),
        job_counts={level: count for level, count in counts.items() if count is not None},
        recent_events=events,
        reasons=dict(newest.reasons),
        failing_jobs=dict(newest.failing_jobs),
    )


def build_alert_payload(incident: K8sIncident) -> K8sAlertPayload:
    """The incident in words, for any channel; the events' raw objects stay behind."""
    raw = plain_values.dump(incident)
    metadata = {"incident_id": incident.id}
    metadata |= {key: raw[key] for key in ("started_at", "detected_at", "severity", "namespace", "selector")}
    metadata |= {key: one_line(raw[key]) for key in ("target", "cluster") if raw[key]}
    for event in raw["recent_events"]:
        del event["raw"]
    return made_of(
        K8sAlertPayload,
        incident,
        title=f"{EMOJI[incident.severity]} K8s Alert: {incident.severity} – {incident.namespace}",
        text=_markdown(incident),
        metadata=metadata,
        raw_incident=raw,
    )


def _events(recent: Sequence[K8sEvent], newest: K8sHealthHistoryRecord) -> list[K8sEvent]:
    """Of the failing Jobs, where the record names them: warnings before Normal events, of each reason the newest."""
    failing = newest.failing_jobs
    own = [
        event
        for event in recent
        if event.involved_namespace in ("", newest.namespace) and (not failing or is_of(event, failing))
    ]
    newest_of_each: dict[str, K8sEvent] = {}
    for event in most_telling(own):
        newest_of_each.setdefault(event.reason, event)
    return list(newest_of_each.values())[:RECENT_EVENTS]


def which_target(incident: K8sIncident) -> list[str]:
    """The target's name and cluster as Markdown lines, where they are known: others may share all else."""
    known = (("Target", incident.target), ("Cluster", incident.cluster))
    return [f"**{word}:** {one_line(value)}" for word, value in known if value]


def _summary(newest: K8sHealthHistoryRecord, previous: HealthLevel | None, events: Sequence[K8sEvent]) -> str:
    now = newest.overall_health
    if previous is None:
        sentences = [f"Health is {now}."]
    elif previous == now:
        sentences = [f"Health remains {now}."]
    else:
        sentences = [f"Health transitioned from {previous} to {now}."]
    sentences += ["The Jobs could not be listed, so their health is not known."] if not newest.jobs_listed else []
    sentences += [f"{newest.jobs_error} job(s) in ERROR state."] if newest.jobs_error else []
    sentences += [f"{newest.jobs_warn} job(s) in WARN state."] if newest.jobs_warn else []
    if newest.reasons:
        sentences.append(f"Reasons: {', '.join(f'{reason} ({count})' for reason, count in newest.reasons.items())}.")
    if newest.monitor_errors:
        sentences.append(
            f"Not everything could be read: {one_line('; '.join(newest.monitor_errors), _LONGEST_MESSAGE)}."
        )
    warnings = dict.fromkeys(event.reason for event in events if event.type == "Warning")
    if warnings:
        sentences.append(f"Recent warnings: {', '.join(warnings)}")
    return " ".join(sentences)


def _markdown(incident: K8sIncident) -> str:
    counts = ", ".join(f"{level}={count}" for level, count in incident.job_counts.items())
    events = [
        f"- [{event.type}] {event.reason}: {one_line(event.message, _LONGEST_MESSAGE)} ({event.involved_name})"
        for event in incident.recent_events
    ]
    failing = [f"- {name}: {one_line(cause, _LONGEST_MESSAGE)}" for name, cause in incident.failing_jobs.items()]
    return "\n".join(
        [
            f"**Namespace:** {incident.namespace}",
            f"**Selector:** {incident.selector}",
            *which_target(incident),
            f"**Severity:** {incident.severity}",
            f"**Current Health:** {incident.current_health}",
            f"**Previous Health:** {incident.previous_health or 'not recorded'}",
            f"**Job Counts:** {counts or 'not known'}",
            *(["", "**Failing Jobs:**", *failing] if failing else []),
            "",
            *(["**Recent Events:**", *events] if events else ["**Recent Events:** none"]),
            "",
            f"**Started At:** {incident.started_at}",
            f"**Detected At:** {incident.detected_at}",
            "",
            f"**Summary:** {incident.summary}",
        ]
    )
