"""The cluster's state: objects, resourceVersions, and the log of changes. Pure; no HTTP and no clock here.

An object is kept as its JSON text. What a reader holds can so never change under it, a list is a join of texts, and
5,000 Jobs with their pods and events take tens of megabytes rather than hundreds.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice, takewhile

import orjson

from k8s_tuning.cluster.selectors import Selector
from k8s_tuning_sandbox.field_selectors import FieldSelector
from k8s_tuning_sandbox.resources import STORED, Object, Resource, selectable_fields
from k8s_tuning_sandbox.status import bad_request, expired

Key = tuple[str, str]

_LOG_LENGTH = 20_000
_SNAPSHOTS = 64
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one object: its JSON without kind and apiVersion, and what selectors ask about."""

    raw: bytes
    namespace: str
    name: str
    uid: str
    revision: int
    labels: Mapping[str, str]
    fields: Mapping[str, str]

    @property
    def key(self) -> Key:
        """Namespace and name; the order of a list."""
        return self.namespace, self.name

    def load(self) -> Object:
        """The object, without kind and apiVersion; the caller's own copy."""
        loaded: Object = orjson.loads(self.raw)
        return loaded


@dataclass(frozen=True, slots=True)
class Change:
    """ADDED, MODIFIED or DELETED, at a revision; `before` is the version that it replaced."""

    kind: str
    resource: Resource
    record: Record
    before: Record | None


@dataclass(frozen=True)
class Selection:
    """What a list or a watch asks for; an empty namespace is every one."""

    resource: Resource
    namespace: str = ""
    labels: Selector = field(default_factory=Selector)
    fields: FieldSelector = field(default_factory=FieldSelector)

    @property
    def everything(self) -> bool:
        """Whether neither selector restricts it."""
        return not self.labels.requirements and not self.fields.terms

    def matches(self, record: Record) -> bool:
        """Whether the record is selected."""
        return (
            (not self.namespace or record.namespace == self.namespace)
            and self.labels.matches(record.labels)
            and self.fields.matches(record.fields)
        )


@dataclass(frozen=True)
class Page:
    """Part of a list: the records, the revision that all pages of it share, and how to get the next."""

    records: list[Record]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


class Store:
    """The objects. Every write gets the next revision, is logged, and goes to the listeners, in order."""

    def __init__(self) -> None:
        self.revision = 1
        self.listeners: list[Callable[[Change], None]] = []
        self._objects: dict[str, dict[Key, Record]] = {resource.plural: {} for resource in STORED}
        self._owned: dict[str, dict[tuple[str, Key], None]] = {}
        self._log: deque[Change] = deque(maxlen=_LOG_LENGTH)
        self._oldest = 1
        self._snapshots: OrderedDict[tuple[int, str], list[Record]] = OrderedDict()

    def get(self, resource: Resource, namespace: str, name: str) -> Record | None:
        """The newest version of an object, None where there is none."""
        return self._objects[resource.plural].get((namespace, name))

    def put(self, resource: Resource, obj: Object) -> Record:
        """Create or replace an object; where nothing differs, the version that is there stays.

        One that is being deleted goes when it has neither time left nor a finalizer.
        """
        meta = obj["metadata"]
        key = meta.get("namespace", ""), meta["name"]
        before = self._objects[resource.plural].get(key)
        if before is not None:
            if meta.get("deletionGracePeriodSeconds") == 0 and not meta.get("finalizers"):
                return self.remove(resource, *key) or before
            old = before.load()
            version = {"resourceVersion": ""}
            if old | {"metadata": old["metadata"] | version} == obj | {"metadata": meta | version}:
                return before
            self._disown(resource, key, old, obj)
        record = self._record(resource, obj)
        self._objects[resource.plural][key] = record
        for uid in _owners(obj):
            self._owned.setdefault(uid, {})[resource.plural, key] = None
        self._notify(Change("ADDED" if before is None else "MODIFIED", resource, record, before))
        return record

    def remove(self, resource: Resource, namespace: str, name: str) -> Record | None:
        """Delete an object; its last version, None where there was none."""
        before = self._objects[resource.plural].pop((namespace, name), None)
        if before is None:
            return None
        obj = before.load()
        self._disown(resource, before.key, obj, None)
        record = self._record(resource, obj)
        self._notify(Change("DELETED", resource, record, before))
        return record

    def owned(self, uid: str, resource: Resource) -> list[Record]:
        """The objects of a resource whose ownerReferences name `uid`, oldest first."""
        return [self._objects[plural][key] for plural, key in self._owned.get(uid, ()) if plural == resource.plural]

    def records(self, selection: Selection) -> list[Record]:
        """What is selected now, in the order of a list."""
        return [record for record in self._sorted(selection.resource) if selection.matches(record)]

    def page(self, selection: Selection, limit: int, token: str = "") -> Page:
        """A list or a part of it; Refusal 410 where the list that `token` continues is no longer known."""
        plural = selection.resource.plural
        revision, start = _read_token(token) if token else (0, None)
        everything = self._snapshots.get((revision, plural)) if revision > 0 else self._sorted(selection.resource)
        if everything is None:
            raise expired(_TOO_OLD, _token(-1, start))
        if revision <= 0:
            revision = self.revision
        first = bisect_right(everything, start, key=lambda record: record.key) if start is not None else 0
        matching = (index for index in range(first, len(everything)) if selection.matches(everything[index]))
        found = [everything[index] for index in islice(matching, limit if limit > 0 else None)]
        following = next(matching, None)
        if following is None:
            return Page(found, revision)
        self._snapshots[revision, plural] = everything
        self._snapshots.move_to_end((revision, plural))
        while len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)
        remaining = None
        if selection.everything:
            remaining = sum(selection.namespace in ("", other.namespace) for other in everything[following:])
        return Page(found, revision, _token(revision, found[-1].key), remaining)

    def changes(self, since: int) -> list[Change]:
        """Every change after revision `since`; Refusal 410 where the log no longer reaches back that far."""
        if since < self._oldest:
            raise expired(f"too old resource version: {since} ({self._oldest})")
        return list(takewhile(lambda change: change.record.revision > since, reversed(self._log)))[::-1]

    def compact(self) -> None:
        """Forget the past, as etcd does every five minutes: old watches and continue tokens answer 410."""
        self._log.clear()
        self._snapshots.clear()
        self._oldest = self.revision

    def _sorted(self, resource: Resource) -> list[Record]:
        objects = self._objects[resource.plural]
        return [objects[key] for key in sorted(objects)]

    def _record(self, resource: Resource, obj: Object) -> Record:
        self.revision += 1
        meta = obj["metadata"]
        meta["resourceVersion"] = str(self.revision)
        return Record(
            orjson.dumps(obj),
            meta.get("namespace", ""),
            meta["name"],
            meta["uid"],
            self.revision,
            meta.get("labels") or {},
            selectable_fields(resource, obj),
        )

    def _disown(self, resource: Resource, key: Key, old: Object, new: Object | None) -> None:
        kept = _owners(new) if new is not None else ()
        for uid in _owners(old):
            if uid not in kept:
                self._owned[uid].pop((resource.plural, key), None)
                if not self._owned[uid]:
                    del self._owned[uid]

    def _notify(self, change: Change) -> None:
        if len(self._log) == _LOG_LENGTH:
            self._oldest = self._log[0].record.revision
        self._log.append(change)
        for listener in tuple(self.listeners):
            listener(change)


def _owners(obj: Object) -> list[str]:
    return [owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()]


def _token(revision: int, key: Key | None) -> str:
    start = "/".join(part for part in key or () if part) + "\0"
    text = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, Key]:
    try:
        data = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = data["start"].rstrip("\0").rpartition("/")
        return int(data["rv"]), (namespace, name)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
