"""What became of a tuning session: its Jobs as they were applied, and how far each was seen to come. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from k8s_tuning import kubernetes_names as names
from k8s_tuning.choices import made_of
from k8s_tuning.stages.health.last_seen import GONE
from k8s_tuning.stages.job_identity import PARAMETERS_ANNOTATION, SESSION_LABEL, spec_hash
from k8s_tuning.stages.monitor.job_reading import job_times
from k8s_tuning.stages.monitor.snapshot import ENDED, K8sJobStatus
from k8s_tuning.stages.validate.secrets import shown_words

if TYPE_CHECKING:
    from k8s_tuning.stages.health.evaluate import K8sJobHealth

WORKER_LABEL = "worker_id"
UNSEEN = "UNSEEN"

# Of two snapshots within one second the one that saw more of the Job's life is the later one.
_LIFE = (UNSEEN, "PENDING", "UNKNOWN", "RUNNING", GONE, *ENDED)


@dataclass(frozen=True)
class SeenJob:
    """What a snapshot says of a Job. `phase`: D32's. `ended_at`: None while it runs, or where the cluster did not say.

    `reasons`, `cause`, `exit_code`: D33's, of a Job that failed, where they were asked for.
    """

    phase: str
    started_at: str | None = None
    ended_at: str | None = None
    reasons: list[str] = field(default_factory=list)
    cause: str | None = None
    exit_code: int | None = None
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True)
class SessionJob:
    """One Job of a session.

    `phase`: as last seen; UNSEEN before the first snapshot, GONE where the Job is no longer there and was never seen to
    end. `seen_at`: when `phase` was read. `alive_at`: when it was last read before its end. `reasons`, `cause`,
    `exit_code`: why it failed, by the check that saw it fail. `ttl_seconds`: its ttlSecondsAfterFinished.
    `run_id`: the run that created it, in whichever of its tries. `spec_hash`: of what was applied.
    """

    name: str
    worker_id: str | None = None
    image: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    args: list[str] = field(default_factory=list)
    phase: str = UNSEEN
    started_at: str | None = None
    ended_at: str | None = None
    seen_at: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    ttl_seconds: int | None = None
    alive_at: str | None = None
    reasons: list[str] = field(default_factory=list)
    cause: str | None = None
    exit_code: int | None = None
    succeeded: int = 0
    failed: int = 0
    run_id: str | None = None
    spec_hash: str | None = None


@dataclass(frozen=True)
class TuningSession:
    """One session in one namespace. `run_id`: `DAG_ID/RUN_ID` of the run that applied it last, at `applied_at`.

    `seen_at`: the newest snapshot that says anything of it, None before the first.
    """

    namespace: str
    session_id: str
    run_id: str | None
    applied_at: str
    seen_at: str | None = None
    jobs: list[SessionJob] = field(default_factory=list)


def sessions_of(
    manifests: Iterable[Mapping[str, Any]],
    run_id: str | None,
    applied_at: str,
    created: Collection[tuple[str, str]] = (),
) -> list[TuningSession]:
    """The sessions of these Job manifests, by namespace and label `session_id`; Jobs without it belong to none.

    `created`: those that this try made, by namespace and name; the others were there already.
    """
    found: dict[tuple[str, str], list[SessionJob]] = {}
    for manifest in manifests:
        metadata = manifest["metadata"]
        labels = {str(key): str(value) for key, value in (metadata.get("labels") or {}).items()}
        key = (str(metadata.get("namespace") or "default"), labels.get(SESSION_LABEL, ""))
        if file_name(*key) is not None:
            job = _session_job(manifest, labels)
            is_new = (key[0], job.name) in created
            found.setdefault(key, []).append(replace(job, run_id=run_id) if is_new else job)
    return [TuningSession(*key, run_id, applied_at, jobs=jobs) for key, jobs in found.items()]


def seen_job(job: K8sJobStatus, health: K8sJobHealth | None = None) -> SeenJob:
    """What a snapshot says of one Job; `health`: D33's of it, of which a failure's reasons are kept."""
    seen = SeenJob(job.phase, *job_times(job), succeeded=job.succeeded, failed=job.failed)
    if health is None or job.phase != "FAILED":
        return seen
    return replace(seen, reasons=list(health.reasons), cause=health.cause, exit_code=health.exit_code)


def merge_applied(kept: TuningSession, again: TuningSession) -> TuningSession:
    """A session that was applied again: the Jobs of both, as they were applied last, with what was seen of them."""
    older, newer = (again, kept) if again.applied_at < kept.applied_at else (kept, again)
    seen = {job.name: job for job in kept.jobs}
    jobs = {job.name: job for job in [*older.jobs, *newer.jobs]}
    merged = [_with_what_was_seen(job, seen.get(name)) for name, job in jobs.items()]
    return replace(newer, seen_at=kept.seen_at, jobs=merged)


def _with_what_was_seen(job: SessionJob, was: SessionJob | None) -> SessionJob:
    """A Job as it was applied, with what was seen of it; not where another of that name was created now."""
    if was is None or (job.run_id is not None and was.phase in (*ENDED, GONE)):
        return job
    seen = vars(made_of(SeenJob, was))
    return replace(job, **seen, seen_at=was.seen_at, alive_at=was.alive_at, run_id=job.run_id or was.run_id)


def merge_seen(
    session: TuningSession,
    seen: Mapping[str, SeenJob],
    at: str,
    shows: Callable[[Mapping[str, str]], bool],
) -> TuningSession:
    """The session after a snapshot of the cluster, read at `at`; snapshots may come late, and in any order.

    A Job that the snapshot has gets its phase and times, unless a newer one came before. A Job that it has not is
    GONE, unless it was seen to end: then that stands, also where it comes to be known only now. `shows` says of a
    Job's labels whether the snapshot would have shown it at all: one of another selector, or one that could not read
    the list of Jobs, proves nothing.
    """
    shown = [job for job in session.jobs if job.name in seen or (at > session.applied_at and shows(job.labels))]
    if not shown:
        return session
    now = {job.name: _present(job, seen[job.name], at) if job.name in seen else _absent(job, at) for job in shown}
    jobs = [now.get(job.name, job) for job in session.jobs]
    return replace(session, jobs=jobs, seen_at=max(session.seen_at or at, at))


def _present(job: SessionJob, now: SeenJob, at: str) -> SessionJob:
    missed_its_end = job.phase == GONE and now.phase in ENDED
    if _order(at, now.phase) <= _order(job.seen_at, job.phase) and not missed_its_end:
        return job
    if now.phase in ENDED and now.phase == job.phase and not now.reasons:
        # A check that did not ask why it failed knows less than the one that did.
        now = replace(now, reasons=job.reasons, cause=job.cause, exit_code=job.exit_code)
    return replace(job, **vars(now), seen_at=at, alive_at=job.alive_at if now.phase in ENDED else at)


def _absent(job: SessionJob, at: str) -> SessionJob:
    if job.phase in ENDED or _order(at, GONE) <= _order(job.seen_at, job.phase):
        return job
    return replace(job, phase=GONE, seen_at=at)


def _order(at: str | None, phase: str) -> tuple[str, int]:
    return at or "", _LIFE.index(phase) if phase in _LIFE else _LIFE.index("UNKNOWN")


def _session_job(manifest: Mapping[str, Any], labels: dict[str, str]) -> SessionJob:
    pod = ((manifest.get("spec") or {}).get("template") or {}).get("spec") or {}
    container = next(iter(pod.get("containers") or []), None) or {}
    ttl = (manifest.get("spec") or {}).get("ttlSecondsAfterFinished")
    return SessionJob(
        name=manifest["metadata"]["name"],
        worker_id=labels.get(WORKER_LABEL),
        image=container.get("image"),
        parameters=_parameters((manifest["metadata"].get("annotations") or {}).get(PARAMETERS_ANNOTATION)),
        args=shown_words([str(arg) for arg in container.get("args") or []]),
        labels=labels,
        ttl_seconds=ttl if isinstance(ttl, int) else None,
        spec_hash=spec_hash(dict(manifest)),
    )


def _parameters(text: Any) -> dict[str, Any]:
    try:
        values = orjson.loads(text)
    except (TypeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def file_name(namespace: str, session_id: str) -> str | None:
    """The session's file: both are names that Kubernetes accepts, which lead out of no folder."""
    if names.dns_label_problem(namespace) or not session_id or names.label_value_problem(session_id):
        return None
    return f"{namespace}/{session_id}"
