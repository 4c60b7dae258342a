"""What a request is about, and the object that it is about."""

from __future__ import annotations

from dataclasses import dataclass, field

from k8s_tuning_sandbox.resources import Resource
from k8s_tuning_sandbox.status import not_found
from k8s_tuning_sandbox.store import Record, Store


@dataclass(frozen=True)
class Target:
    """What a request is about, what it does, and how it is written.

    An empty name is the whole collection, an empty namespace every one (or none). `validation`: what happens to fields
    that there are not: Strict refuses, Warn warns, Ignore drops them in silence. `warnings` are collected on the way.
    """

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    verb: str = ""
    manager: str = ""
    dry_run: bool = False
    validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)


def live(store: Store, target: Target) -> Record:
    """The object's newest version; Refusal 404."""
    record = store.get(target.resource, target.namespace, target.name)
    if record is None:
        raise not_found(target.resource, target.name)
    return record
