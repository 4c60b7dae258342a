"""D33 health: OK, WARN or ERROR for every Job and for the whole selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from k8s_tuning.choices import chosen, fill, made_of
from k8s_tuning.printable import start_of
from k8s_tuning.stages.health.job_signs import job_signs
from k8s_tuning.stages.health.last_seen import GONE, LastSeen, ttl_is_over
from k8s_tuning.stages.health.level import HealthLevel as HealthLevel
from k8s_tuning.stages.health.level import worst
from k8s_tuning.stages.health.pod_signs import pod_signs
from k8s_tuning.stages.health.policy import HealthPolicy as HealthPolicy
from k8s_tuning.stages.health.reasons import CONSEQUENCES, REASONS, sentence
from k8s_tuning.stages.health.sign import Sign, age, lies_ahead
from k8s_tuning.stages.job_identity import SESSION_LABEL
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot

MISSING = "MISSING"
_LONGEST_CAUSE = 200


@dataclass
class K8sJobHealth:
    """One Job's health, with why. `cause`: the probable cause in a sentence, None where there is nothing to say.

    `reasons`: the cause's first; what only follows from it is left out. A Job that is OK may have some, too: a
    disruption that a retry has answered. `phase` is D32's, of an expected Job that the cluster does not have any more
    as it was last seen; MISSING or GONE where nobody saw it end. `exit_code`: that of the cause, where a container's
    end is the cause.
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

    def __post_init__(self) -> None:
        """Take plain strings, and None for nothing; InputError where one is no level."""
        fill(self, succeeded=0, failed=0, active=0, reasons=[], labels={}, annotations={})
        self.health = chosen(HealthLevel, self.health)


@dataclass
class K8sHealthSnapshot:
    """The health of every selected Job. `errors`: what monitoring could not read.

    `jobs_listed`: False where the Jobs themselves could not be listed: nothing is known of them, neither their health
    nor their number, and `overall_health` is WARN. `cluster`: as in K8sMonitorSnapshot. `idle`: there
    are no Jobs; `overall_health` is then OK, for nothing is wrong.
    """

    namespace: str
    selector: str
    jobs_health: list[K8sJobHealth]
    errors: list[str]
    overall_health: HealthLevel
    timestamp: str
    jobs_listed: bool = True
    cluster: str | None = None
    idle: bool = False

    def __post_init__(self) -> None:
        """Take plain strings, and None for nothing; InputError where one is no level."""
        fill(self, jobs_health=[], errors=[])
        self.overall_health = chosen(HealthLevel, self.overall_health)


class K8sHealthEvaluator:
    """D33's table, and what the pods add to it.

    `warn_on_pending=False`: a pending Job is OK. `treat_unknown_as_error=False`: an unknown phase is WARN. `policy`:
    the level of every other reason.
    """

    def __init__(
        self, warn_on_pending: bool = True, treat_unknown_as_error: bool = True, policy: HealthPolicy | None = None
    ) -> None:
        self.warn_on_pending = warn_on_pending
        self.treat_unknown_as_error = treat_unknown_as_error
        self.policy = policy or HealthPolicy()

    def evaluate(
        self,
        snapshot: K8sMonitorSnapshot,
        expected_jobs: Iterable[str] = (),
        last_seen: Mapping[str, LastSeen] | None = None,
    ) -> K8sHealthSnapshot:
        """The health of one D32 snapshot.

        `expected_jobs`: names that must be there, for instance those this session applied. One that is not is what
        `last_seen` (by name) says of its end; else `gone`, where its TTL may have removed it, or `missing`. Where the
        list of Jobs could not be read, nothing is proved missing: an error then says so. Whatever could not be read,
        the overall health is WARN at best.
        """
        known = last_seen or {}
        at, whose_clock = snapshot.timestamp, "this machine's"
        if snapshot.server_time is not None:
            at, whose_clock = snapshot.server_time, "the API server's"
        jobs = [self._judge(job, at, whose_clock) for job in snapshot.jobs]
        errors = list(snapshot.errors)
        there = {job.job_name for job in snapshot.jobs}
        absent = [name for name in dict.fromkeys(expected_jobs) if name not in there]
        if absent and errors and not snapshot.jobs_listed:
            errors.append(f"not known whether these Jobs are still there: {', '.join(absent)}")
        elif absent:
            jobs += [self._absent(name, snapshot, known.get(name)) for name in absent]
        overall, idle = _overall(jobs, errors)
        return made_of(
            K8sHealthSnapshot,
            snapshot,
            jobs_health=jobs,
            errors=errors,
            overall_health=overall,
            jobs_listed=snapshot.jobs_known,
            idle=idle,
        )

    def _judge(self, job: K8sJobStatus, at: str, whose_clock: str) -> K8sJobHealth:
        levels, signs = [HealthLevel.OK], list[Sign]()
        for sign in read_signs(job, at):
            level = self._sign_level(sign, at)
            if level is not None:
                levels.append(level)
                signs.append(sign)
        level = worst(levels)
        cause = signs[0] if signs else None
        shown = cause is not None and (level is not HealthLevel.OK or cause.excused)
        named = [sign.reason for sign in signs if sign.reason and (sign is cause or sign.reason not in CONSEQUENCES)]
        return made_of(
            K8sJobHealth,
            job,
            health=level,
            reasons=list(dict.fromkeys(named)),
            labels=dict(job.labels),
            cause=self._sentence(cause, at, whose_clock) if cause and shown else None,
            exit_code=cause.exit_code if cause and shown else None,
            annotations=dict(job.annotations),
        )

    def _sentence(self, sign: Sign, at: str, whose_clock: str) -> str:
        text = f"{sign.cause}; the Job goes on" if sign.past else sign.cause
        if lies_ahead(sign.since, at) and sign.reason and self.policy.rules[sign.reason].grace_seconds:
            text += f"; its age is not known: {sign.since} is ahead of {whose_clock} clock, so a clock is wrong"
        return text

    def _sign_level(self, sign: Sign, at: str) -> HealthLevel | None:
        """The sign's level; None where it is not worth a word: a start within its grace, a retry's plain failure."""
        if sign.reason is None:
            return None
        if sign.reason == "pending" and not self.warn_on_pending:
            return HealthLevel.OK
        if sign.reason == "unknown_phase" and not self.treat_unknown_as_error:
            return HealthLevel.WARN
        level, in_grace = self.policy.judge(sign.reason, None if sign.hopeless else age(sign.since, at))
        if in_grace and level is HealthLevel.OK:
            return None
        goes_on = sign.past or sign.mild
        if goes_on and sign.excused:
            return HealthLevel.OK
        if goes_on and level is HealthLevel.ERROR:
            return HealthLevel.WARN
        return level

    def _absent(self, name: str, snapshot: K8sMonitorSnapshot, last: LastSeen | None) -> K8sJobHealth:
        """An expected Job that the cluster does not have: what was seen of it stays seen."""
        phase, reasons, cause = MISSING, ["missing"], sentence("missing")
        if last is not None and last.phase == "SUCCEEDED":
            phase, reasons, cause = last.phase, [], ""
        elif last is not None and last.phase == "FAILED":
            phase, reasons = last.phase, last.reasons or ["job_failed"]
            cause = last.cause or "the Job failed, and was removed before anybody asked why"
        elif last is not None and ttl_is_over(last, snapshot.timestamp):
            phase, reasons, cause = GONE, ["gone"], sentence("gone", ttl=last.ttl_seconds)
        known = [reason for reason in reasons if reason in self.policy.rules]
        levels = [self.policy.judge(reason, None)[0] for reason in known]
        levels += [self.policy.judge("job_failed", None)[0]] if phase == "FAILED" else []
        return made_of(
            K8sJobHealth,
            last or LastSeen(phase),
            job_name=name,
            namespace=snapshot.namespace,
            phase=phase,
            active=0,
            health=worst(levels),
            reasons=list(reasons),
            labels=dict(last.labels) if last else {},
            cause=cause or None,
        )


def read_signs(job: K8sJobStatus, at: str) -> list[Sign]:
    """The signs of one Job, the cause first; `at` is the clock's time at that reading, against which ages count.

    The cause is what failed first in time: main containers before sidecars, the application's own failures before
    disruptions, what still lasts before what is past. A deadline comes before the exit codes of the pods that it
    ended; what follows from all that (the Job's condition, its phase) comes last.
    """

    def order(sign: Sign) -> tuple[bool, int, bool, bool, str, int]:
        row = REASONS[sign.reason or "job_failed"]
        rank = row.rank if sign.rank is None else sign.rank
        return sign.past, rank, sign.excused, sign.sidecar, sign.at or "", row.tie

    # What failed on the way to a success is over.
    pods = [] if job.phase == "SUCCEEDED" else job.pods
    return sorted([*(sign for pod in pods for sign in pod_signs(pod, job, at)), *job_signs(job)], key=order)


def of_run(health: K8sHealthSnapshot, session_ids: Collection[str], job_names: Collection[str]) -> K8sHealthSnapshot:
    """The part of a target's health that a run answers for: its sessions' Jobs (label `session_id`), and some by name.

    A target may hold Jobs of other sessions, which no run made red or can make green.
    """
    own = [
        job for job in health.jobs_health if job.labels.get(SESSION_LABEL) in session_ids or job.job_name in job_names
    ]
    overall, idle = _overall(own, health.errors)
    return replace(health, jobs_health=own, overall_health=overall, idle=idle)


def _overall(jobs: Collection[K8sJobHealth], errors: Collection[str]) -> tuple[HealthLevel, bool]:
    """The worst Job's level, WARN at best where something could not be read; and whether there are simply no Jobs."""
    unread = [HealthLevel.WARN] if errors else []
    return worst([*(job.health for job in jobs), *unread]), not jobs and not errors


def count_levels(jobs: Iterable[K8sJobHealth]) -> dict[str, int]:
    """How many Jobs have each level: {"OK": n, "WARN": n, "ERROR": n}."""
    counts = Counter(job.health for job in jobs)
    return {level.value: counts[level] for level in HealthLevel}


def count_reasons(jobs: Iterable[K8sJobHealth]) -> dict[str, int]:
    """How many Jobs have each probable cause, most first: a Job counts once, one that is OK not at all."""
    found = [job.reasons for job in jobs if job.health != HealthLevel.OK and job.reasons]
    # Snapshots of older versions have the consequences in front.
    counts = Counter(next((one for one in reasons if one not in CONSEQUENCES), reasons[0]) for reasons in found)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def not_ok(jobs: Iterable[K8sJobHealth]) -> list[str]:
    """The names of the Jobs that are not OK."""
    return [job.job_name for job in jobs if job.health != HealthLevel.OK]


def failing_jobs(jobs: Iterable[K8sJobHealth], most: int = 5) -> dict[str, str]:
    """The first Jobs that are not OK, ERROR before WARN, each with its cause (cut to 200 characters)."""
    failing = sorted((job for job in jobs if job.health != HealthLevel.OK), key=lambda job: -job.health.rank)
    return {job.job_name: start_of(job.cause or ", ".join(job.reasons), _LONGEST_CAUSE) for job in failing[:most]}


def generate_health_report_text(health: K8sHealthSnapshot) -> str:
    """The report that a person reads: what is wrong first, then the Jobs that are OK."""
    counts = count_levels(health.jobs_health)
    number = f"{len(health.jobs_health)} ({', '.join(f'{level} {count}' for level, count in counts.items())})"
    said = "" if health.jobs_listed else " (not known: the Jobs could not be listed)"
    lines = [
        f"Health: {health.overall_health}{', idle' if health.idle else said}",
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
    for job in sorted(health.jobs_health, key=lambda job: (-job.health.rank, job.job_name)):
        reasons = f"  {', '.join(job.reasons)}" if job.reasons else ""
        lines.append(f"{job.health:<5}  {job.job_name}  {job.phase}{reasons}")
        if job.cause:
            lines.append(f"       {job.cause}")
    return "\n".join(lines) + "\n"
