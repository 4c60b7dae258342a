"""D36 as a task: what the run did, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from k8s_tuning import plain_values, timestamps
from k8s_tuning.hooks.channels import resolve_connection
from k8s_tuning.operators.bundles import Alerts, is_true
from k8s_tuning.operators.stage import StageOperator, from_xcom, run_of
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot
from k8s_tuning.stages.pipeline.result import (
    PIPELINE_FAILED,
    K8sTuningPipelineResult,
    generate_pipeline_report_text,
    pipeline_mode,
)
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.end_run import judge_run, record_run

_BROKEN = {"failed", "upstream_failed"}
# A channel that fails cannot report that itself; its notice is pending, and goes out with the next run.
_SENDING = "send_alerts"

# Jobs that are named, of those that were not applied.
_NAMED = 5


class ReportPipelineOperator(StageOperator):
    """Sums the run up as K8sTuningPipelineResult and ends it as the exit code says.

    0 succeeds; 1 and 2 (the Jobs are not OK) and 3 (a stage broke, or nobody could be notified) fail it without a
    retry, each with its own message. The result is in XCom (key `result`) in every case. A broken stage is announced
    through the same channel as the Jobs' health, and resolved by the next run that has none.
    """

    template_fields = (
        "generated", "validated", "applied", "health", "record", "sent", "alerts", "apply_enabled", "strict_health",
    )  # fmt: skip

    def __init__(
        self,
        *,
        generated: Any,
        validated: Any,
        applied: Any,
        health: Any,
        record: Any,
        sent: Any,
        alerts: Mapping[str, Any],
        apply_enabled: bool | str,
        strict_health: bool | str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        Alerts(**alerts)
        self.generated = generated
        self.validated = validated
        self.applied = applied
        self.health = health
        self.record = record
        self.sent = sent
        self.alerts = dict(alerts)
        self.apply_enabled = apply_enabled
        self.strict_health = strict_health

    def run_stage(self, context: Context) -> Any:
        tasks = self._tasks(context)
        result = self._result(tasks)
        self.report(generate_pipeline_report_text(result))
        context["ti"].xcom_push(key="result", value=plain_values.dump(result))
        seconds = {name: row["duration"] for name, row in tasks.items() if row.get("duration") is not None}
        record_run(StateDir.default(), result, run_of(context), timestamps.now(), seconds)
        self._announce_broken_stage(result, tasks, context)
        if result.exit_code == PIPELINE_FAILED:
            broken = ", ".join(self._broke_first(tasks))
            if not broken and result.health_status is not None:
                raise AirflowFailException(
                    f"exit code 3: the Jobs could not be listed; health is {result.health_status}, not known"
                )
            raise AirflowFailException(
                f"exit code 3: the pipeline itself failed ({broken or 'a stage'}){self._not_applied()}; "
                f"health is {result.health_status or 'not known'}"
            )
        if result.exit_code:
            raise AirflowFailException(
                f"exit code {result.exit_code}: the pipeline ran, and health is {result.health_status}"
            )
        return plain_values.dump(result)

    def _tasks(self, context: Context) -> dict[str, dict[str, Any]]:
        ti: Any = context["ti"]
        rows = ti.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=ti.run_id)
        ended: dict[str, dict[str, Any]] = {}
        for row in rows:
            # A mapped task has a row a copy; one that broke says what became of it.
            if row["task_id"] not in ended or row["state"] in _BROKEN:
                ended[row["task_id"]] = row
        # In the order in which the DAG file has them.
        return {name: ended[name] for name in self.dag.task_dict if name in ended and name != ti.task_id}

    def _broke_first(self, tasks: dict[str, dict[str, Any]]) -> list[str]:
        """The tasks that failed, without those that did because one directly before them had."""
        broken = {name for name, row in tasks.items() if row["state"] in _BROKEN}
        return [
            name
            for name, row in tasks.items()
            if row["state"] == "failed" and broken.isdisjoint(self.dag.task_dict[name].upstream_task_ids)
        ]

    def _not_applied(self) -> str:
        names = (self.applied or {}).get("not_applied", ())
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"; not applied: {', '.join(names[:_NAMED])}{more}" if names else ""

    def _result(self, tasks: dict[str, dict[str, Any]]) -> K8sTuningPipelineResult:
        from k8s_tuning.alerts.reason import Result

        sent = [one for one in self.sent or () if one and one["outcome"] in (Result.SENT, Result.ALREADY_SENT)]
        applied = self.applied or {}
        session_id = (self.generated or {}).get("session_id")
        apply_enabled = is_true(self.apply_enabled, "apply_enabled")
        result = K8sTuningPipelineResult(
            mode=pipeline_mode(apply_enabled, not Alerts(**self.alerts).dry_run),
            generated_jobs=(self.generated or {}).get("total_jobs", 0),
            validated_jobs=(self.validated or {}).get("valid_jobs", 0),
            applied_jobs=applied.get("applied_jobs", applied.get("successful_jobs", 0)),
            incidents_sent=len({incident for one in sent for incident in one["incidents"]}),
            history_appended=self.record is not None,
            steps=[
                f"{name}: {row['state']}{self._not_applied() if name == 'apply_jobs' else ''}"
                for name, row in tasks.items()
            ],
        )
        if self.health:
            judge_run(
                result,
                from_xcom(K8sHealthSnapshot, self.health),
                {session_id} if session_id else (),
                applied.get("job_names", ()),
                broke=any(row["state"] in _BROKEN for row in tasks.values()),
                strict=is_true(self.strict_health, "strict_health"),
            )
        return result

    def _announce_broken_stage(
        self, result: K8sTuningPipelineResult, tasks: dict[str, dict[str, Any]], context: Context
    ) -> None:
        from k8s_tuning.alerts import Ledger, own_failure
        from k8s_tuning.usecases.deliver_alert import announce
        from k8s_tuning.usecases.plan_alerts import in_time

        run, now, dag_id, alerts = run_of(context), timestamps.now(), context["dag"].dag_id, Alerts(**self.alerts)
        broke = any(row["state"] in _BROKEN for name, row in tasks.items() if name != _SENDING)
        failed = ", ".join(name for name in self._broke_first(tasks) if name != _SENDING) or "unknown"
        message = f"DAG run {run}: stage {failed} broke{self._not_applied()}; its log says why."
        failing = broke or result.health_status is None
        config, ledger = alerts.channel().alerting(), Ledger(StateDir.default().ledger)
        for observation in (own_failure("stage_broke", dag_id, message, now, failing=failing), in_time(dag_id, now)):
            for outcome in announce(
                config, observation, ledger, f"{run}/report", resolve_connection, dry_run=alerts.dry_run
            ):
                self.report(
                    outcome.shown or f"{outcome.receiver}/{outcome.channel}: {outcome.outcome} {outcome.answer}"
                )
