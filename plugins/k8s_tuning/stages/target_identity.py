"""Which target a record is of: its cluster, namespace and selector; its name where a record says no cluster. Pure.

Records of versions that knew no cluster have none, and keep their target: the first that names a cluster, and
contradicts no name of theirs, goes on with it. Two clusters are never one target, whatever else they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar


@dataclass
class TargetIdentity:
    """One target. `cluster`: None while no record has named one. `names`: every name that its records have, the newest
    last. `is_older`: it holds records that name no cluster.
    """

    namespace: str
    selector: str
    cluster: str | None = field(default=None, kw_only=True)
    names: list[str] = field(default_factory=list, kw_only=True)
    is_older: bool = field(default=False, kw_only=True)

    @property
    def name(self) -> str | None:
        """Its newest name."""
        return self.names[-1] if self.names else None

    def has(self, name: str | None, cluster: str | None) -> bool:
        """Whether a record that says this says nothing new."""
        return name == self.name and cluster == self.cluster and (cluster is not None or self.is_older)

    def add(self, name: str | None, cluster: str | None) -> None:
        """Take in what one record says of its name and cluster."""
        self.cluster = cluster if self.cluster is None else self.cluster
        self.is_older = self.is_older or cluster is None
        if name is not None and name != self.name:
            self.names = [*(one for one in self.names if one != name), name]


T = TypeVar("T", bound=TargetIdentity)


class TargetIndex(Generic[T]):
    """Every target of a history, found by what a record says. `make`: a new one from namespace and selector."""

    def __init__(self, make: Callable[[str, str], T], known: Iterable[T] = ()) -> None:
        self._make = make
        self._found: dict[tuple[str, str, str | None, str | None], T] = {}
        self._alike: dict[tuple[str, str], list[T]] = {}
        for one in known:
            self._alike.setdefault((one.namespace, one.selector), []).append(one)

    def __iter__(self) -> Iterator[T]:
        return (one for alike in self._alike.values() for one in alike)

    def of(self, namespace: str, selector: str, name: str | None, cluster: str | None) -> T:
        """The target of one record, made where there is none yet. Records come in the order of the file."""
        key = namespace, selector, name, cluster
        found = self._found.get(key)
        if found is None:
            found = self.find(*key)
            if found is None:
                found = self._make(namespace, selector)
                self._alike.setdefault(key[:2], []).append(found)
            self._found[key] = found
        if not found.has(name, cluster):
            found.add(name, cluster)
        return found

    def find_settled(self, namespace: str, selector: str, name: str | None, cluster: str | None) -> T | None:
        """The target of such records, where it is known and they say nothing new of it; else None."""
        found = self.find(namespace, selector, name, cluster)
        return found if found is not None and found.has(name, cluster) else None

    def find(self, namespace: str, selector: str, name: str | None = None, cluster: str | None = None) -> T | None:
        """The target that a record which says this is of; None where there is none."""
        alike = self._alike.get((namespace, selector), [])
        if cluster is None:
            named = [one for one in alike if name is not None and name in one.names]
            older = [one for one in alike if one.is_older]
            return next(iter([*named, *older, *(one for one in alike if fits(name, one.names))]), None)
        for one in alike:
            if one.cluster == cluster:
                return one
        return next((one for one in alike if one.cluster is None and fits(name, one.names)), None)

    def alike(self, namespace: str, selector: str) -> list[T]:
        """Every target with this namespace and selector."""
        return list(self._alike.get((namespace, selector), []))


def fits(name: str | None, names: Iterable[str]) -> bool:
    """Whether a name contradicts none of these: it is one of them, or there is none on one side."""
    known = list(names)
    return name is None or not known or name in known


def same_target(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> bool:
    """Whether two (name, cluster) of one namespace and selector are one target's."""
    (name, cluster), (other_name, other_cluster) = one, other
    if cluster is not None and other_cluster is not None:
        return cluster == other_cluster
    return cluster == other_cluster or fits(name, [other_name] if other_name is not None else [])
