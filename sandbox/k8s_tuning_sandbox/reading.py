"""What readers get: objects, lists in pages, tables, watches and logs, as bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from k8s_tuning_sandbox.nodes import Nodes
from k8s_tuning_sandbox.resources import POD_METRICS, PODS, Resource
from k8s_tuning_sandbox.routing import Query, is_true, number, selection
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.status import Cause, Refusal, bad_request, invalid, not_found
from k8s_tuning_sandbox.store import Change, Record, Selection
from k8s_tuning_sandbox.tables import table
from k8s_tuning_sandbox.target import Target

_LONGEST_WATCH = 1800


class Reading:
    """Answers to get, list, watch and log, from the store."""

    def __init__(self, simulation: Simulation, nodes: Nodes) -> None:
        self._sim = simulation
        self._nodes = nodes

    def one(self, resource: Resource, record: Record, accept: str) -> bytes:
        """One object, or the table of one row that kubectl asks for."""
        if as_table(accept):
            return orjson.dumps(table(resource, [record.load()], {}, self._sim.now(), "Metadata", self._sim.dialect))
        return whole(resource, record)

    def list(self, target: Target, query: Query, accept: str) -> bytes:
        """A list or a page of it."""
        selected, limit = selection(target, query), number(query, "limit") or 0
        if target.resource is POD_METRICS:
            kind = {"kind": "PodMetricsList", "apiVersion": POD_METRICS.api_version, "metadata": {}}
            return orjson.dumps({**kind, "items": self._nodes.metrics(replace(selected, resource=PODS))})
        version = self._version(query.get("resourceVersion", ""))
        if version > self._sim.store.revision:
            text = "Too large resource version"
            details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": text}], "retryAfterSeconds": 1}
            message = f"Timeout: {text}: {version}, current: {self._sim.store.revision}"
            raise Refusal(504, "Timeout", message, details)
        page = self._sim.store.page(selected, limit, query.get("continue", ""))
        metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
        if page.continue_token:
            metadata["continue"] = page.continue_token
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
        resource = target.resource
        if as_table(accept):
            rows = (record.load() for record in page.records)
            include = query.get("includeObject", "Metadata")
            return orjson.dumps(table(resource, rows, metadata, self._sim.now(), include, self._sim.dialect))
        head = f'{{"kind":"{resource.kind}List","apiVersion":"{resource.api_version}","metadata":'.encode()
        items = b",".join(record.raw for record in page.records)
        return head + orjson.dumps(metadata) + b',"items":[' + items + b"]}\n"

    def pod_metrics(self, target: Target) -> bytes:
        """One pod's usage; Refusal 404 where it does not run."""
        for found in self._nodes.metrics(Selection(PODS, target.namespace)):
            if found["metadata"]["name"] == target.name:
                return orjson.dumps({"kind": "PodMetrics", "apiVersion": POD_METRICS.api_version, **found})
        raise not_found(POD_METRICS, target.name)

    def watch(self, target: Target, query: Query, accept: str) -> AsyncIterator[bytes]:
        """Changes as lines of JSON, until timeoutSeconds are over; a version that is too old is an ERROR line.

        What the query says wrongly is refused before the stream starts, as a server does.
        """
        selected, since = selection(target, query), self._version(query.get("resourceVersion", ""))
        seconds = number(query, "timeoutSeconds") or _LONGEST_WATCH
        bookmarks = is_true(query.get("allowWatchBookmarks", ""))
        return self._changes(target, selected, since, seconds, tables=as_table(accept), bookmarks=bookmarks)

    async def _changes(
        self, target: Target, selected: Selection, since: int, seconds: int, *, tables: bool, bookmarks: bool
    ) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[Change] = asyncio.Queue()

        def keep(change: Change) -> None:
            if change.resource is target.resource:
                queue.put_nowait(change)

        self._sim.store.listeners.append(keep)
        try:
            if since == 0:
                past = [Change("ADDED", target.resource, record, None) for record in self._sim.store.records(selected)]
            else:
                past = [change for change in self._sim.store.changes(since) if change.resource is target.resource]
            for change in past:
                if (line := self._line(change, selected, tables=tables)) is not None:
                    yield line
            end = asyncio.get_running_loop().time() + seconds
            while (left := end - asyncio.get_running_loop().time()) > 0:
                with contextlib.suppress(TimeoutError):
                    change = await asyncio.wait_for(queue.get(), left)
                    if (line := self._line(change, selected, tables=tables)) is not None:
                        yield line
            if bookmarks and not tables:
                yield self._bookmark(target.resource)
        except Refusal as refusal:
            yield orjson.dumps({"type": "ERROR", "object": refusal.body()}) + b"\n"
        finally:
            self._sim.store.listeners.remove(keep)

    def _line(self, change: Change, selected: Selection, *, tables: bool) -> bytes | None:
        now = change.kind != "DELETED" and selected.matches(change.record)
        before = change.before is not None and selected.matches(change.before)
        if not now and not before:
            return None
        kind = "DELETED" if not now else "MODIFIED" if before else "ADDED"
        if tables:
            rows = table(change.resource, [change.record.load()], {}, self._sim.now(), "Metadata", self._sim.dialect)
            return orjson.dumps({"type": kind, "object": rows}) + b"\n"
        return f'{{"type":"{kind}","object":'.encode() + whole(change.resource, change.record).strip() + b"}\n"

    def _bookmark(self, resource: Resource) -> bytes:
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        marked = {**head, "metadata": {"resourceVersion": str(self._sim.store.revision), "creationTimestamp": None}}
        return orjson.dumps({"type": "BOOKMARK", "object": marked}) + b"\n"

    async def log(self, record: Record, query: Query) -> AsyncIterator[bytes]:
        """A pod's log, by its options; with `follow` until the pod has ended."""
        tail, limit = number(query, "tailLines"), number(query, "limitBytes")
        following = is_true(query.get("follow", ""))
        sent = 0
        lines = self._nodes.log(record.uid)
        start = max(len(lines) - tail, 0) if tail is not None else 0
        while True:
            for line in lines[start:]:
                data = f"{line}\n".encode()
                yield data if limit is None else data[: limit - sent]
                sent += len(data)
                if limit is not None and sent >= limit:
                    return
            start = len(lines)
            live = self._sim.store.get(PODS, *record.key)
            ended = live is None or live.uid != record.uid or live.fields.get("status.phase") in ("Succeeded", "Failed")
            lines = self._nodes.log(record.uid)
            if not following or (ended and len(lines) == start):
                return
            if len(lines) == start:
                await asyncio.sleep(0.05)

    def _version(self, text: str) -> int:
        try:
            return int(text or "0")
        except ValueError:
            why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
            code, reason = (400, "BadRequest") if self._sim.dialect.since(26) else (500, "")
            raise Refusal(code, reason, why) from None


def check_log(record: Record, query: Query) -> bool:
    """Whether there is a log to read (a pod without a node has none); Refusal 400 or 422 for wrong options."""
    causes = []
    for option, least, text in (
        ("sinceSeconds", 1, "greater than 0"),
        ("tailLines", 0, "greater than or equal to 0"),
        ("limitBytes", 1, "greater than 0"),
    ):
        value = number(query, option)
        if value is not None and value < least:
            causes.append(Cause(option, "FieldValueInvalid", f"Invalid value: {value}: must be {text}"))
    if causes:
        raise invalid("PodLogOptions", "", record.name, causes)
    spec = record.load()["spec"]
    names = [container["name"] for container in spec["containers"]]
    wanted = query.get("container", "")
    if not wanted and len(names) > 1:
        listed = " ".join(names)
        raise bad_request(f"a container name must be specified for pod {record.name}, choose one of: [{listed}]")
    if wanted and wanted not in (*names, *(container["name"] for container in spec.get("initContainers", ()))):
        raise bad_request(f"container {wanted} is not valid for pod {record.name}")
    return bool(record.fields.get("spec.nodeName"))


def whole(resource: Resource, record: Record) -> bytes:
    """One object's JSON, with its kind and apiVersion."""
    return b"{" + resource.head + record.raw[1:] + b"\n"


def as_table(accept: str) -> bool:
    """Whether the client wants rows for a terminal."""
    return any("as=Table" in part and "g=meta.k8s.io" in part for part in accept.split(","))


def as_object(obj: Mapping[str, Any], resource: Resource) -> bytes:
    """An object that is not stored (a dry run's), as JSON."""
    head = {} if "kind" in obj else {"kind": resource.kind, "apiVersion": resource.api_version}
    return orjson.dumps({**head, **obj}) + b"\n"
