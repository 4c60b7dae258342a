"""Wait until a session's Jobs have ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from k8s_tuning import timestamps, unforeseen
from k8s_tuning.cluster.progress import follow_jobs
from k8s_tuning.cluster.reader import ClusterReader
from k8s_tuning.errors import StoreError, TuningError
from k8s_tuning.hooks.kubernetes import KubernetesAccessHook
from k8s_tuning.stages.monitor.wait import WaitProgress
from k8s_tuning.stages.sessions.store import SeenJob, SessionStore


class JobsEndedTrigger(BaseTrigger):
    """Fires once: all the named Jobs have ended (or are gone), the time is over, or the cluster refuses.

    `session_id`: selects the Jobs on the server. `deadline`: seconds since the epoch, so that a restarted triggerer
    waits no longer than the first would have. `sessions_dir`: where the session's progress is written whenever a Job
    moves on, for the health page and for a triggerer that starts anew; a write that fails ends no wait. The event:
    {"progress": {…}} as stages.wait has it, or {"error": "…"}.
    """

    def __init__(
        self,
        *,
        namespace: str,
        session_id: str,
        job_names: list[str],
        deadline: float,
        kubernetes_conn_id: str = KubernetesAccessHook.default_conn_name,
        kubeconfig: str | None = None,
        context: str | None = None,
        sessions_dir: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's BaseTrigger has no hints
        self.namespace = namespace
        self.session_id = session_id
        self.job_names = job_names
        self.deadline = deadline
        self.kubernetes_conn_id = kubernetes_conn_id
        self.kubeconfig = kubeconfig
        self.context = context
        self.sessions_dir = sessions_dir

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments; no secret is among them, only the connection's id."""
        names = ("namespace", "session_id", "job_names", "deadline", "kubernetes_conn_id", "kubeconfig", "context")
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            name: getattr(self, name) for name in (*names, "sessions_dir")
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the Jobs; one event."""
        try:
            with unforeseen.net():
                progress = await self._wait()
        except TuningError as error:
            yield TriggerEvent({"error": str(error), "retryable": error.retryable})
            return
        yield TriggerEvent({"progress": progress.as_dict()})

    async def _wait(self) -> WaitProgress:
        progress = WaitProgress(self.job_names, await asyncio.to_thread(self._remembered))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self.deadline - time.time())):
                await self._watch(progress)
        return progress

    async def _watch(self, progress: WaitProgress) -> None:
        access = await KubernetesAccessHook(self.kubernetes_conn_id, self.kubeconfig, self.context).aaccess()
        async with ClusterReader(access) as reader:
            async for jobs in follow_jobs(reader, self.namespace, f"session_id={self.session_id}"):
                await asyncio.to_thread(self._write_progress, jobs, timestamps.now())
                if progress.see({name: job.phase for name, job in jobs.items()}):
                    return

    def _remembered(self) -> dict[str, str]:
        """How Jobs ended that a triggerer before this one saw end: the cluster may have removed them since."""
        if self.sessions_dir is None:
            return {}
        try:
            known = SessionStore(self.sessions_dir).last_seen(self.namespace, self.job_names)
        except StoreError as error:
            self.log.warning("what was seen of the session before is not known: %s", error)
            return {}
        return {name: last.phase for name, last in known.items()}

    def _write_progress(self, jobs: Mapping[str, SeenJob], at: str) -> None:
        if self.sessions_dir is None:
            return
        try:
            SessionStore(self.sessions_dir).seen(self.namespace, self.session_id, jobs, at)
        except StoreError as error:
            self.log.warning("the session's progress is not on the health page: %s", error)
