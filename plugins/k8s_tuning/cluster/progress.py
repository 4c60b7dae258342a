"""How the Jobs of a session move on, with the reasons of those that fail, read while they can be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from k8s_tuning import timestamps
from k8s_tuning.cluster.job_events import load_events
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import ClusterError
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.pod_reading import owner_uids, pod_status
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot
from k8s_tuning.stages.sessions.session import SeenJob, seen_job

logger = logging.getLogger(__name__)

ASKED_AT_ONCE = 8


async def follow_jobs(
    reader: ClusterReader,
    namespace: str,
    selector: str,
    evaluator: K8sHealthEvaluator | None = None,
    now: Callable[[], str] = timestamps.now,
) -> AsyncIterator[dict[str, SeenJob]]:
    """The selected Jobs by name, first as they are and then whenever one moves on, without an end.

    A Job that is deleted is there once more, as it was in the end, and then no more: with a short TTL nothing else says
    how it ended. The pods of a Job that fails are read at once, for its TTL takes them too.
    """
    judge = evaluator or K8sHealthEvaluator()
    deleted: list[K8sJobStatus] = []
    judged: dict[str, SeenJob] = {}
    yielded: dict[str, SeenJob] | None = None
    limit = asyncio.Semaphore(ASKED_AT_ONCE)

    async def ask_why(job: K8sJobStatus) -> None:
        """A Job that failed, with why. What cannot be read of it leaves the Job's own condition to tell."""
        async with limit:
            snapshot = K8sMonitorSnapshot(namespace, selector, [job], [], now(), jobs_listed=True)
            try:
                pods = await reader.pods(
                    namespace, f"job-name={job.job_name}", lambda pod: (owner_uids(pod), pod_status(pod))
                )
                job.pods = [pod for owners, pod in pods if job.uid in owners]
                snapshot.server_time = reader.server_time
                await load_events(reader, snapshot, {})
            except ClusterError as error:
                logger.warning("why Job %s failed is not known in full: %s", job.job_name, error)
            judged[job.uid] = seen_job(job, judge.evaluate(snapshot).jobs_health[0])

    async for jobs in reader.watch_jobs(namespace, selector, job_status, deleted.append):
        gone, deleted[:] = list(deleted), []
        failed = {job.uid: job for job in (*gone, *jobs.values()) if job.phase == "FAILED" and job.uid not in judged}
        await asyncio.gather(*(ask_why(job) for job in failed.values()))
        known = {name: judged.get(job.uid) or seen_job(job) for name, job in jobs.items()}
        if gone:
            yield {job.job_name: judged.get(job.uid) or seen_job(job) for job in gone} | known
        if gone or known != yielded:
            yielded = known
            yield known
