"""The namespace controller: empties a namespace that is being deleted, then removes it."""

from __future__ import annotations

from k8s_tuning_sandbox.jobs import Later
from k8s_tuning_sandbox.resources import EVENTS, JOBS, NAMESPACES, PODS
from k8s_tuning_sandbox.store import Change, Selection, Store

_SECONDS = 0.1
_DYING = ("MODIFIED", "Terminating")


class NamespaceController:
    """Watches the store for namespaces that are Terminating; `later(seconds, call)` is how time passes."""

    def __init__(self, store: Store, later: Later) -> None:
        self._store = store
        self._later = later
        store.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        record = change.record
        if change.resource is NAMESPACES and (change.kind, record.fields.get("status.phase")) == _DYING:
            self._later(_SECONDS, lambda: self._finish(record.name))

    def _finish(self, name: str) -> None:
        for resource in (JOBS, PODS, EVENTS):
            for record in self._store.records(Selection(resource, name)):
                self._store.remove(resource, *record.key)
        self._store.remove(NAMESPACES, "", name)
