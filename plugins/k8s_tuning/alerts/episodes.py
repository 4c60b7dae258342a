"""What is known of one target now, and whether the incident that the ledger remembers of it still lasts.

An incident is over at the first OK look that finds the target not to have been seen ill for the hold time; changes
within it are one incident (flapping). Time is counted forwards between one record and the next, so that a clock that
was set back delays nothing for longer than the hold time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from k8s_tuning import timestamps
from k8s_tuning.alerts.ledger_state import IncidentFacts
from k8s_tuning.alerts.matchers import OWN_REASONS
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sIncident, build_incident, incident_id
from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord
from k8s_tuning.stages.history.store import K8sHealthHistoryStore

NO_LONGER_WATCHED = "no longer watched"

# Three and a half days of checks every five minutes: how long alerting may pause and still see what happened meanwhile.
RECORDS_FOLLOWED = 1000


@dataclass
class Sight:
    """One look at a target: when, and whether it was OK."""

    timestamp: str
    ok: bool


@dataclass
class Situation:
    """One target as it is now. `incident`: None while it is OK. `sights`: its last looks, oldest first.

    `source`: health (of Jobs) or pipeline (of this system itself, which has no history: it fails, or it does not).
    `unwatched`: nobody looks at it any more, so that its incident ends, however its Jobs are.
    """

    namespace: str
    selector: str
    target: str | None
    incident: K8sIncident | None
    sights: list[Sight] = field(default_factory=list)
    source: str = "health"
    at: str = ""
    cluster: str | None = None
    unwatched: bool = False


@dataclass
class Course:
    """What has become of the incident that the ledger remembers.

    `over_at`: when it ended, None where it lasts. `incident`: the present one, with the id and the start that it had.
    """

    over_at: str | None
    incident: K8sIncident | None
    record_at: str
    quiet_seconds: float
    why: str = ""


def observe_target(
    store: K8sHealthHistoryStore,
    namespace: str,
    selector: str,
    events: Sequence[K8sEvent],
    now: str,
    *,
    target: str | None = None,
    cluster: str | None = None,
    limit: int = RECORDS_FOLLOWED,
) -> Situation:
    """One target's situation from its recorded history; its newest record is what counts as now.

    `target`, `cluster`: its name and cluster, where several have that namespace and selector.

    InputError where there is no record of it: unknown is not OK. StoreError where the history cannot be read.
    """
    found = store.find(namespace, selector, target=target, cluster=cluster)
    records = store.load_recent(max(limit, 1), namespace=namespace, selector=selector, of=found) if found else []
    if not records:
        where = f" on cluster {cluster!r}" if cluster else ""
        raise InputError(
            f"{store.path}: no record of namespace {namespace!r} and selector {selector!r}{where}; "
            "record its health first"
        )
    open_run = store.open_run(namespace, selector, target=target, cluster=cluster)
    return situation_of(records, open_run, events, now, target)


def situation_of(
    records: Sequence[K8sHealthHistoryRecord],
    open_run: Sequence[K8sHealthHistoryRecord],
    events: Sequence[K8sEvent],
    now: str,
    target: str | None = None,
) -> Situation:
    """The same from records (at least one, oldest first, of one target) and what `open_run` of the store gives."""
    newest = records[-1]
    incident = build_incident(open_run or records, events, now) if newest.overall_health != HealthLevel.OK else None
    name = target or newest.target
    if incident is not None:
        incident = replace(incident, target=name)
    sights = [Sight(record.timestamp, record.overall_health == HealthLevel.OK) for record in records]
    return Situation(
        newest.namespace, newest.selector, name, incident, sights, at=newest.timestamp, cluster=newest.cluster
    )


def own_failure(
    reason: str, subject: str, message: str, now: str, *, failing: bool = True, namespace: str = "airflow"
) -> Situation:
    """The pipeline's own state in one respect: CRITICAL while `failing`; resolved by a later call with failing=False.

    `reason`: stage_broke, history_stale, run_overdue or task_failed. `subject`: what it is about, usually a DAG's id.
    """
    if reason not in OWN_REASONS:
        raise InputError(f"reason {reason!r} is none of {', '.join(OWN_REASONS)}")
    selector = f"dag_id={subject},reason={reason}"
    if not failing:
        return Situation(namespace, selector, subject, None, source="pipeline", at=now)
    incident = K8sIncident(
        id=incident_id(namespace, selector, now),
        severity=IncidentSeverity.CRITICAL,
        namespace=namespace,
        selector=selector,
        current_health=HealthLevel.ERROR,
        previous_health=None,
        started_at=now,
        detected_at=now,
        summary=message,
        job_counts={},
        reasons={reason: 1},
        target=subject,
    )
    return Situation(namespace, selector, subject, incident, source="pipeline", at=now)


def no_longer_watched(facts: IncidentFacts, now: str) -> Situation:
    """What is left to say of a target that left targets.yaml, or of the watch over it: its incident is over."""
    return Situation(
        facts.namespace, facts.selector, facts.target, None, source=facts.source, at=now, cluster=facts.cluster,
        unwatched=True,
    )  # fmt: skip


def follow(facts: IncidentFacts, situation: Situation, hold_seconds: float) -> Course:
    """The incident that the ledger remembers, brought up to the present."""
    if situation.unwatched:
        return Course(situation.at, None, facts.record_at, facts.quiet_seconds, NO_LONGER_WATCHED)
    if situation.source != "health":
        over_at = situation.at if situation.incident is None else None
        return Course(over_at, _kept(facts, situation.incident), situation.at, 0)
    quiet, before = facts.quiet_seconds, facts.record_at or None
    over_at = None
    newer = _unseen(facts, situation.sights)
    for sight in newer:
        quiet += _forwards(before, sight.timestamp)
        before = sight.timestamp
        if not sight.ok:
            quiet = 0
        elif over_at is None and quiet >= hold_seconds:
            over_at = sight.timestamp
    record_at = newer[-1].timestamp if newer else facts.record_at
    if over_at is not None:
        return Course(over_at, situation.incident, record_at, quiet)
    return Course(None, _kept(facts, situation.incident), record_at, quiet)


def _unseen(facts: IncidentFacts, sights: Sequence[Sight]) -> Sequence[Sight]:
    """The looks that came after what the ledger has followed; where that one is gone, those since the start."""
    for mark in (facts.record_at, facts.started_at):
        for position in range(len(sights) - 1, -1, -1):
            if sights[position].timestamp == mark:
                return sights[position + 1 :]
    return sights


def _kept(facts: IncidentFacts, incident: K8sIncident | None) -> K8sIncident | None:
    return replace(incident, id=facts.id, started_at=facts.started_at) if incident else None


def _forwards(earlier: str | None, later: str) -> float:
    try:
        return max(0.0, timestamps.seconds_between(earlier, later)) if earlier else 0.0
    except InputError:
        return 0.0
