"""D34 events: which of a namespace's Kubernetes events belong to the selection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.choices import fill
from k8s_tuning.errors import InputError
from k8s_tuning.printable import one_line
from k8s_tuning.stages.api_values import Json, count, mapping, text
from k8s_tuning.stages.job_identity import NAME_PREFIX

KINDS = ("Job", "Pod")
_EPOCH = datetime.fromtimestamp(0, UTC)
_WIDEST_MESSAGE = 300


@dataclass
class K8sEvent:
    """One core/v1 Event. `raw`: the object as the API gave it."""

    type: str
    reason: str
    message: str
    involved_kind: str
    involved_name: str
    involved_namespace: str
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: int = 1
    raw: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take None for what is not known of an event."""
        fill(self, type="", reason="", message="", involved_kind="", involved_name="", involved_namespace="")
        fill(self, count=1, raw={})


@dataclass
class K8sEventSnapshot:
    """The selection's events, oldest first. `errors` is not empty where they could not be read in full.

    `cluster`: as in K8sMonitorSnapshot.
    """

    namespace: str
    selector: str
    events: list[K8sEvent]
    timestamp: str
    errors: list[str] = field(default_factory=list)
    cluster: str | None = None


@dataclass(frozen=True)
class Selected:
    """The Jobs and pods that the label selector selects: their uids, and their (kind, name)."""

    uids: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = frozenset()


def belongs(event: Json, selected: Selected) -> bool:
    """Whether an event's object is one of this system's: a Job or pod with the name prefix, or a selected one.

    An event knows its object by kind, name and mostly uid, never by labels. Where it has a uid that decides: an object
    of the same name that was deleted and made anew is another one. Kind and name are for events without a uid.
    """
    about = involved(event)
    kind, name, uid = (text(about, key) for key in ("kind", "name", "uid"))
    if kind is None or kind not in KINDS or name is None:
        return False
    if name.startswith(NAME_PREFIX):
        return True
    return uid in selected.uids if uid else (kind, name) in selected.names


def select_events(
    raw_events: Iterable[Json], selected: Selected, limit: int | None = None, failing: Collection[str] = ()
) -> list[K8sEvent]:
    """The events that belong to the selection, oldest first by when they were last seen.

    `limit` keeps the N that tell most (`most_telling`); `failing`: the Jobs whose events go before the others'. Both
    core/v1 events and those of events.k8s.io, which leave the core timestamps null. InputError where `limit` is
    negative.
    """
    if limit is not None and limit < 0:
        raise InputError(f"the limit of events is {limit}; give 0 or more")
    found = oldest_first(event for event in raw_events if belongs(event, selected))
    events = [read_event(event) for event in found]
    if limit is None or len(events) <= limit:
        return events
    kept = {id(event) for event in most_telling(events, failing)[:limit]}
    return [event for event in events if id(event) in kept]


def most_telling(events: Sequence[K8sEvent], failing: Collection[str] = ()) -> list[K8sEvent]:
    """The events (oldest first) by how much they tell of what is wrong.

    Those of the failing Jobs before others, warnings before Normal ones, of each reason the newest before its older
    ones, and then the newer before the older.
    """
    seen: set[tuple[bool, bool, str]] = set()
    ranked = []
    for event in reversed(events):
        place = (not is_of(event, failing), event.type != "Warning")
        ranked.append(((*place, (*place, event.reason) in seen), event))
        seen.add((*place, event.reason))
    return [event for _, event in sorted(ranked, key=lambda one: one[0])]


def is_of(event: K8sEvent, jobs: Collection[str]) -> bool:
    """Whether an event is of one of these Jobs, or of a pod that bears one's name: JOB-xxxxx, or JOB-INDEX-xxxxx."""
    if event.involved_kind == "Job":
        return event.involved_name in jobs
    owner = event.involved_name.rpartition("-")[0]
    name, _, index = owner.rpartition("-")
    return owner in jobs or (index.isdecimal() and name in jobs)


def oldest_first(raw_events: Iterable[Json]) -> list[Json]:
    """Events as the API gives them, by when they were last seen."""
    return sorted(raw_events, key=_age_order)


def read_event(event: Json) -> K8sEvent:
    """One event as the API gives it. A timestamp that it lacks is None."""
    about = involved(event)
    return K8sEvent(
        type=text(event, "type") or "",
        reason=text(event, "reason") or "",
        message=text(event, "message") or text(event, "note") or "",
        involved_kind=text(about, "kind") or "",
        involved_name=text(about, "name") or "",
        involved_namespace=text(about, "namespace") or text(mapping(event, "metadata"), "namespace") or "",
        first_timestamp=_timestamp(_first(event)),
        last_timestamp=_timestamp(_last(event)),
        count=_count(event),
        raw=event,
    )


def generate_events_report_text(snapshot: K8sEventSnapshot) -> str:
    """The snapshot for a person: errors on top, then an event a line, oldest first."""
    warnings = sum(event.type == "Warning" for event in snapshot.events)
    lines = [
        "=== Kubernetes events ===",
        f"Namespace:  {snapshot.namespace}",
        f"Selector:   {snapshot.selector or '(every Job)'}",
        f"Read at:    {snapshot.timestamp}",
        f"Events:     {len(snapshot.events)} ({warnings} Warning)",
    ]
    if snapshot.errors:
        lines += ["", f"ERRORS: {len(snapshot.errors)}; these events are NOT all"]
        lines += [f"  ! {one_line(error, 1000)}" for error in snapshot.errors]
    if snapshot.events:
        lines.append("")
        lines += [_line(event) for event in snapshot.events]
    elif not snapshot.errors:
        lines += ["", "No events of the selected Jobs and their pods (a cluster keeps them for about an hour)."]
    return "\n".join(lines) + "\n"


def _line(event: K8sEvent) -> str:
    times = f" (x{event.count})" if event.count > 1 else ""
    seen = event.last_timestamp or "-"
    about = f"{event.involved_kind} {event.involved_name}"
    return f"{seen:<20}  {event.type:<7}  {event.reason}{times}  {about}: {one_line(event.message, _WIDEST_MESSAGE)}"


def _age_order(event: Json) -> tuple[datetime, int]:
    """By the second in which an event was last seen; within it by the order in which the server stored them.

    Some events are dated to the microsecond and others to the second: finer than that they cannot be compared.
    """
    version = mapping(event, "metadata").get("resourceVersion")
    digits = isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 20
    stored = int(version) if isinstance(version, str) and digits else 0
    return (_last(event) or _EPOCH).replace(microsecond=0), stored


def _last(event: Json) -> datetime | None:
    seen = _times(event, "lastTimestamp", "deprecatedLastTimestamp", "eventTime")
    seen += _times(mapping(event, "series"), "lastObservedTime")
    return max(seen, default=None) or _first(event)


def _first(event: Json) -> datetime | None:
    seen = _times(event, "firstTimestamp", "deprecatedFirstTimestamp", "eventTime")
    return min(seen or _times(mapping(event, "metadata"), "creationTimestamp"), default=None)


def _times(source: Json, *keys: str) -> list[datetime]:
    found = []
    for key in keys:
        value = source.get(key)
        try:
            if isinstance(value, str):
                found.append(timestamps.to_datetime(value))
        except InputError:
            continue  # an odd timestamp is an absent one
    return found


def _timestamp(time: datetime | None) -> str | None:
    return None if time is None else timestamps.to_text(time)


def involved(event: Json) -> Json:
    """What an event is about, in the core and in the newer API's word."""
    return mapping(event, "involvedObject") or mapping(event, "regarding")


def _count(event: Json) -> int:
    """How often it was seen: at least once, whatever the fields say."""
    return max(1, count(event, "count"), count(event, "deprecatedCount"), count(mapping(event, "series"), "count"))
