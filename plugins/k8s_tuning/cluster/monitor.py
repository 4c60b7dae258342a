"""D32: one snapshot of the selected Jobs, their pods, logs and usage. Read-only.

    snapshot = K8sJobMonitor("trading-bots", "app=arbitrage-tuning").load_snapshot()
    snapshot = await K8sJobMonitor(namespace, selector, access=access).load()       # inside an event loop

A cluster that cannot be read has a snapshot whose `errors` say so: never an exception, never an empty one without
errors. Input that cannot be used (a selector, a namespace, a kubeconfig) raises InputError.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from k8s_tuning.cluster.connection import run
from k8s_tuning.cluster.job_events import load_events
from k8s_tuning.cluster.reader import ClusterReader, ClusterTarget
from k8s_tuning.errors import (
    ClusterError,
    Forbidden,
    InputError,
    Invalid,
    NotFound,
    TuningError,
    Unauthorized,
    Unreachable,
)
from k8s_tuning.stages.api_values import Json, mapping, text
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.pod_reading import (
    LogWanted,
    log_lines,
    logs_wanted,
    owner_uids,
    pod_status,
    usage_by_pod,
)
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot, K8sPodLog, K8sPodStatus

logger = logging.getLogger(__name__)

LOGS_AT_ONCE = 32
# A log's share of what a snapshot may hold: plenty for a few, still something for each of thousands.
LOG_BYTES, LEAST_LOG_BYTES, ALL_LOGS_BYTES = 64 * 1024, 2 * 1024, 64 * 1024 * 1024
# The runtimes cut a line off after 16 KiB; what follows is a line of its own.
LONGEST_LINE_BYTES = 32 * 1024
_CONTINUATION = bytes(range(0x80, 0xC0))
ERRORS_SHOWN = 5
# Every pod of a Job has it, on every Kubernetes version, also where the pod template has no labels of its own.
ANY_JOBS_POD = "job-name"


@dataclass(frozen=True)
class _Pod:
    uid: str
    status: K8sPodStatus
    owners: set[str]
    logs: list[LogWanted]


@dataclass(eq=False)
class K8sJobMonitor(ClusterTarget):
    """Snapshots of the selected Jobs. `max_log_lines`: the last lines of every container, 0 for no logs at all."""

    max_log_lines: int = 100

    def __post_init__(self) -> None:
        """InputError where an argument cannot be used."""
        super().__post_init__()
        if self.max_log_lines < 0:
            raise InputError(f"max_log_lines is {self.max_log_lines}; give 0 (no logs) or more")

    def load_snapshot(self) -> K8sMonitorSnapshot:
        """One snapshot, for callers without an event loop (and for those inside one that may block)."""
        return run(self.load())

    def watch(self, interval: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[K8sMonitorSnapshot]:
        """A snapshot every `interval` seconds, without an end; while the API server is away its `errors` say so."""
        if not interval > 0:
            raise InputError(f"the interval is {interval}; give a number of seconds above 0")
        while True:
            yield self.load_snapshot()
            sleep(interval)

    async def load(self) -> K8sMonitorSnapshot:
        """One snapshot."""
        snapshot = K8sMonitorSnapshot(self.namespace, self.label_selector, [], [], self.now())
        async with self.reader() as reader:
            snapshot.cluster = self.cluster or reader.server
            pods = await self._load_jobs(reader, snapshot)
            snapshot.server_time = reader.server_time
            await asyncio.gather(
                self._load_logs(reader, pods, snapshot),
                self._load_usage(reader, pods),
                load_events(reader, snapshot, {pod.uid: pod.status for pod in pods}),
            )
        return snapshot

    async def _load_jobs(self, reader: ClusterReader, snapshot: K8sMonitorSnapshot) -> list[_Pod]:
        """Jobs and their pods into the snapshot; the pods, for what else is asked of them."""
        jobs, labelled = await asyncio.gather(
            reader.jobs(self.namespace, self.label_selector, job_status),
            reader.pods(self.namespace, self.label_selector, _pod),
            return_exceptions=True,
        )
        if isinstance(jobs, ClusterError):
            snapshot.errors.append(f"Jobs not read: {jobs}")
            return []
        if isinstance(jobs, BaseException):
            raise jobs
        if not jobs and (missing := await reader.missing_namespace(self.namespace)) is not None:
            snapshot.errors.append(f"Jobs not read: {missing}")
            return []
        snapshot.jobs, snapshot.jobs_listed = jobs, True
        by_uid = {job.uid: job for job in jobs if job.uid}
        owned: dict[str, _Pod] = {}
        try:
            if isinstance(labelled, BaseException):
                raise labelled
            _take(labelled, by_uid, owned)
            seen = set().union(*(pod.owners for pod in owned.values()))
            if any((job.active or job.failed or job.succeeded) and job.uid not in seen for job in jobs):
                _take(await reader.pods(self.namespace, ANY_JOBS_POD, _pod), by_uid, owned)
        except ClusterError as error:
            snapshot.errors.append(f"pods not read: {error}")
        pods = sorted(owned.values(), key=lambda pod: (pod.status.created_at or "", pod.status.pod_name))
        for pod in pods:
            for uid in pod.owners & by_uid.keys():
                by_uid[uid].pods.append(pod.status)
        return pods

    async def _load_logs(self, reader: ClusterReader, pods: list[_Pod], snapshot: K8sMonitorSnapshot) -> None:
        wanted = [log for pod in pods for log in pod.logs] if self.max_log_lines else []
        limit_bytes = max(LEAST_LOG_BYTES, min(LOG_BYTES, ALL_LOGS_BYTES // max(1, len(wanted))))
        logs: list[K8sPodLog | None] = [None] * len(wanted)
        errors: list[str] = []
        queue = iter(enumerate(wanted))

        async def work() -> None:
            for place, log in queue:
                try:
                    logs[place] = await self._log(reader, log, limit_bytes)
                except (NotFound, Invalid) as error:
                    # The pod went, or its container has not started yet: there is no log, and nothing failed.
                    logger.debug("no log: %s", error)
                except (Forbidden, Unauthorized, Unreachable) as error:
                    # The next log would meet the same.
                    left = sum(1 for _ in queue)
                    errors.append(f"logs not read: {error}{f' ({left} more not tried)' if left else ''}")
                except TuningError as error:  # InputError: a name that no pod can have
                    errors.append(f"log of pod {log.pod_name}, container {log.container_name}, not read: {error}")

        await asyncio.gather(*(work() for _ in range(min(LOGS_AT_ONCE, len(wanted)))))
        snapshot.pods_logs = [log for log in logs if log is not None]
        distinct = list(dict.fromkeys(errors))
        snapshot.errors += distinct[:ERRORS_SHOWN]
        if len(distinct) > ERRORS_SHOWN:
            snapshot.errors.append(f"{len(distinct) - ERRORS_SHOWN} more logs not read, for reasons like these")

    async def _log(self, reader: ClusterReader, wanted: LogWanted, limit_bytes: int) -> K8sPodLog:
        """The last lines of one container, within the limit of bytes.

        The kubelet takes the last lines first and cuts off behind `limit_bytes`: with long lines that loses the end,
        the part that matters most. Then fewer lines are asked for; of a single one that is still too long (a progress
        bar is one line) so much that the end is there, and only that is kept.
        """
        lines = self.max_log_lines
        while True:
            most = limit_bytes if lines > 1 else max(limit_bytes, LONGEST_LINE_BYTES)
            body = await reader.log(
                self.namespace,
                wanted.pod_name,
                wanted.container_name,
                tail_lines=lines,
                limit_bytes=most,
                previous=wanted.previous,
            )
            full = len(body) >= most
            if not full or lines == 1:
                break
            lines = max(1, lines // 8)
        # A letter that the cut went through is not half a letter.
        kept = body[-limit_bytes:].lstrip(_CONTINUATION) if len(body) > limit_bytes else body
        return K8sPodLog(
            pod_name=wanted.pod_name,
            namespace=self.namespace,
            container_name=wanted.container_name,
            lines=log_lines(kept, self.max_log_lines),
            previous=wanted.previous,
            truncated=full or len(kept) < len(body) or lines < self.max_log_lines,
        )

    async def _load_usage(self, reader: ClusterReader, pods: list[_Pod]) -> None:
        """CPU and memory of the pods that run, where the cluster measures them; else they stay absent."""
        running = {pod.status.pod_name: pod.status for pod in pods if pod.status.phase == "Running"}
        if not running:
            return
        try:
            metrics = await reader.pod_metrics(self.namespace, ANY_JOBS_POD)
        except ClusterError as error:
            logger.info("CPU and memory are not shown: %s", error)
            return
        for name, (cpu, memory) in usage_by_pod(metrics or []).items():
            if name in running:
                running[name].cpu_millicores, running[name].memory_bytes = cpu, memory


def _pod(pod: Json) -> _Pod:
    return _Pod(text(mapping(pod, "metadata"), "uid") or "", pod_status(pod), owner_uids(pod), logs_wanted(pod))


def _take(pods: list[_Pod], jobs: Mapping[str, K8sJobStatus], owned: dict[str, _Pod]) -> None:
    """Those of the pods that belong to one of the Jobs (by uid) into `owned`, by name."""
    owned.update((pod.status.pod_name, pod) for pod in pods if not pod.owners.isdisjoint(jobs))
