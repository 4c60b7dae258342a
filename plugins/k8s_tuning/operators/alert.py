"""D35 as tasks: plan the notices, choose whether there is anything to say, send each to its channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseBranchOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from k8s_tuning import plain_values, timestamps
from k8s_tuning.addresses import alerts_address
from k8s_tuning.hooks.channels import ROUTES, Channel, channel_of_params, resolve_connection
from k8s_tuning.operators.stage import StageOperator, is_true, run_of, take
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.targets import TargetsConfig, WatchedTarget, is_stale

if TYPE_CHECKING:
    from k8s_tuning.alerts import Observation


class PlanAlertsOperator(StageOperator):
    """Decides what is to be said of which target, to whom; returns a list with an entry a message and channel.

    `records` and `events`: what RecordHistoryOperator and CollectEventsOperator returned, one or a list (None where a
    target's tasks failed). `watched`: what LoadTargetsOperator put under `config`, each target's channel and when its
    history is stale; without it, `channel_type` and `channel_conn_id` are for all. A watched target without a record in
    this run is an alert, and the incident of one that is watched no longer ends. Every decision is in the ledger
    afterwards.
    """

    template_fields = (
        "records",
        "events",
        "watched",
        "history_file",
        "ledger_file",
        "alerting_config",
        "channel_type",
        "channel_conn_id",
        "alerts_enabled",
    )

    def __init__(
        self,
        *,
        records: Any,
        events: Any,
        history_file: str,
        ledger_file: str,
        alerting_config: str,
        watched: Any = None,
        channel_type: str = "console",
        channel_conn_id: str = "",
        alerts_enabled: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.records = records
        self.events = events
        self.watched = watched
        self.history_file = history_file
        self.ledger_file = ledger_file
        self.alerting_config = alerting_config
        self.channel_type = channel_type
        self.channel_conn_id = channel_conn_id
        self.alerts_enabled = alerts_enabled

    def run_stage(self, context: Context) -> Any:
        """Plan."""
        self.health_page = alerts_address(run_of(context))
        from k8s_tuning.alerts import Ledger, plan_notices

        now = timestamps.now()
        dry_run = not is_true(self.alerts_enabled, "alerts_enabled")
        by_channel: dict[Channel, list[Observation]] = {}
        for channel, observation in self._observations(now, context):
            by_channel.setdefault(channel, []).append(observation)
        entries = []
        for channel, observations in by_channel.items():
            notices = plan_notices(
                channel.alerting(), observations, Ledger(self.ledger_file), now, run_of(context), dry_run=dry_run
            )
            for notice in notices:
                self.report(f"{notice.receiver}/{notice.channel}: {notice.title} ({notice.items[0].why})")
                entries.append({"notice": plain_values.dump(notice), "channel": asdict(channel), "dry_run": dry_run})
        if not entries:
            self.report("Nothing to say; the ledger has every decision and why.")
        return entries

    def _observations(self, now: str, context: Context) -> Iterable[tuple[Channel, Observation]]:
        from k8s_tuning.alerts import observe_target, own_failure

        store = K8sHealthHistoryStore(self.history_file)
        own = channel_of_params(self.channel_type, self.channel_conn_id, self.alerting_config)
        watched = TargetsConfig.model_validate(self.watched) if self.watched else None
        targets = {(one.namespace, one.label_selector, one.cluster): one for one in watched.targets} if watched else {}
        channels = {
            key: Channel(one.channel_type, one.channel_conn_id, self.alerting_config) for key, one in targets.items()
        }
        events = {}
        for data in _present(self.events):
            snapshot = take(K8sEventSnapshot, data)
            events[snapshot.namespace, snapshot.selector, snapshot.cluster] = snapshot.events
        recorded = set()
        for record in _present(self.records):
            key = namespace, selector, cluster = record["namespace"], record["selector"], record.get("cluster")
            recorded.add(key)
            observation = observe_target(
                store, namespace, selector, events.get(key, ()), now, target=record["target"], cluster=cluster
            )
            yield channels.get(key, own), observation
        if watched is None:
            return
        for key, one in targets.items():
            message = f"DAG run {run_of(context)}: target {one.name} has no record; the logs of its tasks say why."
            subject = f"{context['dag'].dag_id}/{one.name}"
            yield channels[key], own_failure("stage_broke", subject, message, now, failing=key not in recorded)
            yield channels[key], self._stale(store, one, watched, now)
        # The DAG's on_failure_callback tells of it, by the routes; a run that comes this far was in time.
        routes = Channel(ROUTES, config_file=self.alerting_config)
        yield routes, own_failure("run_overdue", context["dag"].dag_id, "", now, failing=False)
        for observation in self._left(watched, context["dag"].dag_id, now):
            yield next(iter(channels.values())), observation

    def _stale(self, store: K8sHealthHistoryStore, one: WatchedTarget, watched: TargetsConfig, now: str) -> Observation:
        from k8s_tuning.alerts import own_failure

        found = store.find(one.namespace, one.label_selector, target=one.name, cluster=one.cluster)
        newest = found.last if found else None
        age = timestamps.seconds_between(newest.timestamp, now) if newest else None
        told = "nothing was ever recorded"
        if newest is not None and age is not None:
            told = f"its last record is {age / 60:.0f} minutes old"
            if age < 0:
                told = f"its last record is dated {newest.timestamp}, {-age / 60:.0f} minutes ahead: set the clocks"
        message = f"Target {one.name}: {told}; nobody knows how its Jobs are."
        return own_failure("history_stale", one.name, message, now, failing=is_stale(age, watched.stale_after_minutes))

    def _left(self, watched: TargetsConfig, dag_id: str, now: str) -> list[Observation]:
        """The end of each open incident of a target that left targets.yaml, and of the watch over it."""
        from k8s_tuning.alerts import Ledger, no_longer_watched

        found = []
        names = {one.name for one in watched.targets}
        state = Ledger(self.ledger_file).state(dry_run=not is_true(self.alerts_enabled, "alerts_enabled"))
        for facts in state.incidents.values():
            if not facts.is_open or facts.target is None:
                continue  # what has no name was never in targets.yaml: a pipeline run's
            if facts.source == "health":
                is_left = not any(
                    facts.is_of(one.namespace, one.label_selector, one.name, one.cluster) for one in watched.targets
                )
            else:
                own, _, name = facts.target.partition("/")
                is_stale_watch = facts.selector == f"dag_id={facts.target},reason=history_stale"
                is_left = (is_stale_watch and facts.target not in names) or (own == dag_id and name not in ("", *names))
            if is_left:
                found.append(no_longer_watched(facts, now))
        return found


class ReportMonitorOperator(StageOperator):
    """Ends a run of the monitor truthfully: it fails where a target has no record, or where another task broke.

    `targets`: what LoadTargetsOperator returned; `records`: what RecordHistoryOperator did, None for what failed.
    """

    template_fields = ("targets", "records")

    def __init__(self, *, targets: Any, records: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.targets = targets
        self.records = records

    def run_stage(self, context: Context) -> Any:
        """Report, and fail where something is missing."""
        recorded = {record["target"] for record in _present(self.records)}
        names = [one["name"] for one in self.targets or ()]
        missing = [name for name in names if name not in recorded]
        ti: Any = context["ti"]
        rows = ti.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=ti.run_id)
        broken = sorted({row["task_id"] for row in rows if row["state"] == "failed"} - {ti.task_id})
        self.report(f"{len(names) - len(missing)} of {len(names)} target(s) recorded.")
        if missing or broken or not names:
            told = [f"no record of {', '.join(missing)}"] if missing else []
            told += [f"these tasks failed: {', '.join(broken)}"] if broken else []
            raise AirflowFailException("; ".join(told) or "no target was read")
        return {"targets": len(names)}


class ChooseAlertsOperator(BaseBranchOperator):
    """Goes to `send_task_id` where there is something to say, else to `suppress_task_id`.

    While health is OK there is nothing, but for the end of an incident and what is still owed of it.
    """

    template_fields = ("planned",)

    def __init__(self, *, planned: Any, send_task_id: str, suppress_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        self.send_task_id = send_task_id
        self.suppress_task_id = suppress_task_id

    def choose_branch(self, context: Context) -> str:
        """Send or suppress."""
        return self.send_task_id if self.planned else self.suppress_task_id


class SendAlertOperator(StageOperator):
    """Hands one planned notice to its channel; in a dry run shows the bytes that would go. Returns the outcome.

    What fails is owed and goes out with the next run, should this task's own retries not get it through.
    """

    template_fields = ("planned", "ledger_file")

    def __init__(self, *, planned: Any, ledger_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        self.ledger_file = ledger_file

    def run_stage(self, context: Context) -> Any:
        """Send."""
        self.health_page = alerts_address(run_of(context))
        from k8s_tuning.alerts import Ledger, Notice, deliver_notice

        notice = plain_values.load(Notice, self.planned["notice"])
        # What Airflow's UI calls this mapped task: map_index_template names it.
        context["notice_name"] = f"{notice.receiver}/{notice.channel} {notice.id}"  # type: ignore[typeddict-unknown-key]
        config = Channel(**self.planned["channel"]).alerting()
        outcome = deliver_notice(
            config, notice, resolve_connection, Ledger(self.ledger_file), dry_run=self.planned["dry_run"]
        )
        self.report(outcome.shown or f"{notice.receiver}/{notice.channel}: {outcome.outcome}: {outcome.answer}")
        if not outcome.ok:
            fault = AirflowException if outcome.retryable else AirflowFailException
            raise fault(f"{notice.receiver}/{notice.channel}: {outcome.answer}; owed, and sent with the next run")
        return {"outcome": outcome.outcome, "incidents": [item.incident_id for item in notice.items]}


class SuppressAlertsOperator(StageOperator):
    """Says that nothing was to be said."""

    def run_stage(self, context: Context) -> None:
        """Suppress."""
        self.report("Alerts suppressed: health is OK, or all that is to be said has been said.")


def _present(values: Any) -> list[Any]:
    # A lone task's XCom is a mapping; a mapped task's is a sequence, with None for what failed.
    listed = [values] if isinstance(values, dict) else list(values or ())
    return [value for value in listed if value is not None]
