"""Tuning sessions as files: one JSON file a session.

The cluster forgets Jobs (ttlSecondsAfterFinished, a deleted namespace) and with them the parameters that a result
belongs to; the file keeps both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from k8s_tuning.choices import made_of
from k8s_tuning.stages.health.last_seen import GONE, LastSeen
from k8s_tuning.stages.job_identity import SESSION_LABEL, spec_hash
from k8s_tuning.stages.monitor.snapshot import ENDED, K8sMonitorSnapshot
from k8s_tuning.stages.sessions.session import (
    SeenJob,
    TuningSession,
    file_name,
    merge_applied,
    merge_seen,
    seen_job,
)
from k8s_tuning.storage.json_dir import JsonFolder

if TYPE_CHECKING:
    from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot

log = logging.getLogger(__name__)


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
        name = file_name(session.namespace, session.session_id)
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
            name = file_name(namespace, str((metadata.get("labels") or {}).get(SESSION_LABEL, "")))
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
        """Bring what a snapshot says of Jobs into a session; one that it would have shown (`merge_seen`) is gone."""
        name = file_name(namespace, session_id)
        if name is not None and self._files.read_or_warn(name) is not None:
            self._merge(name, jobs, at, shows)

    def checked(
        self,
        snapshot: K8sMonitorSnapshot,
        selects: Callable[[Mapping[str, str]], bool],
        run_id: str | None = None,
        health: K8sHealthSnapshot | None = None,
    ) -> int:
        """Bring a check into the sessions that its snapshot has Jobs of, or that this run applied; how many those are.

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
                self._merge(name, jobs, snapshot.timestamp, selects if snapshot.jobs_listed else lambda _: False)
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
        name = file_name(namespace, session_id)
        return None if name is None else self._files.read(name)

    def list(self, damaged: Callable[[str], object] = log.warning) -> list[TuningSession]:
        """All sessions, the newest first; `damaged` is called for each file that cannot be read."""
        found = (session for _, session in self._files.items(damaged=damaged))
        return sorted(found, key=lambda one: (one.applied_at, one.namespace, one.session_id), reverse=True)

    def prune(self, max_age_days: float, now: str) -> int:
        """Remove sessions that were neither applied nor seen for so long at `now`; how many."""
        return self._files.prune(lambda one: max(one.applied_at, one.seen_at or ""), max_age_days, now)

    def _merge(
        self, name: str, jobs: Mapping[str, SeenJob], at: str, shows: Callable[[Mapping[str, str]], bool]
    ) -> None:
        self._files.change(name, lambda kept: None if kept is None else merge_seen(kept, jobs, at, shows))
