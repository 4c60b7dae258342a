"""D33 health: OK, WARN or ERROR for every Job and for the whole selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from k8s_tuning.stages.health_policy import HealthLevel, HealthPolicy, worst
from k8s_tuning.stages.health_signs import Sign, read_signs
from k8s_tuning.stages.monitor import K8sJobStatus, K8sMonitorSnapshot

__all__ = [
    "HealthLevel",
    "HealthPolicy",
    "K8sHealthEvaluator",
    "K8sHealthSnapshot",
    "K8sJobHealth",
    "count_levels",
    "count_reasons",
    "generate_health_report_text",
]

MISSING = "MISSING"
_HEALTHY_PHASES = ("SUCCEEDED", "RUNNING")
_ILL_PHASES = {"PENDING": "pending", "FAILED": "job_failed", "UNKNOWN": "unknown_phase"}


@dataclass
class K8sJobHealth:
    """One Job's health, with why. `cause`: the probable cause in a sentence, None where nothing is wrong.

    `phase` is D32's, or MISSING for an expected Job that the cluster does not have.
    """

    job_name: str
    namespace: str
    phase: str
    succeeded: int
    failed: int
    active: int
    health: HealthLevel
    reasons: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    cause: str | None = None
    exit_code: int | None = None
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass
class K8sHealthSnapshot:
    """The health of every selected Job. `errors`: what monitoring could not read.

    `jobs_listed`: False where the Jobs themselves could not be listed: nothing is known of them, neither their health
    nor their number, and `overall_health` is WARN.
    """

    namespace: str
    selector: str
    jobs_health: list[K8sJobHealth]
    errors: list[str]
    overall_health: HealthLevel
    timestamp: str
    jobs_listed: bool = True


class K8sHealthEvaluator:
    """D33's table, and what the pods tell beyond it.

    `warn_on_pending=False`: a pending Job is OK. `treat_unknown_as_error=False`: an unknown phase is WARN. `policy`:
    the level of every other reason.
    """

    def __init__(
        self, warn_on_pending: bool = True, treat_unknown_as_error: bool = True, policy: HealthPolicy | None = None
    ) -> None:
        self.warn_on_pending = warn_on_pending
        self.treat_unknown_as_error = treat_unknown_as_error
        self.policy = policy or HealthPolicy.default()

    def evaluate(self, snapshot: K8sMonitorSnapshot, expected_jobs: Iterable[str] = ()) -> K8sHealthSnapshot:
        """The health of one D32 snapshot.

        `expected_jobs`: names that must be there, for instance those this session applied; one that is not is
        `missing`. Where the list of Jobs could not be read, nothing is proved missing: an error then says so. Whatever
        could not be read, the overall health is WARN at best.
        """
        jobs = [self._judge(job, snapshot.timestamp) for job in snapshot.jobs]
        errors = list(snapshot.errors)
        there = {job.job_name for job in snapshot.jobs}
        absent = [name for name in dict.fromkeys(expected_jobs) if name not in there]
        if absent and errors and not snapshot.jobs_listed:
            errors.append(f"not known whether these Jobs are still there: {', '.join(absent)}")
        elif absent:
            jobs += [self._missing(name, snapshot.namespace) for name in absent]
        unread = [HealthLevel.WARN] if errors else []
        return K8sHealthSnapshot(
            namespace=snapshot.namespace,
            selector=snapshot.selector,
            jobs_health=jobs,
            errors=errors,
            overall_health=worst([job.health for job in jobs] + unread),
            timestamp=snapshot.timestamp,
            # A snapshot that was made by hand may have Jobs and say nothing of how they were listed.
            jobs_listed=snapshot.jobs_listed or bool(snapshot.jobs) or not snapshot.errors,
        )

    def _judge(self, job: K8sJobStatus, at: str) -> K8sJobHealth:
        level, reasons, signs = HealthLevel.OK, list[str](), list[Sign]()
        if job.phase not in _HEALTHY_PHASES:
            reasons = [_ILL_PHASES.get(job.phase, "unexpected_phase")]
            level = self._phase_level(reasons[0])
        # What failed on the way to a success is over.
        if job.phase != "SUCCEEDED":
            found = read_signs(job, at)
            if job.phase != "FAILED" and any(sign.reason == "pods_refused" for sign in found):
                # That there is no start time, or nothing to go by, is its consequence.
                level, reasons = HealthLevel.OK, []
            for sign in found:
                sign_level = self._sign_level(sign)
                if sign_level is None:
                    continue
                level = worst([level, sign_level])
                signs.append(sign)
                if sign.reason and sign.reason not in reasons:
                    reasons.append(sign.reason)
        return K8sJobHealth(
            job_name=job.job_name,
            namespace=job.namespace,
            phase=job.phase,
            succeeded=job.succeeded,
            failed=job.failed,
            active=job.active,
            health=level,
            reasons=reasons,
            labels=dict(job.labels),
            cause=_cause(reasons, signs, job.phase) if level is not HealthLevel.OK else None,
            exit_code=_exit_code(signs) if level is not HealthLevel.OK else None,
            annotations=dict(job.annotations),
        )

    def _phase_level(self, reason: str) -> HealthLevel:
        if reason == "pending" and not self.warn_on_pending:
            return HealthLevel.OK
        if reason == "unknown_phase" and not self.treat_unknown_as_error:
            return HealthLevel.WARN
        return self.policy.judge(reason, None)[0]

    def _sign_level(self, sign: Sign) -> HealthLevel | None:
        """The sign's level; None where it is not worth telling: a start within its grace, a retry's plain failure."""
        if sign.reason is None:
            return None if sign.past else HealthLevel.OK
        level, in_grace = self.policy.judge(sign.reason, None if sign.hopeless else sign.age_seconds)
        if in_grace and level is HealthLevel.OK:
            return None
        if sign.past and level is HealthLevel.ERROR:
            return HealthLevel.WARN
        return level

    def _missing(self, name: str, namespace: str) -> K8sJobHealth:
        return K8sJobHealth(
            job_name=name,
            namespace=namespace,
            phase=MISSING,
            succeeded=0,
            failed=0,
            active=0,
            health=self.policy.judge("missing", None)[0],
            reasons=["missing"],
            cause="the Job was applied, and the cluster no longer has it",
        )


def count_levels(jobs: Iterable[K8sJobHealth]) -> dict[str, int]:
    """How many Jobs have each level: {"OK": n, "WARN": n, "ERROR": n}."""
    counts = Counter(job.health for job in jobs)
    return {level.value: counts[level] for level in HealthLevel}


def count_reasons(jobs: Iterable[K8sJobHealth]) -> dict[str, int]:
    """How many Jobs have each reason, most first; a Job may have several, and a Job that is OK counts for none."""
    counts = Counter(reason for job in jobs if job.health != HealthLevel.OK for reason in job.reasons)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def not_ok(jobs: Iterable[K8sJobHealth]) -> list[str]:
    """The names of the Jobs that are not OK."""
    return [job.job_name for job in jobs if job.health != HealthLevel.OK]


def failing_jobs(jobs: Iterable[K8sJobHealth], most: int = 5) -> dict[str, str]:
    """The first Jobs that are not OK, ERROR before WARN, each with its cause (cut to 200 characters)."""
    order = list(HealthLevel)[::-1]
    failing = sorted((job for job in jobs if job.health != HealthLevel.OK), key=lambda job: order.index(job.health))
    return {job.job_name: _cut(job.cause or ", ".join(job.reasons)) for job in failing[:most]}


def generate_health_report_text(health: K8sHealthSnapshot) -> str:
    """The report that a person reads: what is wrong first, then the Jobs that are well."""
    counts = count_levels(health.jobs_health)
    number = f"{len(health.jobs_health)} ({', '.join(f'{level} {count}' for level, count in counts.items())})"
    lines = [
        f"Health: {health.overall_health}{'' if health.jobs_listed else ' (not known: the Jobs could not be listed)'}",
        f"Namespace: {health.namespace}",
        f"Selector: {health.selector}",
        f"Time: {health.timestamp}",
        f"Jobs: {number if health.jobs_listed else 'not known'}",
    ]
    if health.errors:
        lines += ["", "Not everything could be read:", *(f"  ! {error}" for error in health.errors)]
    elif not health.jobs_health:
        lines += ["", "The selector matches no Jobs."]
    if health.jobs_health:
        lines.append("")
    order = list(HealthLevel)[::-1]
    for job in sorted(health.jobs_health, key=lambda job: (order.index(job.health), job.job_name)):
        reasons = f"  {', '.join(job.reasons)}" if job.reasons else ""
        lines.append(f"{job.health:<5}  {job.job_name}  {job.phase}{reasons}")
        if job.cause:
            lines.append(f"       {job.cause}")
    return "\n".join(lines) + "\n"


def _cause(reasons: list[str], signs: list[Sign], phase: str) -> str | None:
    if signs:
        return signs[0].cause
    sentences = {
        "pending": "the Job has not started",
        "job_failed": "the Job failed, and neither its condition nor its pods say why",
        "unknown_phase": "the Job has neither a condition nor a pod that tells its state",
        "unexpected_phase": f"{phase!r} is no phase that a Job has",
    }
    return next((sentences[reason] for reason in reasons if reason in sentences), None)


def _exit_code(signs: list[Sign]) -> int | None:
    return next((sign.exit_code for sign in signs if sign.exit_code is not None), None)


def _cut(cause: str, longest: int = 200) -> str:
    return cause if len(cause) <= longest else f"{cause[: longest - 1]}…"
