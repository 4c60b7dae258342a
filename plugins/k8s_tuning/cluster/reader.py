"""The read-only face of a cluster: lists in pages, logs, metrics, a watch. Nothing here can change anything.

Objects come as the API's own JSON, so that fields this package does not know survive. A list hands every object to
`keep` as its page arrives and forgets the page: a namespace of thousands of Jobs is never in memory as a whole.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TypeVar

from k8s_tuning import timestamps
from k8s_tuning.cluster import selectors
from k8s_tuning.cluster.connection import ClusterAccess, Connection
from k8s_tuning.cluster.exchange import MOST_LIST_BYTES, ApiRequest
from k8s_tuning.cluster.faults import Call, check_namespace
from k8s_tuning.cluster.listing import ListReader, json_object
from k8s_tuning.cluster.pages import read_pages
from k8s_tuning.cluster.retries import Sleep
from k8s_tuning.errors import (
    BadAnswer,
    ClusterError,
    Expired,
    Forbidden,
    NotFound,
    Throttled,
    Unauthorized,
    Unreachable,
)
from k8s_tuning.stages.api_values import Json, mapping

logger = logging.getLogger(__name__)

WATCH_SECONDS = 60
# A connection that died without a word is noticed when even the server's own end of the watch does not come.
WATCH_GRACE = 15.0
MOST_LINE_BYTES = 16 * 1024 * 1024
PATIENCE_WITH_REFUSALS = 5
# A node that is gone answers 500 for each of its pods, for as long as it is gone.
LOG_PATIENCE = 4.0
T = TypeVar("T")


class ClusterReader(AbstractAsyncContextManager["ClusterReader"]):
    """What D32 to D35 may ask of a cluster. An async context manager; ConfigError where `access` cannot be used."""

    def __init__(self, access: ClusterAccess, sleep: Sleep = asyncio.sleep) -> None:
        self._connection = Connection(access, sleep=sleep)
        self._sleep = sleep
        self.server = self._connection.server

    async def __aexit__(self, *_: object) -> None:
        await self._connection.__aexit__()

    @property
    def server_time(self) -> str | None:
        """The API server's clock at its latest answer (the Date header), None where it has not said."""
        return self._connection.server_time

    async def jobs(self, namespace: str, selector: str, keep: Callable[[Json], T]) -> list[T]:
        """`keep` of every Job that the label selector selects ("" selects all)."""
        call = Call("list", "jobs", "batch", namespace)
        return (await read_pages(self._connection, call, keep, {"labelSelector": selector})).kept

    async def pods(self, namespace: str, selector: str, keep: Callable[[Json], T]) -> list[T]:
        """`keep` of every pod that the label selector selects."""
        call = Call("list", "pods", "", namespace)
        return (await read_pages(self._connection, call, keep, {"labelSelector": selector})).kept

    async def events(self, namespace: str, kind: str, keep: Callable[[Json], T]) -> list[T]:
        """`keep` of every event whose involved object is of `kind` (Job, Pod), as core/v1 Events."""
        call = Call("list", "events", "", namespace)
        fields = {"fieldSelector": f"involvedObject.kind={kind}"}
        return (await read_pages(self._connection, call, keep, fields)).kept

    async def missing_namespace(self, namespace: str) -> str | None:
        """The sentence for a namespace that does not exist, None where it does, or where the server does not say.

        A list of a namespace that does not exist is an empty one; and the right to read the namespace may be missing.
        """
        call = Call("get", "namespaces", "", namespace, namespace)
        try:
            await self._connection.request(ApiRequest("GET", call, retry_seconds=0), BytesIO)
        except ClusterError as error:
            # Not any 404: what stands before a server, and what is none, answers so to whatever it does not know.
            if isinstance(error, NotFound) and f'namespaces "{namespace}" not found' in str(error):
                return f"namespace {namespace} does not exist on {self.server}; correct the name, or create it"
            logger.debug("whether the namespace exists is not known: %s", error)
        return None

    async def log(
        self, namespace: str, pod: str, container: str, *, tail_lines: int, limit_bytes: int, previous: bool = False
    ) -> bytes:
        """The last `tail_lines` lines of one container, cut off after `limit_bytes` bytes.

        `previous`: of the run before its last restart. Invalid (400) where the container has not started,
        NotFound where the pod is gone.
        """
        params: dict[str, str | int] = {"container": container, "tailLines": tail_lines, "limitBytes": limit_bytes}
        if previous:
            params["previous"] = "true"
        # RBAC's name of the sub-resource, so that a 403 tells which rule is missing.
        call = Call("get", "pods/log", "", namespace, pod)
        asked = ApiRequest("GET", call, params, most_bytes=limit_bytes, cut=True, retry_seconds=LOG_PATIENCE)
        return (await self._connection.request(asked, BytesIO)).body

    async def pod_metrics(self, namespace: str, selector: str) -> list[Json] | None:
        """PodMetrics of the selected pods; None where the cluster has no metrics.k8s.io, or it is out of order."""
        call = Call("list", "pods", "metrics.k8s.io", namespace)
        params = {"labelSelector": selector}
        asked = ApiRequest("GET", call, params, most_bytes=MOST_LIST_BYTES, retry_seconds=0)
        try:
            return (await self._connection.request(asked, lambda: ListReader[Json](dict))).body.kept
        except NotFound:
            return None
        except BadAnswer as error:
            if error.status == 503:  # the aggregated API is registered, and its server is down
                return None
            raise

    async def watch_jobs(
        self,
        namespace: str,
        selector: str,
        keep: Callable[[Json], T],
        deleted: Callable[[T], object] = lambda _: None,
    ) -> AsyncIterator[Mapping[str, T]]:
        """The selected Jobs by name, first as they are and then after every change, without an end.

        `deleted` is called with each Job that is deleted, as it was last, before the Jobs without it are yielded.

        Survives what a long watch meets: 410 Gone (lists again), a restarted API server, a dropped connection, a token
        that somebody renews. What stays (401, 403, a selector the server refuses) is raised, as is a fault of the
        very first list.
        """
        version: str | None
        known, version = await self._jobs_by_name(namespace, selector, keep)
        yield known
        silence = 0
        while True:
            try:
                if version is None:
                    known, version = await self._jobs_by_name(namespace, selector, keep)
                    yield known
                async for changes in self._changes(namespace, selector, version):
                    silence = 0
                    version, changed = _follow(known, changes, keep, deleted, version)
                    if changed:
                        yield known
                await self._sleep(0.2)  # a proxy that ends every watch at once must not make this a busy loop
            except Expired:
                version = None
                # A server whose every version is too old must not be asked again at once, for as long as it is so.
                await self._sleep(min(10.0, 0.1 * 2 ** min(silence, 8)))
                silence += 1
            except (Unreachable, Throttled, BadAnswer, Forbidden, Unauthorized) as error:
                # An API server that starts refuses everybody until it has read its RBAC rules; and who renews tokens
                # may be late by some seconds.
                if isinstance(error, Forbidden | Unauthorized) and silence >= PATIENCE_WITH_REFUSALS:
                    raise
                if silence == 0:
                    logger.warning("the watch of %s was cut off and goes on by itself: %s", namespace, error)
                silence += 1
                version = None
                await self._sleep(random.uniform(0.1, min(10.0, 0.5 * 2 ** min(silence, 8))))  # noqa: S311

    async def _jobs_by_name(self, namespace: str, selector: str, keep: Callable[[Json], T]) -> tuple[dict[str, T], str]:
        listed = await read_pages(
            self._connection,
            Call("list", "jobs", "batch", namespace),
            lambda job: (str(mapping(job, "metadata").get("name")), keep(job)),
            {"labelSelector": selector},
        )
        return dict(listed.kept), listed.resource_version

    async def _changes(self, namespace: str, selector: str, version: str) -> AsyncIterator[list[Json]]:
        """A watch's events, as many at a time as one read brings; ends when the server ends the watch."""
        call = Call("watch", "jobs", "batch", namespace)
        params: dict[str, str | int] = {
            "labelSelector": selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": WATCH_SECONDS,
        }
        end = asyncio.get_running_loop().time() + WATCH_SECONDS + WATCH_GRACE
        rest, pieces, size = b"", list[bytes](), 0
        asked = ApiRequest("GET", call, params, read_seconds=WATCH_SECONDS + WATCH_GRACE)
        async with self._connection.stream(asked) as chunks:
            async for chunk in chunks:
                pieces.append(chunk)
                size += len(chunk)
                if size > MOST_LINE_BYTES:
                    raise BadAnswer(f"{self.server} sent a line without an end in answer to '{call}'")
                if b"\n" in chunk:
                    *lines, rest = b"".join([rest, *pieces]).split(b"\n")
                    pieces, size = [], len(rest)
                    if events := [_event(line, call, self.server) for line in lines if line.strip()]:
                        yield events
                if asyncio.get_running_loop().time() > end:
                    raise Unreachable(f"{self.server}: '{call}' did not end when it was to")


@dataclass(eq=False)
class ClusterTarget:
    """The Jobs that `label_selector` selects in `namespace`. InputError where one of these cannot be used.

    `access` says which cluster in full; without it `kubeconfig` and `context` do. `cluster`: its name in snapshots, and
    so in the history; without one it is host and port of its API server.
    """

    namespace: str
    label_selector: str
    kubeconfig: str | None = None
    context: str | None = None
    access: ClusterAccess | None = field(default=None, kw_only=True)
    now: Callable[[], str] = field(default=timestamps.now, kw_only=True)
    cluster: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check what names the Jobs."""
        check_namespace(self.namespace)
        selectors.parse(self.label_selector)

    def reader(self) -> ClusterReader:
        """A reader of its cluster."""
        kubeconfig = str(self.kubeconfig) if self.kubeconfig else None
        return ClusterReader(self.access or ClusterAccess(kubeconfig=kubeconfig, context=self.context))


def _event(line: bytes, call: Call, server: str) -> Json:
    event = json_object(line)
    if event is None or not isinstance(event.get("object"), dict):
        raise BadAnswer(f"{server} sent something other than watch events in answer to '{call}'")
    if event.get("type") == "ERROR":
        status = event["object"]
        if status.get("code") == 410:
            raise Expired(f"cannot {call}: {status.get('message')} (410)", 410)
        raise BadAnswer(f"cannot {call}: {status.get('message')} ({status.get('code')})")
    return event


def _follow(
    known: dict[str, T], events: list[Json], keep: Callable[[Json], T], deleted: Callable[[T], object], version: str
) -> tuple[str, bool]:
    """Apply watch events to what is known; the newest resourceVersion, and whether any Job changed."""
    changed = False
    for event in events:
        metadata = mapping(event["object"], "metadata")
        version = str(metadata.get("resourceVersion") or version)
        if event.get("type") == "BOOKMARK":
            continue
        changed = True
        if event.get("type") == "DELETED":
            known.pop(str(metadata.get("name")), None)
            deleted(keep(event["object"]))
        else:
            known[str(metadata.get("name"))] = keep(event["object"])
    return version, changed
