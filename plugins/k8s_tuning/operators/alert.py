"""D35 as tasks: plan the notices, choose whether there is anything to say, send each to its channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseBranchOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from k8s_tuning import plain_values, timestamps
from k8s_tuning.addresses import alerts_address
from k8s_tuning.hooks.channels import resolve_connection
from k8s_tuning.operators.bundles import Alerts
from k8s_tuning.operators.stage import StageOperator, from_xcom, run_of
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot
from k8s_tuning.stages.targets import TargetsConfig
from k8s_tuning.storage.state_dir import StateDir

if TYPE_CHECKING:
    from k8s_tuning.alerts import Notice
    from k8s_tuning.usecases.alert_channel import Channel


class PlanAlertsOperator(StageOperator):
    """Decides what is to be said of which target, to whom; returns a list with an entry a message and channel.

    `records` and `events`: what RecordHistoryOperator and CollectEventsOperator returned, one or a list (None where a
    target's tasks failed). `watched`: what LoadTargetsOperator put under `config`, each target's channel and when its
    history is stale. `alerts`: the fields of `Alerts`; its channel is for targets that are not in `watched`.
    """

    template_fields = ("records", "events", "watched", "alerts")

    def __init__(
        self, *, records: Any, events: Any, alerts: Mapping[str, Any], watched: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        Alerts(**alerts)
        self.records = records
        self.events = events
        self.watched = watched
        self.alerts = dict(alerts)

    def run_stage(self, context: Context) -> Any:
        self.health_page = alerts_address(run_of(context))
        from k8s_tuning.usecases.plan_alerts import Run, plan_alerts

        alerts = Alerts(**self.alerts)
        planned = plan_alerts(
            StateDir.default(),
            Run(context["dag"].dag_id, run_of(context), timestamps.now(), alerts.dry_run),
            alerts.channel(),
            _present(self.records),
            [from_xcom(K8sEventSnapshot, data) for data in _present(self.events)],
            TargetsConfig.model_validate(self.watched) if self.watched else None,
        )
        for _, notice in planned:
            self.report(f"{notice.receiver}/{notice.channel}: {notice.title} ({notice.items[0].why})")
        if not planned:
            self.report("Nothing to say; the ledger has every decision and why.")
        return [planned_to_xcom(channel, notice, dry_run=alerts.dry_run) for channel, notice in planned]


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
        recorded = {record["target"] for record in _present(self.records)}
        names = [one["name"] for one in self.targets or ()]
        missing = [name for name in names if name not in recorded]
        ti: Any = context["ti"]
        rows = ti.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=ti.run_id)
        broken = sorted({row["task_id"] for row in rows if row["state"] == "failed"} - {ti.task_id})
        self.report(f"{len(names) - len(missing)} of {len(names)} target(s) recorded.")
        if missing or broken or not names:
            reasons = [f"no record of {', '.join(missing)}"] if missing else []
            reasons += [f"these tasks failed: {', '.join(broken)}"] if broken else []
            raise AirflowFailException("; ".join(reasons) or "no target was read")
        return {"targets": len(names)}


class ChooseAlertsOperator(BaseBranchOperator):
    """Goes to `send_task_id` where there is something to say, else to `suppress_task_id`.

    While health is OK there is nothing, but for the end of an incident and what is still pending of it.
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

    What fails is pending and goes out with the next run, should this task's own retries not get it through.
    """

    template_fields = ("planned",)

    def __init__(self, *, planned: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def run_stage(self, context: Context) -> Any:
        self.health_page = alerts_address(run_of(context))
        from k8s_tuning.alerts import Ledger, Notice, deliver_notice
        from k8s_tuning.usecases.alert_channel import Channel

        notice = plain_values.load(Notice, self.planned["notice"])
        # What Airflow's UI calls this mapped task: map_index_template names it.
        context["notice_name"] = f"{notice.receiver}/{notice.channel} {notice.id}"  # type: ignore[typeddict-unknown-key]
        config = Channel(**self.planned["channel"]).alerting()
        ledger = Ledger(StateDir.default().ledger)
        outcome = deliver_notice(config, notice, resolve_connection, ledger, dry_run=self.planned["dry_run"])
        self.report(outcome.shown or f"{notice.receiver}/{notice.channel}: {outcome.outcome}: {outcome.answer}")
        if not outcome.ok:
            fault = AirflowException if outcome.retryable else AirflowFailException
            raise fault(f"{notice.receiver}/{notice.channel}: {outcome.answer}; pending, and sent with the next run")
        return {"outcome": outcome.outcome.value, "incidents": [item.incident_id for item in notice.items]}


class SuppressAlertsOperator(StageOperator):
    """Says that nothing was to be said."""

    def run_stage(self, context: Context) -> None:
        self.report("Alerts suppressed: health is OK, or all that is to be said has been said.")


def planned_to_xcom(channel: Channel, notice: Notice, *, dry_run: bool) -> dict[str, Any]:
    """One planned notice, as SendAlertOperator reads it."""
    return {"notice": plain_values.dump(notice), "channel": asdict(channel), "dry_run": dry_run}


def _present(values: Any) -> list[Any]:
    # A lone task's XCom is a mapping; a mapped task's is a sequence, with None for what failed.
    listed = [values] if isinstance(values, dict) else list(values or ())
    return [value for value in listed if value is not None]
