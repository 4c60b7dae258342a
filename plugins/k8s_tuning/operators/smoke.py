"""A test alert through one receiver: does it reach a person?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from k8s_tuning import timestamps
from k8s_tuning.operators.alert import planned_to_xcom
from k8s_tuning.operators.bundles import Alerts
from k8s_tuning.operators.stage import StageOperator, run_of


class PlanSmokeTestOperator(StageOperator):
    """A marked test alert for every channel of `receiver`; returns what SendAlertOperator reads."""

    template_fields = ("receiver", "message", "alerts")

    def __init__(self, *, receiver: str, message: str, alerts: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        Alerts(**alerts)
        self.receiver = receiver
        self.message = message
        self.alerts = dict(alerts)

    def run_stage(self, context: Context) -> Any:
        from k8s_tuning.alerts import smoke_notices

        alerts = Alerts(**self.alerts)
        channel, dry_run = alerts.channel(), alerts.dry_run
        notices = smoke_notices(channel.alerting(), self.receiver, self.message, timestamps.now(), run_of(context))
        return [planned_to_xcom(channel, notice, dry_run=dry_run) for notice in notices]


class ReportOutcomesOperator(StageOperator):
    """How many channels ended how; returns the counts by outcome, and fails where one did not get through."""

    template_fields = ("planned", "sent")

    def __init__(self, *, planned: Any, sent: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        self.sent = sent

    def run_stage(self, context: Context) -> Any:
        outcomes = Counter(one["outcome"] for one in self.sent or () if one)
        self.report("\n".join(f"{outcome}: {count} channel(s)" for outcome, count in outcomes.items()))
        failed = len(self.planned or ()) - outcomes.total()
        if failed or not self.planned:
            # The tasks before have said why, each in its own log.
            raise AirflowFailException(f"{failed} channel(s) failed" if self.planned else "no test alert was planned")
        return dict(outcomes)
