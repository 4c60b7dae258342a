"""The stages in one process: what each hands on to the next, and its outcome in words."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k8s_tuning.alerts import AlertChannelConfig, AlertingConfig, ChannelSecret, Ledger, observe_target, plan_notices
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.reason import Result
from k8s_tuning.cluster import selectors
from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.connection import run as run_async
from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.errors import ClusterError, DeliveryError, InputError, StoreError
from k8s_tuning.stages.apply.policy import ApplyPolicy, load_policy
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot
from k8s_tuning.stages.health.evaluate import (
    HealthPolicy,
    K8sHealthEvaluator,
    K8sHealthSnapshot,
    count_levels,
    count_reasons,
    not_ok,
)
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.job_identity import SESSION_LABEL
from k8s_tuning.stages.manifests import manifest_files
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.pipeline.result import K8sTuningPipelineConfig, K8sTuningPipelineResult
from k8s_tuning.stages.sessions.session import TuningSession
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.stages.validate.plan import K8sExecutionPlanner, K8sJobValidator, validation_exit_code
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.apply_session import apply_session
from k8s_tuning.usecases.check_target import collect_events, judge, record_check
from k8s_tuning.usecases.deliver_alert import deliver_all
from k8s_tuning.usecases.end_run import judge_run
from k8s_tuning.usecases.generate_session import generate_session
from k8s_tuning.usecases.wait_for_jobs import wait_for_jobs


@dataclass
class Steps:
    """One run's stages and what they hand on. Made before the first stage, so that bad settings change nothing."""

    config: K8sTuningPipelineConfig
    result: K8sTuningPipelineResult
    run_id: str
    now: Callable[[], str]
    show: Callable[[str], object]

    def __post_init__(self) -> None:
        config, now = self.config, self.now
        if config.history_limit < 1:
            raise InputError(f"history_limit is {config.history_limit}; give 1 or more")
        if not 0 <= config.wait_seconds < float("inf"):
            raise InputError(f"wait_seconds is {config.wait_seconds}; give a number of seconds, 0 for no wait")
        self.access = ClusterAccess(kubeconfig=config.kubeconfig, context=config.context)
        target = (config.namespace, config.label_selector)
        self.selector = selectors.parse(config.label_selector)
        self.monitor = K8sJobMonitor(*target, access=self.access, max_log_lines=0, now=now)
        self.collector = K8sEventCollector(*target, access=self.access, limit=config.events_limit, now=now)
        self.policy = load_policy(config.apply_policy) if config.apply_policy else ApplyPolicy()
        self.evaluator = K8sHealthEvaluator(
            policy=HealthPolicy.load(Path(config.health_policy)) if config.health_policy else None
        )
        AlertChannelConfig(config.channel_type, config.webhook_url, dry_run=not config.alerts_enabled)
        self.state = StateDir.of_history(config.history_file)
        with contextlib.suppress(StoreError):  # a volume that is away now may be back when the record is written
            K8sHealthHistoryStore(self.state.history).check()
        self.sessions = SessionStore(self.state.sessions)
        self.applied: list[TuningSession] = []
        self.in_cluster: list[str] = []
        self.partly_applied = False
        self.waited: dict[str, list[str]] = {}
        # Which Jobs are this run's: those of its manifests' sessions, and of manifests without one those by name.
        self.session_ids: set[str] = set()
        self.job_names: set[str] = set()

    def in_order(self) -> Iterable[tuple[str, Callable[[], str]]]:
        """The stages' names, and what each does; it returns its outcome in words."""
        return (
            ("generate", self._generate),
            ("validate", self._validate),
            ("apply", self._apply),
            ("wait", self._wait),
            ("monitor", self._monitor),
            ("health", self._judge),
            ("events", self._collect),
            ("history", self._record),
            ("alerts", self._alert),
        )

    def _generate(self) -> str:
        if self.config.session_config is None:
            self.result.generated_jobs = len(manifest_files(self.config.jobs_dir))
            return f"skipped: no session is configured; {self.result.generated_jobs} manifest(s) stand ready"
        done = generate_session(
            self.config.session_config,
            self.config.jobs_dir,
            namespace=self.config.namespace,
            run_id=self.run_id,
            created_at=self.now(),
        )
        self.result.generated_jobs = done.total_jobs
        return "; ".join([f"{done.total_jobs} manifest(s) of session {done.session_id}", *done.notes])

    def _validate(self) -> str:
        plan = K8sExecutionPlanner(K8sJobValidator()).plan_from_directory(self.config.jobs_dir)
        self.result.validated_jobs = plan.valid_jobs
        for job in plan.jobs:
            session_id = (job["metadata"].get("labels") or {}).get(SESSION_LABEL)
            (self.session_ids if session_id else self.job_names).add(session_id or job["metadata"]["name"])
        if validation_exit_code(plan):
            more = f" (and {len(plan.errors) - 1} more)" if len(plan.errors) > 1 else ""
            raise InputError(f"{plan.invalid_jobs} of {plan.total_jobs} invalid: {plan.errors[0]}{more}")
        outcome = f"{plan.valid_jobs} valid, {len(plan.warnings)} warning(s)"
        unwatched = [job["metadata"]["name"] for job in plan.jobs if not self._is_watched(job["metadata"])]
        if not unwatched:
            return outcome
        warning = (
            f"{len(unwatched)} Job(s) are not in namespace {self.config.namespace} with labels "
            f"{self.config.label_selector}, so this run would not watch them: {_some(unwatched)}"
        )
        if self.config.apply_enabled:
            raise InputError(f"{warning}; correct the manifests, or the namespace and the selector")
        return f"{outcome}; {warning}"

    def _is_watched(self, metadata: dict[str, Any]) -> bool:
        namespace = metadata.get("namespace") or "default"
        return bool(namespace == self.config.namespace and self.selector.matches(metadata.get("labels") or {}))

    def _apply(self) -> str:
        dry_run = not self.config.apply_enabled
        executor = K8sApplyExecutor(
            dry_run, self.config.kubeconfig, self.config.context, policy=self.policy, now=self.now
        )
        applied = apply_session(
            executor, self.config.jobs_dir, self.sessions, self.run_id, again=self.config.apply_again, now=self.now()
        )
        done = applied.result
        if dry_run:
            refused = [job for job in done.job_results if job.return_code]
            asked = f"{done.server} was asked" if done.server else "; ".join(["NO SERVER WAS ASKED", *done.notes])
            verdict = f"; {len(refused)} of {done.total_jobs} would fail: {refused[0].stderr}" if refused else ""
            return f"dry run, nothing was changed; {asked}{verdict}"
        self.in_cluster, self.applied = applied.in_cluster, applied.sessions
        self.result.applied_jobs = applied.created_jobs
        if applied.failed:
            first = applied.failed[0]
            many = f"{len(applied.failed)} of {done.total_jobs} Job(s) were not applied"
            why = f"{many}; first, {first.job_name}: {first.stderr}"
            if not self.in_cluster:
                raise ClusterError(why)
            self.partly_applied = True
            names = [job.job_name for job in applied.failed]
            return f"failed: {why}; not applied: {_some(names)}; the others are watched"
        left_out = sum(job.ran is not None for job in done.job_results)
        more = f", {left_out} left out (they ran already)" if left_out else ""
        return f"{done.successful_jobs} created, {done.unchanged_jobs} unchanged{more} on {done.server}"

    def _wait(self) -> str:
        if not self.in_cluster:
            return "skipped: nothing was applied"
        if not self.config.wait_seconds:
            return "skipped: wait_seconds is 0"
        progress = run_async(
            wait_for_jobs(
                self.access,
                self.config.namespace,
                self.config.label_selector,
                self.in_cluster,
                self.config.wait_seconds,
                sessions=self.sessions,
                session_ids=[session.session_id for session in self.applied],
                evaluator=self.evaluator,
                now=self.now,
            )
        )
        self.waited = progress.as_dict()
        outcome = f"{len(progress.succeeded)} succeeded, {len(progress.failed)} failed"
        if progress.waiting:
            outcome += f"; after {self.config.wait_seconds:g} s not ended: {_some(sorted(progress.waiting))}"
        return outcome

    def _monitor(self) -> str:
        self.snapshot: K8sMonitorSnapshot = self.monitor.load_snapshot()
        phases = Counter(job.phase for job in self.snapshot.jobs)
        counts = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
        outcome = f"{len(self.snapshot.jobs)} Job(s){f': {counts}' if counts else ''}"
        if not self.snapshot.jobs_listed:
            outcome = "Jobs not known"
        return outcome + _unread(self.snapshot.errors)

    def _judge(self) -> str:
        self.health: K8sHealthSnapshot = judge(
            self.evaluator, self.snapshot, self.sessions, self.in_cluster, self.waited
        )
        own = judge_run(
            self.result,
            self.health,
            self.session_ids,
            self.job_names | set(self.in_cluster),
            broke=self.partly_applied,
            strict=self.config.strict_health,
        )
        if not own.jobs_listed:
            return f"{own.overall_health}, not known: the Jobs could not be listed"
        if own.idle:
            others = len(self.health.jobs_health)
            seen = f"; {others} of others are {self.health.overall_health}" if others else ""
            return f"{own.overall_health}, idle: there are no Jobs of this run{seen}"
        counts = ", ".join(f"{level} {count}" for level, count in count_levels(own.jobs_health).items())
        reasons = ", ".join(f"{reason} {count}" for reason, count in count_reasons(own.jobs_health).items())
        failing = not_ok(own.jobs_health)
        return f"{own.overall_health} ({counts})" + (f"; {reasons}: {_some(failing)}" if failing else "")

    def _collect(self) -> str:
        self.events: K8sEventSnapshot = collect_events(self.collector, self.health)
        warnings = sum(event.type == "Warning" for event in self.events.events)
        return f"{len(self.events.events)} event(s), {warnings} Warning{_unread(self.events.errors)}"

    def _record(self) -> str:
        record, _ = record_check(self.state, self.health, self.snapshot, self.events, run_id=self.run_id)
        self.result.history_appended = True
        return f"{record.overall_health} recorded in {self.config.history_file}"

    def _alert(self) -> str:
        config = self.config
        dry_run = not config.alerts_enabled
        alerting, ledger, now = AlertingConfig.webhook(config.channel_type), Ledger(self.state.ledger), self.now()
        observation = observe_target(
            K8sHealthHistoryStore(self.state.history),
            config.namespace,
            config.label_selector,
            self.events.events,
            now,
            cluster=self.snapshot.cluster,
            limit=config.history_limit,
        )
        notices = plan_notices(alerting, [observation], ledger, now, self.run_id, dry_run=dry_run)
        if not notices:
            if observation.incident is None:
                return "suppressed: health is OK"
            return f"nothing new to say of incident {observation.incident.id}; the ledger says why"
        secret = ChannelSecret(url=config.webhook_url)
        outcomes = deliver_all(alerting, notices, lambda _: secret, ledger, dry_run=dry_run, now=self.now)
        said = []
        for notice, outcome in zip(notices, outcomes, strict=True):
            if outcome.shown:
                self.show(outcome.shown)
            if outcome.outcome is Result.SENT and notice.status is Status.FIRING:
                self.result.incidents_sent += len({item.incident_id for item in notice.items})
            done = "dry run, nothing was sent" if dry_run else outcome.outcome
            said.append(f"{done}: {notice.title} ({notice.items[0].why}) -> {notice.channel}")
        for notice, outcome in zip(notices, outcomes, strict=True):
            if not outcome.ok:
                raise DeliveryError(
                    f"{notice.title} was not delivered to {notice.channel}: {outcome.answer}; it is pending, and goes "
                    "out with the next run",
                    retryable=outcome.retryable,
                )
        return "; ".join(said)


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _unread(errors: list[str]) -> str:
    return f"; NOT whole: {'; '.join(errors)}" if errors else ""
