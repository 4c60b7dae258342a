"""What an observation, or that there is none, makes of an incident.

An incident is over at the first OK check that finds the target not to have failed a check for the hold time; changes
within it are one incident (flapping). Time is counted forwards between one record and the next, so that a clock that
was set back delays nothing for longer than the hold time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from k8s_tuning import plain_values, timestamps
from k8s_tuning.alerts.ledger_state import IncidentState
from k8s_tuning.alerts.observation import HealthCheck, Observation
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sIncident, incident_id
from k8s_tuning.stages.health.evaluate import HealthLevel

NO_LONGER_WATCHED = "no longer watched"


@dataclass(frozen=True)
class IncidentUpdate:
    """One incident as it is now. `known`: what the ledger has of it, None where it is new.

    `severity`: what its decisions are written down with; `record_at`: the newest record that this rests on;
    `quiet_seconds`: for how long the target had not failed a check by then; `over_at`: when it ended, empty while it
    lasts; `why`: what ended it, where that is not the target's health.
    """

    incident: K8sIncident
    known: IncidentState | None
    source: str
    severity: IncidentSeverity
    record_at: str
    quiet_seconds: float
    over_at: str = ""
    is_open: bool = True
    why: str = ""

    @property
    def failing_jobs(self) -> int:
        """How many Jobs are not OK."""
        return self.incident.job_counts.get("WARN", 0) + self.incident.job_counts.get("ERROR", 0)


def begun(incident: K8sIncident, observation: Observation, *, taken: bool, run_id: str) -> IncidentUpdate:
    """A new incident. `taken`: its id is that of an incident of which something is still to be said.

    So it is where the clock was set back onto that one's start.
    """
    if taken:
        started = f"{incident.started_at} {run_id}"
        name = incident_id(incident.namespace, incident.selector, started, incident.target, incident.cluster)
        incident = replace(incident, id=name)
    record_at = observation.checks[-1].timestamp if observation.checks else observation.at
    return IncidentUpdate(incident, None, observation.source, incident.severity, record_at, 0)


def unseen(known: IncidentState) -> IncidentUpdate:
    """An incident that no observation is of: as the ledger has it."""
    return IncidentUpdate(
        kept_incident(known), known, known.source, known.severity, known.record_at, known.quiet_seconds, known.over_at,
        known.is_open,
    )  # fmt: skip


def follow(known: IncidentState, observation: Observation, hold_seconds: float) -> IncidentUpdate:
    """The incident that the ledger has of the observed target, brought up to the present."""
    if observation.unwatched:
        return _ended(known, observation.at, known.record_at, known.quiet_seconds, NO_LONGER_WATCHED)
    over_at, record_at = "", observation.at
    quiet: float = 0
    if observation.source == "health":
        quiet, over_at, record_at = _followed(known, observation.checks, hold_seconds)
    elif observation.incident is None:
        over_at = observation.at
    if over_at:
        return _ended(known, over_at, record_at, quiet)
    if observation.incident is None:
        return replace(unseen(known), record_at=record_at, quiet_seconds=quiet, over_at="")
    incident = replace(observation.incident, id=known.id, started_at=known.started_at)
    return IncidentUpdate(incident, known, observation.source, incident.severity, record_at, quiet)


def _ended(known: IncidentState, over_at: str, record_at: str, quiet: float, why: str = "") -> IncidentUpdate:
    incident = kept_incident(known)
    return IncidentUpdate(
        incident, known, known.source, incident.severity, record_at, quiet, over_at, is_open=False, why=why
    )


def _followed(known: IncidentState, checks: Sequence[HealthCheck], hold_seconds: float) -> tuple[float, str, str]:
    """(for how many seconds no check has failed, when that was for long enough, the newest record) by all checks."""
    quiet, over_at, before = known.quiet_seconds, "", known.record_at
    for check in _newer(known, checks):
        quiet += _forwards(before, check.timestamp)
        before = check.timestamp
        if not check.ok:
            quiet = 0
        elif not over_at and quiet >= hold_seconds:
            over_at = check.timestamp
    return quiet, over_at, before


def _newer(known: IncidentState, checks: Sequence[HealthCheck]) -> Sequence[HealthCheck]:
    """The checks that came after what the ledger has followed; where that one is gone, those since the start."""
    for mark in (known.record_at, known.started_at):
        for position in range(len(checks) - 1, -1, -1):
            if checks[position].timestamp == mark:
                return checks[position + 1 :]
    return checks


def _forwards(earlier: str, later: str) -> float:
    try:
        return max(0.0, timestamps.seconds_between(earlier, later)) if earlier else 0.0
    except InputError:
        return 0.0


def kept_incident(known: IncidentState) -> K8sIncident:
    """An incident as the ledger keeps it; where what it keeps is damaged or gone, what its other lines say of it.

    So one bad line costs its incident the details, and no other incident anything.
    """
    try:
        fields = {key: value for key, value in known.incident.items() if key in K8sIncident.__dataclass_fields__}
        return plain_values.load(K8sIncident, fields)
    except InputError:
        is_critical = known.severity is IncidentSeverity.CRITICAL
        return K8sIncident(
            id=known.id,
            severity=known.severity,
            namespace=known.namespace,
            selector=known.selector,
            current_health=HealthLevel.ERROR if is_critical else HealthLevel.WARN,
            previous_health=None,
            started_at=known.started_at,
            detected_at=known.record_at or known.started_at,
            summary="The ledger's line with the details of this incident cannot be read.",
            job_counts={},
            target=known.target,
        )
