"""The wait between D31 and D32 as a task: deferred, it holds no worker slot."""

from __future__ import annotations

import time
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from k8s_tuning.addresses import session_address
from k8s_tuning.operators.links import HealthPageLink
from k8s_tuning.operators.stage import ClusterStageOperator, failing
from k8s_tuning.stages.monitor.wait import generate_wait_report_text
from k8s_tuning.storage.state_dir import StateDir


class WaitForJobsOperator(ClusterStageOperator):
    """Waits until the applied Jobs have ended, `wait_seconds` at most; skipped where nothing was really applied.

    `applied`: what ApplyJobsOperator returned, or left behind where it failed in part; the task fails where that broke
    with nothing in the cluster. Returns {"job_names", "succeeded", "failed", "waiting"}, lists of names, the first of
    all that were applied. Time that is over is no failure: monitoring then shows what still runs.
    """

    template_fields = (*ClusterStageOperator.template_fields, "session_id", "applied", "wait_seconds")

    def __init__(self, *, session_id: Any, applied: Any, wait_seconds: float | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.applied = applied
        self.wait_seconds = wait_seconds

    def run_stage(self, context: Context) -> Any:
        from k8s_tuning.triggers.jobs import JobsEndedTrigger

        if self.applied is None or (self.applied.get("not_applied") and not self.applied["job_names"]):
            raise AirflowFailException("the apply failed with nothing applied, so there is nothing to wait for")
        if not self.applied["job_names"]:
            raise AirflowSkipException("nothing was applied, so there is nothing to wait for")
        self.log.info("Waiting for %d Job(s), at most %s s", len(self.applied["job_names"]), self.wait_seconds)
        target = self.target()
        trigger = JobsEndedTrigger(
            namespace=target.namespace,
            session_id=self.session_id,
            job_names=self.applied["job_names"],
            deadline=time.time() + float(self.wait_seconds),
            kubernetes_conn_id=target.kubernetes_conn_id,
            kubeconfig=target.kubeconfig,
            context=target.context,
            sessions_dir=str(StateDir.default().sessions),
        )
        self.health_page = session_address(target.namespace, self.session_id)
        HealthPageLink().show_already(self, context["ti"])
        self.defer(trigger=trigger, method_name="ended")

    def ended(self, context: Context, event: dict[str, Any]) -> Any:
        """What the trigger saw."""
        with failing():
            self.health_page = session_address(self.target().namespace, self.session_id)
            if "error" in event:
                raise (AirflowException if event["retryable"] else AirflowFailException)(event["error"])
            self.report(generate_wait_report_text(event["progress"], float(self.wait_seconds)))
            return {"job_names": self.applied["job_names"], **event["progress"]}
