"""D32 to D34 of one target: what a snapshot of its Jobs means, the events that tell most of it, and one record of it.

Reading the cluster is K8sJobMonitor's and K8sEventCollector's; the faces make them, in one process or a task each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from k8s_tuning.cluster import selectors
from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, K8sHealthSnapshot, not_ok
from k8s_tuning.stages.health.last_seen import with_ends
from k8s_tuning.stages.history.latest import LatestStore, latest_snapshot
from k8s_tuning.stages.history.record import K8sHealthHistoryRecord
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage.state_dir import StateDir


def judge(
    evaluator: K8sHealthEvaluator,
    snapshot: K8sMonitorSnapshot,
    sessions: SessionStore | None = None,
    expected: Collection[str] = (),
    waited: Mapping[str, Iterable[str]] | None = None,
) -> K8sHealthSnapshot:
    """The health of a snapshot.

    An `expected` Job that is not there is what it was last seen to be, by `sessions` and by `waited` (as
    `WaitProgress.as_dict` has it).
    """
    known = sessions.last_seen(snapshot.namespace, expected) if sessions is not None else {}
    return evaluator.evaluate(snapshot, expected, with_ends(known, waited or {}))


def collect_events(collector: K8sEventCollector, health: K8sHealthSnapshot | None) -> K8sEventSnapshot:
    """The selection's events; those of Jobs that are not OK go before others'."""
    return collector.load_events(not_ok(health.jobs_health) if health is not None else ())


def record_check(
    state: StateDir,
    health: K8sHealthSnapshot,
    snapshot: K8sMonitorSnapshot | None,
    events: K8sEventSnapshot | None,
    *,
    run_id: str | None = None,
    target: str | None = None,
    keep_snapshot: bool = False,
) -> tuple[K8sHealthHistoryRecord, bool]:
    """Record a check once a run, target and finding. Returns the record, and whether this is the newest snapshot.

    The latest snapshot is kept for the health page, and so is what `snapshot` shows of tuning sessions.
    """
    history = K8sHealthHistoryStore(state.history)
    record = history.append(health, run_id=run_id, target=target, keep_snapshot=keep_snapshot)
    is_newest = LatestStore(state.latest).keep(latest_snapshot(health, snapshot, events, run_id, target))
    if snapshot is not None:
        selects = selectors.parse(snapshot.selector).matches
        SessionStore(state.sessions).checked(snapshot, selects, run_id, health)
    return record, is_newest
