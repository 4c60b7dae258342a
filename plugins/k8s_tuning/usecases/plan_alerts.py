"""D35, first half: what a run of the DAGs sees that calls for an alert, and the notices that are to go out now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from k8s_tuning import timestamps
from k8s_tuning.alerts import Ledger, Notice, Observation, no_longer_watched, observe_target, own_failure, plan_notices
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.targets import TargetsConfig, WatchedTarget, is_stale
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.alert_channel import ROUTES, Channel


class Run(NamedTuple):
    """Which run plans, and when; `dry_run`: its alerts are only shown."""

    dag_id: str
    run_id: str
    now: str
    dry_run: bool


def plan_alerts(
    state: StateDir,
    run: Run,
    channel: Channel,
    records: Iterable[Mapping[str, Any]],
    events: Iterable[K8sEventSnapshot],
    watched: TargetsConfig | None = None,
) -> list[tuple[Channel, Notice]]:
    """The notices that are to go out now, each with its channel; every decision is in the ledger afterwards.

    `records`: of the targets that this run recorded, as RecordHistoryOperator returns them; `events`: their events.
    `channel`: for targets that name none; its `config_file` is where routes are read. `watched`: where the run watches
    targets.yaml. A target in it without a record in this run, or without a recent one, is an alert, and the incident of
    one that left it ends.
    """
    file = channel.config_file
    targets = {(one.namespace, one.label_selector, one.cluster): one for one in watched.targets} if watched else {}
    recent = {(one.namespace, one.selector, one.cluster): one.events for one in events}
    store = K8sHealthHistoryStore(state.history)
    observed: dict[Channel, list[Observation]] = {}
    recorded = set()
    for record in records:
        key = namespace, selector, cluster = record["namespace"], record["selector"], record.get("cluster")
        recorded.add(key)
        to = channel_of(targets[key], file) if key in targets else channel
        observation = observe_target(
            store, namespace, selector, recent.get(key, ()), run.now, target=record["target"], cluster=cluster
        )
        observed.setdefault(to, []).append(observation)
    if watched is not None:
        missing = {one.name for key, one in targets.items() if key not in recorded}
        for to, observation in _observe_watch(state, store, run, watched, missing, file):
            observed.setdefault(to, []).append(observation)
    return [
        (to, notice)
        for to, observations in observed.items()
        for notice in plan_notices(
            to.alerting(), observations, Ledger(state.ledger), run.now, run.run_id, dry_run=run.dry_run
        )
    ]


def channel_of(target: WatchedTarget, config_file: str) -> Channel:
    """Where the alerts of a target of targets.yaml go."""
    return Channel(target.channel_type, target.channel_conn_id, config_file)


def in_time(dag_id: str, now: str) -> Observation:
    """The end of `run_overdue`, which a DAG's on_failure_callback announces: a run that comes this far was in time."""
    return own_failure("run_overdue", dag_id, "", now, failing=False)


def _observe_watch(
    state: StateDir,
    store: K8sHealthHistoryStore,
    run: Run,
    watched: TargetsConfig,
    missing: Collection[str],
    config_file: str,
) -> Iterable[tuple[Channel, Observation]]:
    """How the watch itself goes. `missing`: the names of targets that this run has no record of."""
    for one in watched.targets:
        to = channel_of(one, config_file)
        message = f"DAG run {run.run_id}: target {one.name} has no record; the logs of its tasks say why."
        subject = f"{run.dag_id}/{one.name}"
        yield to, own_failure("stage_broke", subject, message, run.now, failing=one.name in missing)
        yield to, _observe_age(store, one, watched.stale_after_minutes, run.now)
    yield Channel(ROUTES, config_file=config_file), in_time(run.dag_id, run.now)
    for observation in _observe_left(Ledger(state.ledger), watched.targets, run):
        yield channel_of(watched.targets[0], config_file), observation


def _observe_age(
    store: K8sHealthHistoryStore, target: WatchedTarget, stale_after_minutes: float, now: str
) -> Observation:
    found = store.find(target.namespace, target.label_selector, target=target.name, cluster=target.cluster)
    newest = found.last if found else None
    age = timestamps.seconds_between(newest.timestamp, now) if newest else None
    why = "nothing was ever recorded"
    if newest is not None and age is not None:
        why = f"its last record is {age / 60:.0f} minutes old"
        if age < 0:
            why = f"its last record is dated {newest.timestamp}, {-age / 60:.0f} minutes ahead: set the clocks"
    message = f"Target {target.name}: {why}; nobody knows how its Jobs are."
    return own_failure("history_stale", target.name, message, now, failing=is_stale(age, stale_after_minutes))


def _observe_left(ledger: Ledger, targets: Collection[WatchedTarget], run: Run) -> Iterable[Observation]:
    """The end of each open incident of a target that left targets.yaml, and of the watch over it."""
    names = {one.name for one in targets}
    for facts in ledger.state(dry_run=run.dry_run).incidents.values():
        if not facts.is_open or facts.target is None:
            continue  # what has no name was never in targets.yaml: a pipeline run's
        if facts.source == "health":
            is_left = not any(facts.is_of(one.namespace, one.label_selector, one.name, one.cluster) for one in targets)
        else:
            own, _, name = facts.target.partition("/")
            is_stale_watch = facts.selector == f"dag_id={facts.target},reason=history_stale"
            is_left = (is_stale_watch and facts.target not in names) or (own == run.dag_id and name not in ("", *names))
        if is_left:
            yield no_longer_watched(facts, run.now)
