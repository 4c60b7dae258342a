"""What the alert tests are made of: records, observations, notices, configurations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from k8s_tuning.alerts.config import AlertingConfig, parse_config
from k8s_tuning.alerts.decide import decide
from k8s_tuning.alerts.decision import Decision
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.ledger_state import LedgerState
from k8s_tuning.alerts.notice import Notice, NoticeItem, Status
from k8s_tuning.alerts.observation import Observation, observe_records
from k8s_tuning.alerts.plan import group
from k8s_tuning.alerts.reason import Reason
from k8s_tuning.alerts.words import compose, firing_payload, resolved_payload
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sIncident
from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex
from k8s_tuning.timestamps import to_datetime, to_text

NAMESPACE = "trading-bots"
SELECTOR = "app=arbitrage-tuning"
START = "2025-11-16T10:00:00Z"
LEVELS = {"O": HealthLevel.OK, "W": HealthLevel.WARN, "E": HealthLevel.ERROR}

ONE_CHANNEL = """
hold: 10m
route: {receiver: team, repeat_interval: 2h}
receivers:
  - name: team
    channels: [{type: console}]
"""


def at(minutes: float) -> str:
    """So many minutes after the start."""
    return to_text(to_datetime(START) + timedelta(minutes=minutes))


def record(
    level: str, minute: float, reasons: dict[str, int] | None = None, failing: int | None = None, **more: Any
) -> K8sHealthHistoryRecord:
    """One check: O, W or E."""
    count = failing if failing is not None else max(1, sum((reasons or {}).values()))
    return K8sHealthHistoryRecord(
        at(minute),
        more.pop("namespace", NAMESPACE),
        more.pop("selector", SELECTOR),
        LEVELS[level],
        10,
        count if level == "W" else 0,
        count if level == "E" else 0,
        reasons={} if level == "O" else dict(reasons or {"image_pull": count}),
        **more,
    )


def open_run(records: list[K8sHealthHistoryRecord]) -> list[K8sHealthHistoryRecord]:
    """What the store's open_run would give."""
    if not records or records[-1].overall_health == HealthLevel.OK:
        return []
    first = len(records) - 1
    while first and records[first - 1].overall_health != HealthLevel.OK:
        first -= 1
    kept = sorted({first, max(0, len(records) - 2), len(records) - 1})
    return [records[position] for position in kept]


def observation(records: list[K8sHealthHistoryRecord], now: str = "") -> Observation:
    """The observation after these records of one target."""
    return observe_records(records, open_run(records), [], now or records[-1].timestamp)


class World:
    """A ledger in memory and a history: checks go in, decisions come out. Sends succeed unless in `fails`."""

    def __init__(self, config: str | AlertingConfig = ONE_CHANNEL) -> None:
        self.config = parse_config(config) if isinstance(config, str) else config
        self.records: list[K8sHealthHistoryRecord] = []
        self.lines: list[LedgerLine] = []
        self.sent: list[tuple[str, Notice]] = []
        self.fails: set[str] = set()
        self.runs = 0

    def check(self, level: str, minute: float, reasons: dict[str, int] | None = None, **more: Any) -> list[str]:
        """Record a check, decide on it, deliver; the decisions."""
        self.records.append(record(level, minute, reasons, **more))
        return self.run(minute)

    def run(self, minute: float, *, deliver: bool = True, run_id: str = "") -> list[str]:
        return [one.reason for one in self.decisions(minute, deliver=deliver, run_id=run_id)]

    def decisions(self, minute: float, *, deliver: bool = True, run_id: str = "") -> list[Decision]:
        self.runs += 1
        run_id = run_id or f"run-{self.runs}"
        observations: dict[int, list[K8sHealthHistoryRecord]] = {}
        targets = TargetIndex(TargetIdentity)
        for one in self.records:
            key = id(targets.of(one.namespace, one.selector, one.target, one.cluster))
            observations[key] = [*observations.get(key, []), one]
        seen = [observation(own, at(minute)) for own in observations.values()]
        found = decide(self.config, seen, self.state(), at(minute), run_id)
        notices, lines = group(found, at(minute), run_id, dry_run=False)
        self.lines += lines
        for notice in notices if deliver else []:
            self.deliver(notice, minute, lines)
        return found

    def deliver(self, notice: Notice, minute: float, lines: list[LedgerLine]) -> None:
        outcome = "failed" if f"{notice.receiver}/{notice.channel}" in self.fails else "sent"
        if outcome == "sent":
            self.sent.append((at(minute), notice))
        self.lines += [replace(line, outcome=outcome, at=at(minute)) for line in lines if line.notice_id == notice.id]

    def state(self) -> LedgerState:
        return state_of(self.lines)


def state_of(lines: Iterable[LedgerLine], *, dry_run: bool = False) -> LedgerState:
    """The state after all these lines."""
    state = LedgerState(dry_run)
    for line in lines:
        state.add(line)
    return state


def incident(**more: Any) -> K8sIncident:
    """One incident with an event in Korean and emoji."""
    values: dict[str, Any] = {
        "id": "0123456789ab",
        "severity": IncidentSeverity.CRITICAL,
        "namespace": NAMESPACE,
        "selector": SELECTOR,
        "current_health": HealthLevel.ERROR,
        "previous_health": HealthLevel.OK,
        "started_at": START,
        "detected_at": at(1),
        "summary": "Health transitioned from OK to ERROR. 작업 2개 실패 🚀",
        "job_counts": {"OK": 163, "WARN": 0, "ERROR": 37},
        "recent_events": [
            K8sEvent(
                "Warning", "BackoffLimitExceeded", "한국어 <!channel> & 이모지 🚨👩‍🚀", "Job", "arb-tuning-1", NAMESPACE
            )
        ],
        "reasons": {"image_pull": 37},
        "target": "bots",
    }
    return K8sIncident(**values | more)


def notice(
    *incidents: K8sIncident,
    status: Status = Status.FIRING,
    channel: str = "channel",
    decision: Reason = Reason.FIRST,
    notified: IncidentSeverity | None = None,
    ref: dict[str, str] | None = None,
    **more: Any,
) -> Notice:
    """A notice about these incidents (one where none is given)."""
    items = []
    for one in incidents or (incident(),):
        payload = (
            resolved_payload(one, at(30), notified or IncidentSeverity.CRITICAL)
            if status is Status.RESOLVED
            else firing_payload(one)
        )
        items.append(
            NoticeItem(
                payload,
                decision,
                "a reason",
                one.id,
                one.started_at,
                one.target,
                dict(one.reasons),
                notified,
                ref or {},
            )
        )
    title, text, severity = compose(items, status)
    values: dict[str, Any] = {"id": "fedcba9876543210", "run_id": "run-1", "planned_at": at(31), "receiver": "team"}
    return Notice(
        **values | {"repeat_seconds": 7200.0} | more,
        channel=channel,
        status=status,
        title=title,
        text=text,
        severity=severity,
        items=items,
    )
