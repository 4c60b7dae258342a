"""What is seen of one target now, or of this system itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from k8s_tuning.alerts.ledger_state import IncidentState
from k8s_tuning.alerts.matchers import OWN_REASONS
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sIncident, build_incident, incident_id
from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord
from k8s_tuning.stages.history.store import K8sHealthHistoryStore

# Three and a half days of checks every five minutes: how long alerting may pause and still see what happened meanwhile.
RECORDS_FOLLOWED = 1000


@dataclass
class HealthCheck:
    """One check of a target: when, and whether it was OK."""

    timestamp: str
    ok: bool


@dataclass
class Observation:
    """One target as it is now. `incident`: None while it is OK. `checks`: its last ones, oldest first.

    `source`: health (of Jobs) or pipeline (of this system itself, which has no history: it fails, or it does not).
    `unwatched`: nobody checks it any more, so that its incident ends, however its Jobs are.
    """

    namespace: str
    selector: str
    target: str | None
    incident: K8sIncident | None
    checks: list[HealthCheck] = field(default_factory=list)
    source: str = "health"
    at: str = ""
    cluster: str | None = None
    unwatched: bool = False

    @property
    def identity(self) -> tuple[str, str, str | None, str | None]:
        """Namespace, selector, target and cluster."""
        return self.namespace, self.selector, self.target, self.cluster


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
) -> Observation:
    """What is seen of one target by its recorded history; its newest record is what counts as now.

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
    return observe_records(records, open_run, events, now, target)


def observe_records(
    records: Sequence[K8sHealthHistoryRecord],
    open_run: Sequence[K8sHealthHistoryRecord],
    events: Sequence[K8sEvent],
    now: str,
    target: str | None = None,
) -> Observation:
    """The same from records (at least one, oldest first, of one target) and what `open_run` of the store gives."""
    newest = records[-1]
    incident = build_incident(open_run or records, events, now) if newest.overall_health != HealthLevel.OK else None
    name = target or newest.target
    if incident is not None:
        incident = replace(incident, target=name)
    checks = [HealthCheck(record.timestamp, record.overall_health == HealthLevel.OK) for record in records]
    return Observation(
        newest.namespace, newest.selector, name, incident, checks, at=newest.timestamp, cluster=newest.cluster
    )


def own_failure(
    reason: str, subject: str, message: str, now: str, *, failing: bool = True, namespace: str = "airflow"
) -> Observation:
    """The pipeline's own state in one respect: CRITICAL while `failing`; resolved by a later call with failing=False.

    `reason`: stage_broke, history_stale, run_overdue or task_failed. `subject`: what it is about, usually a DAG's id.
    """
    if reason not in OWN_REASONS:
        raise InputError(f"reason {reason!r} is none of {', '.join(OWN_REASONS)}")
    selector = f"dag_id={subject},reason={reason}"
    if not failing:
        return Observation(namespace, selector, subject, None, source="pipeline", at=now)
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
    return Observation(namespace, selector, subject, incident, source="pipeline", at=now)


def no_longer_watched(known: IncidentState, now: str) -> Observation:
    """Of a target that left targets.yaml, or of the watch over it: its incident is over."""
    return Observation(
        known.namespace, known.selector, known.target, None, source=known.source, at=now, cluster=known.cluster,
        unwatched=True,
    )  # fmt: skip
