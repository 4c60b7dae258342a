"""A task's or a DAG run's failure as a CRITICAL alert, for `on_failure_callback` of any DAG."""

from __future__ import annotations

from collections.abc import Collection

from airflow.sdk import BaseNotifier, Context

from k8s_tuning import timestamps, unforeseen
from k8s_tuning.errors import TuningError
from k8s_tuning.hooks.channels import resolve_connection
from k8s_tuning.storage.state_dir import StateDir


class K8sTuningNotifier(BaseNotifier):
    """Reports a failure once, however many tasks of the run fail: the incident is the DAG's.

    `channel_type`, `channel_conn_id`: one channel; `routes` sends it as `alerting_config` says (label `reason`:
    task_failed, or run_overdue for a run past its `dagrun_timeout`); `reasons`: which of the two are sent. Nothing
    leaves while `alerts_enabled` is False, unless the run's own param of that name is True.
    """

    # None: a DAG-level notifier with template fields fails in `airflow dags test`.
    template_fields = ()

    def __init__(
        self,
        *,
        channel_type: str = "routes",
        channel_conn_id: str = "",
        alerting_config: str = "",
        alerts_enabled: bool = False,
        reasons: Collection[str] = ("task_failed", "run_overdue"),
    ) -> None:
        super().__init__()
        self.channel = {"type": channel_type, "conn_id": channel_conn_id, "config_file": alerting_config}
        self.alerts_enabled = alerts_enabled
        self.reasons = reasons

    def notify(self, context: Context) -> None:
        """Announce. A callback has nobody to fail for: a fault of this system is logged in one line."""
        try:
            with unforeseen.net():
                self._announce(context)
        except TuningError as error:
            self.log.error("The failure of %s could not be announced: %s", context["dag_run"].dag_id, error)

    def _announce(self, context: Context) -> None:
        from k8s_tuning.alerts import Ledger, own_failure
        from k8s_tuning.usecases.alert_channel import Channel
        from k8s_tuning.usecases.deliver_alert import announce

        run = context["dag_run"]
        reason = "run_overdue" if context.get("reason") == "timed_out" else "task_failed"
        if reason not in self.reasons:
            return
        alerts_enabled = self.alerts_enabled or (context.get("params") or {}).get("alerts_enabled") is True
        ti = context.get("task_instance")
        subject = f"task {ti.task_id}" if ti is not None else "the run"
        message = f"DAG run {run.dag_id}/{run.run_id}: {subject} failed ({reason}); its log says why."
        observation = own_failure(reason, run.dag_id, message, timestamps.now())
        config, ledger = Channel(**self.channel).alerting(), Ledger(StateDir.default().ledger)
        name = f"{run.dag_id}/{run.run_id}/{reason}"
        for outcome in announce(config, observation, ledger, name, resolve_connection, dry_run=not alerts_enabled):
            self.log.info("%s", outcome.shown or f"{outcome.receiver}/{outcome.channel}: {outcome.outcome}")
