"""The latest snapshot of each target, with what its Jobs' pods said: for people who open the target's page.

The history keeps a line a check, indefinitely; this has every Job of the latest check alone, with the last log lines
and the events, which the cluster forgets within the hour. One JSON file a target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from k8s_tuning.choices import made_of
from k8s_tuning.printable import end_of, start_of
from k8s_tuning.stages.events.snapshot import K8sEvent, K8sEventSnapshot
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.monitor.job_reading import job_times
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot, K8sPodLog
from k8s_tuning.stages.target_identity import same_target
from k8s_tuning.storage.json_dir import JsonFolder

LINES_A_CONTAINER = 20
LONGEST_LINE = 500
LONGEST_MESSAGE = 1_000
# In one snapshot: what a page can still show, and a few megabytes of file.
MOST_LOG_LINES = 5_000
MOST_EVENTS = 2_000


@dataclass
class PodLogTail:
    """The last lines of one container; `previous`: of its run before the last restart. `truncated`: it had more."""

    pod_name: str
    container_name: str
    lines: list[str]
    previous: bool = False
    truncated: bool = False


@dataclass
class JobEvent:
    """One event of a Job or of one of its pods: `kind` and `name` say which."""

    type: str
    reason: str
    message: str
    kind: str
    name: str
    count: int = 1
    last_timestamp: str | None = None


@dataclass
class LatestJob:
    """One Job: D33's health, D32's facts, its containers' last lines, D34's events (oldest first).

    `completion_time`: when it ended, whether well or not; None while it runs, or where the cluster did not say.
    `restarts`: of all containers together. `nodes`: where its pods were put.
    """

    job_name: str
    health: HealthLevel
    phase: str
    succeeded: int = 0
    failed: int = 0
    active: int = 0
    reasons: list[str] = field(default_factory=list)
    cause: str | None = None
    exit_code: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    start_time: str | None = None
    completion_time: str | None = None
    restarts: int = 0
    nodes: list[str] = field(default_factory=list)
    logs: list[PodLogTail] = field(default_factory=list)
    events: list[JobEvent] = field(default_factory=list)


@dataclass
class LatestSnapshot:
    """One check of a target. `run_id`: `DAG_ID/RUN_ID` of the run that recorded it; `target`: its name for people.

    `errors`: what could not be read, and what was left out here for its size. `jobs_listed`: as in K8sHealthSnapshot.
    """

    namespace: str
    selector: str
    timestamp: str
    run_id: str | None = None
    target: str | None = None
    jobs: list[LatestJob] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    jobs_listed: bool = True
    cluster: str | None = None


class LatestStore:
    """The latest snapshot of each target, in one folder. Safe for many processes.

    StoreError where a file cannot be read or written. A damaged one is an error to readers, and is replaced by the next
    one.
    """

    def __init__(self, folder: str | Path) -> None:
        self._files = JsonFolder(folder, LatestSnapshot)

    def keep(self, snapshot: LatestSnapshot) -> bool:
        """Put the snapshot into its target's place; False where a newer one is there, which stays."""

        def newest(kept: LatestSnapshot | None) -> LatestSnapshot:
            return kept if kept is not None and kept.timestamp > snapshot.timestamp else snapshot

        return self._files.change(_name(snapshot.namespace, snapshot.selector, snapshot.cluster), newest) == snapshot

    def read(
        self, namespace: str, selector: str, target: str | None = None, cluster: str | None = None
    ) -> LatestSnapshot | None:
        """The target's latest snapshot, None where there is none. One that names no cluster is of an older version.

        Without a `cluster`, the newest of all that have this namespace and selector.
        """
        found = self._files.read(_name(namespace, selector, cluster))  # a damaged one is an error
        if cluster is None:
            stored = (one for _, one in self._files.items())
            alike = [one for one in stored if (one.namespace, one.selector) == (namespace, selector)]
            return max(alike, key=lambda one: one.timestamp, default=None)
        if found is None:
            older = self._files.read(_name(namespace, selector, None))
            found = older if older and same_target((older.target, None), (target, cluster)) else None
        return found

    def prune(self, max_age_days: float, now: str) -> int:
        """Remove snapshots that are older at `now`; how many."""
        return self._files.prune(lambda one: one.timestamp, max_age_days, now)


def latest_snapshot(
    health: K8sHealthSnapshot,
    snapshot: K8sMonitorSnapshot | None,
    events: K8sEventSnapshot | None,
    run_id: str | None,
    target: str | None,
) -> LatestSnapshot:
    """What is kept of one check: the health, joined with what D32 and D34 read, where they did.

    Of each container the last lines, of all Jobs together at most MOST_LOG_LINES, the failing Jobs' before the others';
    likewise the newest MOST_EVENTS events. `errors` says what was left out.
    """
    facts = {job.job_name: job for job in snapshot.jobs} if snapshot else {}
    owners = {pod.pod_name: name for name, job in facts.items() for pod in job.pods}
    logs = _by_job(owners, snapshot.pods_logs if snapshot else [])
    jobs = [_latest_job(job, facts.get(job.job_name)) for job in health.jobs_health]
    errors = list(dict.fromkeys([*health.errors, *(events.errors if events else [])]))
    errors += _put_logs(jobs, logs)
    errors += _put_events(jobs, owners, events.events if events else [])
    return made_of(LatestSnapshot, health, run_id=run_id, target=target, jobs=jobs, errors=errors)


def _latest_job(job: K8sJobHealth, facts: K8sJobStatus | None) -> LatestJob:
    latest = made_of(LatestJob, job)
    if facts is not None:
        latest.start_time, latest.completion_time = job_times(facts)
        latest.restarts = sum(container.restart_count for pod in facts.pods for container in pod.containers)
        latest.nodes = list(dict.fromkeys(pod.node for pod in facts.pods if pod.node))
    return latest


def _by_job(owners: dict[str, str], logs: Iterable[K8sPodLog]) -> dict[str, list[K8sPodLog]]:
    found: dict[str, list[K8sPodLog]] = {}
    for log in logs:
        if log.lines and log.pod_name in owners:
            found.setdefault(owners[log.pod_name], []).append(log)
    return found


def _put_logs(jobs: list[LatestJob], logs: dict[str, list[K8sPodLog]]) -> list[str]:
    """The tails into the Jobs; what was left out, in a sentence."""
    room, without = MOST_LOG_LINES, 0
    for job in sorted(jobs, key=lambda job: -job.health.rank):
        tails = [_tail(log) for log in logs.get(job.job_name, [])]
        size = sum(len(tail.lines) for tail in tails)
        if size > room:
            without += 1
            continue
        room -= size
        job.logs = tails
    return [f"log lines of {without} Job(s) are left out: one snapshot keeps {MOST_LOG_LINES:,}"] if without else []


def _tail(log: K8sPodLog) -> PodLogTail:
    last = log.lines[-LINES_A_CONTAINER:]
    return made_of(
        PodLogTail,
        log,
        lines=[end_of(line, LONGEST_LINE) for line in last],
        truncated=log.truncated or len(log.lines) > len(last) or any(len(line) > LONGEST_LINE for line in last),
    )


def _put_events(jobs: list[LatestJob], owners: dict[str, str], events: list[K8sEvent]) -> list[str]:
    """The events of these Jobs and their pods into the Jobs; what was left out, in a sentence."""
    by_name = {job.job_name: job for job in jobs}
    belonging = [(event, job) for event in events if (job := by_name.get(_job_of(event, owners))) is not None]
    for event, job in belonging[-MOST_EVENTS:]:
        message = start_of(event.message, LONGEST_MESSAGE)
        kind, name = event.involved_kind, event.involved_name
        job.events.append(made_of(JobEvent, event, message=message, kind=kind, name=name))
    over = len(belonging) - MOST_EVENTS
    return [f"{over} older event(s) are left out: one snapshot keeps {MOST_EVENTS:,}"] if over > 0 else []


def _job_of(event: K8sEvent, owners: dict[str, str]) -> str:
    if event.involved_kind == "Job":
        return event.involved_name
    # A pod that is gone already still tells by its name: the Job's, with a suffix of the Job controller's.
    return owners.get(event.involved_name) or event.involved_name.rpartition("-")[0]


def _name(namespace: str, selector: str, cluster: str | None) -> str:
    # A selector may hold what no file name can.
    parts = [namespace, selector, *([] if cluster is None else [cluster])]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
