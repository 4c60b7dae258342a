"""What the tests of the ledger's index are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.alerts.observations import NAMESPACE, SELECTOR, at

from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.notice import Status
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.queries.view_models import Alerts
from k8s_tuning.stages.alert.incident import IncidentSeverity

EVERYTHING: dict[str, Any] = {"quiet": True, "limit": 100_000}


def line(minute: float, **more: Any) -> LedgerLine:
    """A first decision that is pending."""
    values: dict[str, Any] = {
        "run_id": "k8s_health/run-1",
        "incident_id": "incident-1",
        "namespace": NAMESPACE,
        "selector": SELECTOR,
        "target": "bots",
        "started_at": at(0),
        "receiver": "team",
        "channel": "slack",
        "decision": "first",
        "why": "this channel was not notified of this incident yet",
        "status": Status.FIRING,
        "severity": IncidentSeverity.WARN,
        "outcome": "owed",
        "notice_id": "notice-1",
    }
    return LedgerLine(at=at(minute), **values | more)


def quiet_line(minute: float, **more: Any) -> LedgerLine:
    """A decision against a message."""
    return line(minute, **{"decision": "still_firing", "outcome": "not_sent", "notice_id": ""} | more)


def index(path: Path, *lines: LedgerLine) -> LedgerIndex:
    """An index of a ledger with these lines."""
    Ledger(path).append(lines)
    return LedgerIndex(path)


def said(found: Alerts) -> list[tuple[str, str]]:
    """(decision, outcome) of each entry."""
    return [(row.decision, row.outcome) for row in found.items]
