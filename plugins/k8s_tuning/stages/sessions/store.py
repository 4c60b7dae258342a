"""What became of each tuning session: its Jobs as they were applied, and how far each was seen to come.

The cluster forgets Jobs (ttlSecondsAfterFinished, a deleted namespace) and with them the parameters that a result
belongs to; one JSON file a session keeps both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from k8s_tuning import kubernetes_names as names
from k8s_tuning.choices import made_of
from k8s_tuning.stages.health.last_seen import GONE, LastSeen
from k8s_tuning.stages.job_identity import PARAMETERS_ANNOTATION, SESSION_LABEL, spec_hash
from k8s_tuning.stages.monitor.job_reading import job_times
from k8s_tuning.stages.monitor.snapshot import ENDED, K8sJobStatus, K8sMonitorSnapshot
from k8s_tuning.stages.validate.secrets import shown_words
from k8s_tuning.storage.json_dir import JsonFolder

if TYPE_CHECKING:
    from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot, K8sJobHealth

log = logging.getLogger(__name__)

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


class SessionStore:
    """The sessions in one folder, a file each below a folder a namespace. Safe for many processes.

    StoreError where a file cannot be read or written. A damaged one is an error to `read`, left out of `list`, and
    replaced when its session is applied again.
    """

    def __init__(self, folder: str | Path) -> None:
        self._files = JsonFolder(folder, TuningSession)

    def applied(self, session: TuningSession) -> None:
        """Keep what was applied, with what has been seen of its Jobs so far.

        A session whose name can be no file's (`sessions_of` makes none) is left out.
        """
        name = _name(session.namespace, session.session_id)
        if name is not None:
            self._files.change(name, lambda kept: session if kept is None else merge_applied(kept, session))

    def ran(self, manifests: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
        """Of these Jobs those that ran already, by namespace and name, each with how it ended.

        A Job that was applied with a TTL and was not seen to end counts too (`GONE`): where the cluster does not have
        it any more, its TTL has removed it, and a Job is only removed by that once it has ended.
        """
        found = {}
        for manifest in manifests:
            metadata = manifest["metadata"]
            namespace = str(metadata.get("namespace") or "default")
            name = _name(namespace, str((metadata.get("labels") or {}).get(SESSION_LABEL, "")))
            session = self._files.read_or_warn(name) if name is not None else None
            job = next((job for job in session.jobs if job.name == metadata["name"]), None) if session else None
            # Another spec under the same name has not run yet.
            if job is None or job.spec_hash not in (None, spec_hash(dict(manifest))):
                continue
            if job.phase in ENDED:
                found[namespace, job.name] = job.phase
            elif (manifest.get("spec") or {}).get("ttlSecondsAfterFinished") is not None:
                found[namespace, job.name] = GONE
        return found

    def created_by(self, run_id: str) -> list[str]:
        """The names of the Jobs that this run created, over all its tries."""
        return [job.name for _, session in self._files.items() for job in session.jobs if job.run_id == run_id]

    def seen(
        self,
        namespace: str,
        session_id: str,
        jobs: Mapping[str, SeenJob],
        at: str,
        shows: Callable[[Mapping[str, str]], bool] = lambda _: True,
    ) -> None:
        """Take what a snapshot says, by Job, into a session; a Job that it would have shown (`merge_seen`) is gone."""
        name = _name(namespace, session_id)
        if name is not None and self._files.read_or_warn(name) is not None:
            self._take(name, jobs, at, shows)

    def looked(
        self,
        snapshot: K8sMonitorSnapshot,
        selects: Callable[[Mapping[str, str]], bool],
        run_id: str | None = None,
        health: K8sHealthSnapshot | None = None,
    ) -> int:
        """Take D32's snapshot into the sessions that it has Jobs of, or that this run applied; how many those are.

        `health`: D33's of it, for the reasons of Jobs that failed. `selects`: whether the snapshot's selector selects
        these labels. A session that it shows nothing of may be in a namespace of the same name on another cluster, and
        stays as it was.
        """
        judged = {job.job_name: job for job in health.jobs_health} if health else {}
        jobs = {job.job_name: seen_job(job, judged.get(job.job_name)) for job in snapshot.jobs}
        found = 0
        for name, known in self._files.items(f"{snapshot.namespace}/"):
            if any(job.name in jobs for job in known.jobs) or (run_id is not None and known.run_id == run_id):
                found += 1
                self._take(name, jobs, snapshot.timestamp, selects if snapshot.jobs_listed else lambda _: False)
        return found

    def last_seen(self, namespace: str, job_names: Iterable[str]) -> dict[str, LastSeen]:
        """What is known of these Jobs, by name; those that no session has are left out."""
        wanted = frozenset(job_names)
        known = [session for _, session in self._files.items(f"{namespace}/")] if wanted else []
        return {
            job.name: made_of(LastSeen, job, alive_at=max(job.alive_at or "", session.applied_at))
            for session in sorted(known, key=lambda session: session.applied_at)  # of two the one applied last
            for job in session.jobs
            if job.name in wanted
        }

    def read(self, namespace: str, session_id: str) -> TuningSession | None:
        """One session, None where none of that name was applied."""
        name = _name(namespace, session_id)
        return None if name is None else self._files.read(name)

    def list(self, damaged: Callable[[str], object] = log.warning) -> list[TuningSession]:
        """All sessions, the newest first; `damaged` is called for each file that cannot be read."""
        found = (session for _, session in self._files.items(damaged=damaged))
        return sorted(found, key=lambda one: (one.applied_at, one.namespace, one.session_id), reverse=True)

    def prune(self, max_age_days: float, now: str) -> int:
        """Remove sessions that were neither applied nor seen for so long at `now`; how many."""
        return self._files.prune(lambda one: max(one.applied_at, one.seen_at or ""), max_age_days, now)

    def _take(
        self, name: str, jobs: Mapping[str, SeenJob], at: str, shows: Callable[[Mapping[str, str]], bool]
    ) -> None:
        self._files.change(name, lambda kept: None if kept is None else merge_seen(kept, jobs, at, shows))


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
        if _name(*key) is not None:
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


def _name(namespace: str, session_id: str) -> str | None:
    """The session's file: both are names that Kubernetes accepts, which lead out of no folder."""
    if names.dns_label_problem(namespace) or not session_id or names.label_value_problem(session_id):
        return None
    return f"{namespace}/{session_id}"
