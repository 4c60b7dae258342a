"""D36 as a task: what the run did, and how it ends."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from k8s_tuning import plain_values, timestamps
from k8s_tuning.hooks.channels import announce, channel_of_params
from k8s_tuning.operators.stage import StageOperator, is_true, run_of, take
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot, of_run
from k8s_tuning.stages.pipeline.result import (
    PIPELINE_FAILED,
    K8sTuningPipelineResult,
    generate_pipeline_report_text,
    health_exit_code,
    pipeline_mode,
)
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore

_BROKEN = {"failed", "upstream_failed"}
# A channel that fails cannot be told of through the channel; its notice is owed, and goes out with the next run.
_UNTELLABLE = {"send_alerts"}

# Jobs that are named, of those that were not applied.
_NAMED = 5


class ReportPipelineOperator(StageOperator):
    """Sums the run up as K8sTuningPipelineResult and ends it as the exit code says.

    0 succeeds; 1 and 2 (the Jobs are ill) and 3 (a stage broke, or nobody could be told: the pipeline is ill) fail it
    without a retry, each with its own message. The result is in XCom (key `result`) in every case. A broken stage is
    told through the same channel as the Jobs' health, and resolved by the next run that has none.
    """

    template_fields = (
        "generated", "validated", "applied", "health", "record", "sent", "runs_file", "ledger_file", "alerting_config",
        "channel_type", "channel_conn_id", "apply_enabled", "alerts_enabled", "strict_health",
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
        runs_file: str,
        ledger_file: str,
        alerting_config: str,
        channel_type: str,
        channel_conn_id: str,
        apply_enabled: bool | str,
        alerts_enabled: bool | str,
        strict_health: bool | str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.generated = generated
        self.validated = validated
        self.applied = applied
        self.health = health
        self.record = record
        self.sent = sent
        self.runs_file = runs_file
        self.ledger_file = ledger_file
        self.alerting_config = alerting_config
        self.channel_type = channel_type
        self.channel_conn_id = channel_conn_id
        self.apply_enabled = apply_enabled
        self.alerts_enabled = alerts_enabled
        self.strict_health = strict_health

    def run_stage(self, context: Context) -> Any:
        """Report, and fail where the exit code is not 0."""
        tasks = self._tasks(context)
        result = self._result(tasks)
        self.report(generate_pipeline_report_text(result))
        context["ti"].xcom_push(key="result", value=plain_values.dump(result))
        self._journal(result, tasks, context)
        self._tell_of_broken_stage(result, tasks, context)
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
        broken = any(row["state"] in _BROKEN for row in tasks.values())
        judged = self._judged()
        health = judged.overall_health if judged else None
        if broken or judged is None:
            health_code = PIPELINE_FAILED
        else:
            strict = is_true(self.strict_health, "strict_health")
            health_code = health_exit_code(health, strict, jobs_listed=judged.jobs_listed)
        sent = [one for one in self.sent or () if one and one["outcome"] in ("sent", "already_sent")]
        applied = self.applied or {}
        return K8sTuningPipelineResult(
            mode=pipeline_mode(
                is_true(self.apply_enabled, "apply_enabled"), is_true(self.alerts_enabled, "alerts_enabled")
            ),
            generated_jobs=(self.generated or {}).get("total_jobs", 0),
            validated_jobs=(self.validated or {}).get("valid_jobs", 0),
            applied_jobs=applied.get("applied_jobs", applied.get("successful_jobs", 0)),
            health_status=health,
            incidents_sent=len({incident for one in sent for incident in one["incidents"]}),
            history_appended=self.record is not None,
            exit_code=health_code,
            steps=[
                f"{name}: {row['state']}{self._not_applied() if name == 'apply_jobs' else ''}"
                for name, row in tasks.items()
            ],
            jobs_listed=judged is None or judged.jobs_listed,
            idle=judged is not None and judged.idle,
        )

    def _judged(self) -> K8sHealthSnapshot | None:
        """The health of this run's own Jobs; None where the run broke before it was known."""
        if not self.health:
            return None
        session_id = (self.generated or {}).get("session_id")
        names = (self.applied or {}).get("job_names", ())
        return of_run(take(K8sHealthSnapshot, self.health), {session_id} if session_id else (), names)

    def _journal(self, result: K8sTuningPipelineResult, tasks: dict[str, dict[str, Any]], context: Context) -> None:
        seconds = {name: row["duration"] for name, row in tasks.items() if row.get("duration") is not None}
        K8sPipelineRunStore(self.runs_file).append(
            K8sPipelineRunRecord(
                timestamps.now(), run_of(context), result.mode, result.exit_code, result.health_status, seconds
            )
        )

    def _tell_of_broken_stage(
        self, result: K8sTuningPipelineResult, tasks: dict[str, dict[str, Any]], context: Context
    ) -> None:
        from k8s_tuning.alerts import own_failure

        broke = {
            name: row["state"] for name, row in tasks.items() if row["state"] in _BROKEN and name not in _UNTELLABLE
        }
        failed = [name for name in self._broke_first(tasks) if name in broke]
        message = (
            f"DAG run {run_of(context)}: stage {', '.join(failed) or 'unknown'} broke{self._not_applied()}; "
            "its log says why."
        )
        now, dag_id = timestamps.now(), context["dag"].dag_id
        channel = channel_of_params(self.channel_type, self.channel_conn_id, self.alerting_config)
        dry_run = not is_true(self.alerts_enabled, "alerts_enabled")
        for situation in (
            own_failure("stage_broke", dag_id, message, now, failing=bool(broke) or result.health_status is None),
            # Told by the DAG's on_failure_callback; a run that comes this far was in time.
            own_failure("run_overdue", dag_id, "", now, failing=False),
        ):
            for outcome in announce(channel, situation, self.ledger_file, f"{run_of(context)}/report", dry_run=dry_run):
                self.report(
                    outcome.shown or f"{outcome.receiver}/{outcome.channel}: {outcome.outcome} {outcome.answer}"
                )
