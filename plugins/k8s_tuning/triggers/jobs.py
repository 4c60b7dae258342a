"""Wait until a session's Jobs have ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from k8s_tuning import unforeseen
from k8s_tuning.errors import TuningError
from k8s_tuning.hooks.kubernetes import KubernetesAccessHook
from k8s_tuning.stages.job_identity import SESSION_LABEL
from k8s_tuning.stages.monitor.wait import WaitProgress
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.usecases.wait_for_jobs import wait_for_jobs


@dataclass(kw_only=True, eq=False, repr=False)
class JobsEndedTrigger(BaseTrigger):
    """Fires once: all the named Jobs have ended (or are gone), the time is over, or the cluster refuses.

    `session_id`: selects the Jobs on the server. `deadline`: seconds since the epoch, so that a restarted triggerer
    waits no longer than the first would have. `sessions_dir`: where the session's progress is written whenever a Job
    moves on, for the health page and for a triggerer that starts anew; a write that fails ends no wait. The event:
    {"progress": {…}} as WaitProgress has it, or {"error": "…"}.
    """

    namespace: str
    session_id: str
    job_names: list[str]
    deadline: float
    kubernetes_conn_id: str = KubernetesAccessHook.default_conn_name
    kubeconfig: str | None = None
    context: str | None = None
    sessions_dir: str | None = None

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's BaseTrigger has no hints

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments; no secret is among them, only the connection's id."""
        arguments = {field.name: getattr(self, field.name) for field in fields(self)}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

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
        hook = KubernetesAccessHook(self.kubernetes_conn_id, self.kubeconfig, self.context)
        return await wait_for_jobs(
            await asyncio.to_thread(hook.access),
            self.namespace,
            f"{SESSION_LABEL}={self.session_id}",
            self.job_names,
            self.deadline - time.time(),
            sessions=SessionStore(self.sessions_dir) if self.sessions_dir is not None else None,
            session_ids=[self.session_id],
            warn=self.log.warning,
        )
