"""Where an alert goes: Alertmanager's routing tree (dispatch/route.go in prometheus/alertmanager). Pure.

Depth first: an alert that fits a route goes to the deepest fitting routes below it, or to itself where none fits;
after a fitting route its later siblings are tried only with `continue`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from k8s_tuning.alerts.matchers import DOMAINS, Labels, Matcher, contradiction, implies, values_of
from k8s_tuning.printable import printable
from k8s_tuning.stages.alert.incident import K8sIncident

# Each alert alone, as Alertmanager writes it.
GROUP_BY_ALL = "..."


@dataclass(frozen=True)
class Route:
    """One route, with what it inherits from those above filled in. `place`: where it stands in the file."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    continues: bool = False
    routes: tuple[Route, ...] = ()
    group_by: tuple[str, ...] = (GROUP_BY_ALL,)
    repeat_seconds: float = 7200
    mute: tuple[str, ...] = ()
    place: str = "route"
    line: int = 0

    def fits(self, labels: Labels) -> bool:
        """Whether an alert's labels fit this route's own matchers."""
        return all(matcher.matches(labels) for matcher in self.matchers)


@dataclass
class Step:
    """One route that was looked at, for a person: whether it took the alert, and why or why not."""

    place: str
    line: int
    depth: int
    receiver: str
    taken: bool
    why: str


def match(root: Route, labels: Labels) -> list[Route]:
    """The routes that take an alert, in the order of the file; at least one, for the root takes everything."""
    if not root.fits(labels):
        return []
    found: list[Route] = []
    for route in root.routes:
        deeper = match(route, labels)
        found += deeper
        if deeper and not route.continues:
            break
    return found or [root]


def explain(root: Route, labels: Labels) -> list[Step]:
    """Every route that was looked at on the way, and what decided."""
    taken = match(root, labels)
    steps: list[Step] = []

    def visit(route: Route, depth: int) -> bool:
        failed = next((matcher for matcher in route.matchers if not matcher.matches(labels)), None)
        if failed is not None:
            actual = ", ".join(repr(value) for value in values_of(labels, failed.name))
            why = f"{failed} does not fit {failed.name}={actual}"
            steps.append(Step(route.place, route.line, depth, route.receiver, False, why))
            return False
        fitting = ", ".join(map(str, route.matchers)) or "no matchers: takes everything"
        is_taken = any(route is other for other in taken)
        why = fitting if is_taken else f"{fitting}; a route below takes it"
        steps.append(Step(route.place, route.line, depth, route.receiver, is_taken, why))
        for child in route.routes:
            if visit(child, depth + 1) and not child.continues:
                break
        return True

    visit(root, 0)
    return steps


def never_matches(root: Route) -> tuple[Route, str] | None:
    """The first route that no alert can ever reach, and why; None where each can be reached."""
    return _unreachable(root, ())


def _unreachable(route: Route, above: tuple[Matcher, ...]) -> tuple[Route, str] | None:
    for position, child in enumerate(route.routes):
        matchers = (*above, *child.matchers)
        if why := contradiction(matchers):
            return child, why
        earlier = [sibling for sibling in route.routes[:position] if not sibling.continues]
        if shadows := _shadows(matchers, earlier):
            places = " and ".join(f"{sibling.place} (line {sibling.line})" for sibling in shadows)
            return child, f"{places} before it takes all that it would, without `continue`"
        if found := _unreachable(child, matchers):
            return found
    return None


def _shadows(matchers: Sequence[Matcher], earlier: Sequence[Route]) -> list[Route]:
    """The earlier routes that together leave nothing: for each severity and source, one that takes all."""
    found: dict[str, Route] = {}
    for severity, source in itertools.product(DOMAINS["severity"], DOMAINS["source"]):
        given = [*matchers, Matcher("severity", "=", severity), Matcher("source", "=", source)]
        if contradiction(given):
            continue
        taker = next((route for route in earlier if implies(given, route.matchers)), None)
        if taker is None:
            return []
        found[taker.place] = taker
    return list(found.values())


def labels_of(incident: K8sIncident, source: str) -> dict[str, str | list[str]]:
    """The labels by which an incident is routed: those of its selector, and over them its own."""
    labels: dict[str, str | list[str]] = dict(selector_labels(printable(incident.selector)))
    labels |= {
        "severity": incident.severity.value,
        "namespace": printable(incident.namespace),
        "target": incident.target or "",
        "source": source,
        "reason": sorted(incident.reasons),
    }
    return labels


def selector_labels(selector: str) -> dict[str, str]:
    """The labels that everything a label selector selects surely has: `a=b`, `a==b` and `a in (b)`."""
    labels = {}
    for part in re.split(r",(?![^(]*\))", selector):
        found = re.fullmatch(r"\s*([^\s=!,()]+)\s*(?:==?\s*([^\s=!,()]*)|\s+in\s*\(\s*([^\s,()]*)\s*\))\s*", part)
        if found:
            labels[found[1]] = found[2] if found[2] is not None else found[3]
    return labels


def group_key(route: Route, labels: Labels) -> str | None:
    """What alerts of one message have in common; None where each goes alone."""
    if GROUP_BY_ALL in route.group_by:
        return None
    return "\0".join(f"{name}={','.join(values_of(labels, name))}" for name in route.group_by)
