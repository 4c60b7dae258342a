"""D34: the Kubernetes events of the selected Jobs and their pods. Read-only.

    snapshot = K8sEventCollector("trading-bots", "app=arbitrage-tuning").load_events()
    snapshot = await K8sEventCollector(namespace, selector, access=access).load()   # inside an event loop

An event does not carry its object's labels, so the server is asked which Jobs and pods the selector selects, and events
are joined to them by uid. A cluster that cannot be read is reported in `errors`, as with snapshots;
input that cannot be used raises InputError.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from k8s_tuning.cluster.connection import run
from k8s_tuning.cluster.reader import ClusterReader, ClusterTarget
from k8s_tuning.errors import ClusterError
from k8s_tuning.stages.api_values import Json, mapping
from k8s_tuning.stages.events.snapshot import KINDS, K8sEventSnapshot, Selected, belongs, select_events
from k8s_tuning.stages.monitor.pod_reading import owner_uids

# So many are kept beside those that are wanted, before they are looked through.
SPARE_EVENTS = 2_000


@dataclass(eq=False)
class K8sEventCollector(ClusterTarget):
    """Events of the selected Jobs and of their pods. `limit` keeps the N that tell most (`stages.events`)."""

    limit: int | None = None

    def __post_init__(self) -> None:
        """InputError where an argument cannot be used."""
        super().__post_init__()
        select_events([], Selected(), self.limit)

    def load_events(self, failing: Collection[str] = ()) -> K8sEventSnapshot:
        """One snapshot, for callers without an event loop (and for those inside one that may block)."""
        return run(self.load(failing))

    async def load(self, failing: Collection[str] = ()) -> K8sEventSnapshot:
        """One snapshot; `failing`: the Jobs whose events the limit keeps before others'."""
        snapshot = K8sEventSnapshot(self.namespace, self.label_selector, [], self.now())
        async with self.reader() as reader:
            snapshot.cluster = self.cluster or reader.server
            selected = await self._selected(reader, snapshot)
            answers = await asyncio.gather(
                *(self._events(reader, kind, selected, failing) for kind in KINDS), return_exceptions=True
            )
            if not any(answers) and not selected.names and not snapshot.errors:
                missing = await reader.missing_namespace(self.namespace)
                snapshot.errors += [] if missing is None else [f"events not read: {missing}"]
        events: list[Json] = []
        for answer in answers:
            if isinstance(answer, ClusterError):
                _note(snapshot, f"events not read: {answer}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                events += answer
        snapshot.events = select_events(events, selected, self.limit, failing)
        return snapshot

    async def _events(
        self, reader: ClusterReader, kind: str, selected: Selected, failing: Collection[str]
    ) -> list[Json]:
        """The raw events of one kind of object that belong; others, and those that the limit leaves out, are dropped
        as they come."""
        kept: list[Json] = []

        def keep(event: Json) -> None:
            if not belongs(event, selected):
                return
            mapping(event, "metadata").pop("managedFields", None)  # server-side apply's bookkeeping: nobody reads it
            kept.append(event)
            if self.limit is not None and len(kept) >= 2 * self.limit + SPARE_EVENTS:
                # What the limit leaves out of some it leaves out of more.
                kept[:] = [event.raw for event in select_events(kept, selected, self.limit, failing)]

        await reader.events(self.namespace, kind, keep)
        return kept

    async def _selected(self, reader: ClusterReader, snapshot: K8sEventSnapshot) -> Selected:
        names: set[tuple[str, str]] = set()
        uids: set[str] = set()

        def keep(kind: str, item: Json) -> None:
            metadata = mapping(item, "metadata")
            names.add((kind, str(metadata.get("name"))))
            uids.add(str(metadata.get("uid")))

        def keep_owned(pod: Json) -> None:
            # A pod whose template carries no labels is its Job's all the same.
            if not jobs.isdisjoint(owner_uids(pod)):
                keep("Pod", pod)

        try:
            await reader.jobs(self.namespace, self.label_selector, partial(keep, "Job"))
            jobs = frozenset(uids)
            await reader.pods(self.namespace, self.label_selector, partial(keep, "Pod"))
            await reader.pods(self.namespace, "job-name", keep_owned)
        except ClusterError as error:
            # Without them only the name prefix decides, and events may be missing.
            _note(snapshot, f"Jobs and pods not read: {error}")
        return Selected(frozenset(uids), frozenset(names))


def _note(snapshot: K8sEventSnapshot, problem: str) -> None:
    if problem not in snapshot.errors:
        snapshot.errors.append(problem)
