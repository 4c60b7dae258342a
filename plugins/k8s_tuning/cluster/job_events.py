"""D32's events: of the Jobs that do not run as they should, of their waiting pods, and of those pods' claims."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import BadAnswer, ClusterError, NotFound
from k8s_tuning.stages.api_values import Json
from k8s_tuning.stages.events.snapshot import involved, oldest_first, read_event
from k8s_tuning.stages.health.event_signs import CLAIM, JOB, POD, wants_events
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot, K8sPodStatus

logger = logging.getLogger(__name__)

MOST_EVENTS_READ = 10_000
# A Job's share of what a snapshot may hold.
MOST_EVENTS_KEPT, MOST_OF_A_JOB, LEAST_OF_A_JOB = 5_000, 100, 10
LONGEST_MESSAGE = 1_000


async def load_events(reader: ClusterReader, snapshot: K8sMonitorSnapshot, pods: Mapping[str, K8sPodStatus]) -> None:
    """Events into the Jobs of the snapshot that want them; `pods` by uid. The cluster is not asked where none does.

    What cannot be read is in the snapshot's `errors`.
    """
    unwell = [job for job in snapshot.jobs if wants_events(job)]
    if not unwell:
        return
    about = _objects(unwell, pods)
    found: dict[str, list[Json]] = defaultdict(list)
    read = 0

    def keep(event: Json) -> None:
        nonlocal read
        read += 1
        if read > MOST_EVENTS_READ:
            raise BadAnswer(
                f"namespace {snapshot.namespace} has more than {MOST_EVENTS_READ:,}; the others are left out"
            )
        of = involved(event)
        kind, name, uid = (str(of.get(key) or "") for key in ("kind", "name", "uid"))
        # Where there is a uid it decides: an object of the same name may have been there before.
        for job in about.get((kind, uid) if uid and kind != CLAIM else (kind, name), ()):
            found[job].append(event)

    kinds = sorted({kind for kind, _ in about})
    answers = await asyncio.gather(
        *(reader.events(snapshot.namespace, kind, keep) for kind in kinds), return_exceptions=True
    )
    problems = []
    for answer in answers:
        if isinstance(answer, NotFound):
            logger.info("this server keeps no events: %s", answer)
        elif isinstance(answer, ClusterError):
            problems.append(f"events not read: {answer}")
        elif isinstance(answer, BaseException):
            raise answer
    snapshot.errors += dict.fromkeys(problems)
    share = max(LEAST_OF_A_JOB, min(MOST_OF_A_JOB, MOST_EVENTS_KEPT // len(unwell)))
    for job in unwell:
        newest = oldest_first(found[job.job_name])[-share:]
        job.events = [
            replace(event, message=event.message[:LONGEST_MESSAGE], raw={}) for event in map(read_event, newest)
        ]


def _objects(jobs: list[K8sJobStatus], pods: Mapping[str, K8sPodStatus]) -> dict[tuple[str, str], set[str]]:
    """What may have events, as (kind, uid) and (kind, name), and the Jobs that these are of."""
    uids = {pod.pod_name: uid for uid, pod in pods.items()}
    about: dict[tuple[str, str], set[str]] = defaultdict(set)
    for job in jobs:
        for key in filter(None, (job.uid, job.job_name)):
            about[JOB, key].add(job.job_name)
        for pod in job.pods:
            if pod.phase != "Pending":
                continue
            for key in filter(None, (uids.get(pod.pod_name), pod.pod_name)):
                about[POD, key].add(job.job_name)
            for claim in pod.claims if pod.node is None else ():
                about[CLAIM, claim].add(job.job_name)
    return about
