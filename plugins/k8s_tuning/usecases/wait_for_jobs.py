"""The wait between D31 and D32: until the applied Jobs have ended, with their progress kept meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping

from k8s_tuning import timestamps
from k8s_tuning.cluster import selectors
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.progress import follow_jobs
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import StoreError
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.monitor.wait import WaitProgress
from k8s_tuning.stages.sessions.session import SeenJob
from k8s_tuning.stages.sessions.store import SessionStore

log = logging.getLogger(__name__)


async def wait_for_jobs(
    access: ClusterAccess,
    namespace: str,
    selector: str,
    job_names: Collection[str],
    seconds: float,
    *,
    sessions: SessionStore | None = None,
    session_ids: Collection[str] = (),
    evaluator: K8sHealthEvaluator | None = None,
    now: Callable[[], str] = timestamps.now,
    warn: Callable[[str], object] = log.warning,
) -> WaitProgress:
    """Follow the selected Jobs until all of `job_names` have ended or are gone, `seconds` at most.

    `sessions`: where the progress of `session_ids` is written whenever a Job moves on, and where it is read first what
    an earlier wait saw: the cluster may have removed Jobs since. A fault of that folder ends no wait; `warn` gets it.
    """
    selects = selectors.parse(selector).matches

    def keep(jobs: Mapping[str, SeenJob]) -> None:
        if sessions is None:
            return
        try:
            for session_id in session_ids:
                sessions.seen(namespace, session_id, jobs, now(), selects)
        except StoreError as error:
            warn(f"the session's progress is not on the health page: {error}")

    def remembered() -> dict[str, str]:
        try:
            known = sessions.last_seen(namespace, job_names) if sessions is not None else {}
        except StoreError as error:
            warn(f"what was seen of the session before is not known: {error}")
            return {}
        return {name: last.phase for name, last in known.items()}

    progress = WaitProgress(job_names, await asyncio.to_thread(remembered))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)), ClusterReader(access) as reader:
            async for jobs in follow_jobs(reader, namespace, selector, evaluator, now):
                await asyncio.to_thread(keep, jobs)
                if progress.see({name: job.phase for name, job in jobs.items()}):
                    break
    return progress
