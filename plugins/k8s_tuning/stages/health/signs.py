"""What a Job's pods and conditions say of its health, in the order in which they explain it: the cause first."""

from __future__ import annotations

from k8s_tuning.stages.health.job_signs import job_signs
from k8s_tuning.stages.health.pod_signs import pod_signs
from k8s_tuning.stages.health.reasons import REASONS
from k8s_tuning.stages.health.sign import Sign
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus


def read_signs(job: K8sJobStatus, at: str) -> list[Sign]:
    """The signs of one Job, the cause first; `at` is the clock's time at that reading, against which ages count.

    The cause is what failed first in time: main containers before sidecars, the application's own failures before
    disruptions, what still lasts before what is past. A deadline comes before the exit codes of the pods that it
    ended; what follows from all that (the Job's condition, its phase) comes last.
    """
    # What failed on the way to a success is over.
    pods = [] if job.phase == "SUCCEEDED" else job.pods
    return sorted([*(sign for pod in pods for sign in pod_signs(pod, job, at)), *job_signs(job)], key=_order)


def _order(sign: Sign) -> tuple[bool, int, bool, bool, str, int]:
    row = REASONS[sign.reason or "job_failed"]
    rank = row.rank if sign.rank is None else sign.rank
    return sign.past, rank, sign.excused, sign.sidecar, sign.at or "", row.tie
