"""D35 as tasks: plan the notices, choose whether there is anything to say, send each to its channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseBranchOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from k8s_tuning import timestamps, wire
from k8s_tuning.addresses import alerts_address
from k8s_tuning.hooks.channels import Channel, channel_of_params, resolve_connection
from k8s_tuning.operators.stage import StageOperator, is_true, run_of, take
from k8s_tuning.stages.events import K8sEventSnapshot
from k8s_tuning.stages.history import K8sHealthHistoryStore
from k8s_tuning.stages.targets import is_stale, load_targets

if TYPE_CHECKING:
    from k8s_tuning.alerts import Situation


class PlanAlertsOperator(StageOperator):
    """Decides what is to be said of which target, to whom; returns a list with an entry a message and channel.

    `records` and `events`: what RecordHistoryOperator and CollectEventsOperator returned, one or a list (None where a
    target's tasks failed). `targets_file`: each target's channel, and when its history is stale; without it,
    `channel_type` and `channel_conn_id` are for all. Every decision is in the ledger afterwards.
    """

    template_fields = (
        "records",
        "events",
        "targets_file",
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
        targets_file: str = "",
        channel_type: str = "console",
        channel_conn_id: str = "",
        alerts_enabled: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.records = records
        self.events = events
        self.targets_file = targets_file
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
        by_channel: dict[Channel, list[Situation]] = {}
        for channel, situation in self._situations(now):
            by_channel.setdefault(channel, []).append(situation)
        entries = []
        for channel, situations in by_channel.items():
            notices = plan_notices(
                channel.alerting(), situations, Ledger(self.ledger_file), now, run_of(context), dry_run=dry_run
            )
            for notice in notices:
                self.report(f"{notice.receiver}/{notice.channel}: {notice.title} ({notice.items[0].why})")
                entries.append({"notice": wire.dump(notice), "channel": asdict(channel), "dry_run": dry_run})
        if not entries:
            self.report("Nothing to say; the ledger has every decision and why.")
        return entries

    def _situations(self, now: str) -> Iterable[tuple[Channel, Situation]]:
        from k8s_tuning.alerts import observe_target, own_failure

        store = K8sHealthHistoryStore(self.history_file)
        own = channel_of_params(self.channel_type, self.channel_conn_id, self.alerting_config)
        watched = load_targets(self.targets_file) if self.targets_file else None
        targets = {(one.namespace, one.label_selector, one.cluster): one for one in watched.targets} if watched else {}
        channels = {
            key: Channel(one.channel_type, one.channel_conn_id, self.alerting_config) for key, one in targets.items()
        }
        events = {}
        for data in _present(self.events):
            snapshot = take(K8sEventSnapshot, data)
            events[snapshot.namespace, snapshot.selector, snapshot.cluster] = snapshot.events
        for record in _present(self.records):
            key = namespace, selector, cluster = record["namespace"], record["selector"], record.get("cluster")
            situation = observe_target(
                store, namespace, selector, events.get(key, ()), now, target=record["target"], cluster=cluster
            )
            yield channels.get(key, own), situation
        if watched is None:
            return
        for key, one in targets.items():
            found = store.find(one.namespace, one.label_selector, target=one.name, cluster=one.cluster)
            newest = found.last if found else None
            age = timestamps.seconds_between(newest.timestamp, now) if newest else None
            told = "nothing was ever recorded"
            if newest is not None and age is not None:
                told = f"its last record is {age / 60:.0f} minutes old"
                if age < 0:
                    told = f"its last record is dated {newest.timestamp}, {-age / 60:.0f} minutes ahead: set the clocks"
            message = f"Target {one.name}: {told}; nobody knows how its Jobs are."
            failing = is_stale(age, watched.stale_after_minutes)
            yield channels[key], own_failure("history_stale", one.name, message, now, failing=failing)


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

        notice = wire.load(Notice, self.planned["notice"])
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
