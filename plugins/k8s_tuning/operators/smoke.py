"""A test alert through one receiver: does it reach a person?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from k8s_tuning import plain_values, timestamps
from k8s_tuning.hooks.channels import ROUTES, Channel
from k8s_tuning.operators.stage import StageOperator, is_true, run_of


class PlanSmokeTestOperator(StageOperator):
    """A marked test alert for every channel of `receiver`; returns what SendAlertOperator takes."""

    template_fields = ("receiver", "message", "alerting_config", "alerts_enabled")

    def __init__(
        self, *, receiver: str, message: str, alerting_config: str, alerts_enabled: bool | str = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.receiver = receiver
        self.message = message
        self.alerting_config = alerting_config
        self.alerts_enabled = alerts_enabled

    def run_stage(self, context: Context) -> Any:
        """Plan."""
        from k8s_tuning.alerts import smoke_notices

        channel = Channel(ROUTES, config_file=self.alerting_config)
        dry_run = not is_true(self.alerts_enabled, "alerts_enabled")
        notices = smoke_notices(channel.alerting(), self.receiver, self.message, timestamps.now(), run_of(context))
        return [
            {"notice": plain_values.dump(notice), "channel": asdict(channel), "dry_run": dry_run} for notice in notices
        ]


class ReportOutcomesOperator(StageOperator):
    """How many channels ended how; returns the counts by outcome, and fails where one did not get through."""

    template_fields = ("planned", "sent")

    def __init__(self, *, planned: Any, sent: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        self.sent = sent

    def run_stage(self, context: Context) -> Any:
        """Report."""
        outcomes = Counter(one["outcome"] for one in self.sent or () if one)
        self.report("\n".join(f"{outcome}: {count} channel(s)" for outcome, count in outcomes.items()))
        failed = len(self.planned or ()) - outcomes.total()
        if failed or not self.planned:
            # The tasks before have said why, each in its own log.
            raise AirflowFailException(f"{failed} channel(s) failed" if self.planned else "no test alert was planned")
        return dict(outcomes)
