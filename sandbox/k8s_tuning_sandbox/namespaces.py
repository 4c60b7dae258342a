"""The namespace controller: empties a namespace that is being deleted, then removes it."""

from __future__ import annotations

from k8s_tuning_sandbox.resources import EVENTS, JOBS, NAMESPACES, PODS
from k8s_tuning_sandbox.simulation import Simulation
from k8s_tuning_sandbox.store import Change, Selection

_SECONDS = 0.1
_DYING = ("MODIFIED", "Terminating")


class NamespaceController:
    """Watches the store for namespaces that are Terminating."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim = simulation
        simulation.store.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        record = change.record
        if change.resource is NAMESPACES and (change.kind, record.fields.get("status.phase")) == _DYING:
            self._sim.later(_SECONDS, lambda: self._finish(record.name))

    def _finish(self, name: str) -> None:
        for resource in (JOBS, PODS, EVENTS):
            for record in self._sim.store.records(Selection(resource, name)):
                self._sim.store.remove(resource, *record.key)
        self._sim.store.remove(NAMESPACES, "", name)
