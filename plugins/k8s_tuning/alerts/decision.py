"""One decision, the moment that it is made in, and what all decisions rest on: what is owed, in flight, muted. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.episodes import Course
from k8s_tuning.alerts.ledger_state import ChannelFacts, IncidentFacts, LedgerState
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.route import Route
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity, K8sAlertPayload, K8sIncident

if TYPE_CHECKING:
    from k8s_tuning.alerts.ledger import LedgerLine

OVER_SINCE = "; it has been OK since"
# How long a planned notice is left to the run that planned it: longer than delivering takes with its retries, shorter
# than the five minutes to the next check.
CLAIM_SECONDS = 240.0
# How long a channel may be in no run's configuration until what it was to hear is written off.
GIVE_UP_SECONDS = 7 * 86_400.0
# A clock that is behind the one that wrote a line by less than this is no clock that was set back.
_SKEW_SECONDS = 300.0


@dataclass
class Decision:
    """One incident, one channel, one answer.

    `sends`: whether a notice goes out. `channel` is None for a null receiver.
    """

    incident: K8sIncident
    source: str
    receiver: str
    channel: ChannelConfig | None
    channel_name: str
    decision: str
    why: str
    status: Status
    sends: bool
    payload: K8sAlertPayload
    severity: IncidentSeverity
    told_severity: IncidentSeverity | None
    is_open: bool
    record_at: str
    quiet_seconds: float
    over_at: str
    ref: dict[str, str]
    repeat_seconds: float
    group: str | None
    is_new: bool


@dataclass(frozen=True)
class Moment:
    """What every decision of one run is made from."""

    config: AlertingConfig
    state: LedgerState
    now: str
    run_id: str


def make(
    incident: K8sIncident,
    source: str,
    known: ChannelFacts,
    channel: ChannelConfig | None,
    verdict: tuple[str, str, bool],
    status: Status,
    payload: K8sAlertPayload,
    course: Course,
    *,
    is_open: bool = True,
    repeat_seconds: float = 0,
    group: str | None = None,
    severity: IncidentSeverity | None = None,
    is_new: bool = False,
) -> Decision:
    """A verdict (decision, why, whether it sends) about one channel, as a whole decision."""
    decision, why, sends = verdict
    return Decision(
        incident, source, known.receiver, channel, known.channel, decision, why, status, sends, payload,
        severity or incident.severity, known.told_severity, is_open, course.record_at, course.quiet_seconds,
        course.over_at or "", known.ref, repeat_seconds, group, is_new, )  # fmt: skip


def late(moment: Moment, facts: IncidentFacts, known: ChannelFacts, *, observed: bool = True) -> tuple[str, str, bool]:
    """A firing that is owed of an incident that nobody sees now. `observed`: as for in_flight."""
    owed = known.owed
    if owed is None:
        raise InputError(f"incident {facts.id}: nothing is owed to {known.receiver}/{known.channel}")
    if moment.config.channel(known.receiver, known.channel) is None:
        return absent(moment, owed.at)
    if flying := in_flight(moment, known, observed=observed):
        return "in_flight", flying, False
    route = _route_to(moment, known)
    muted = moment.config.muted_by(route, timestamps.to_datetime(moment.now)) if route else None
    if muted:
        return "muted", f"owed since {owed.at}, but within the mute window {muted!r}", False
    if owed.run_id == moment.run_id:
        return owed.decision, owed.why, True
    after = "" if facts.is_open and not facts.quiet_seconds else OVER_SINCE
    return "owed", f"{why_owed(owed)}{after}", True


def why_owed(owed: LedgerLine) -> str:
    """What could not be delivered, and when: the first try's, however many have failed since."""
    first = owed.why.partition(OVER_SINCE)[0]
    return first if owed.decision == "owed" else f"{owed.decision} of {owed.at} could not be delivered"


def absent(moment: Moment, since: str) -> tuple[str, str, bool]:
    """What a channel that the configuration does not have is still to hear.

    Runs with other configurations may share the ledger: it is theirs to tell, until it is clear that none of them does.
    """
    if timestamps.seconds_between(since, moment.now) < GIVE_UP_SECONDS:
        return "elsewhere", "this run's configuration has no such channel; a run that has it tells it", False
    return "receiver_gone", f"no run's configuration has had this channel since {since}", False


def in_flight(moment: Moment, known: ChannelFacts, *, observed: bool = True) -> str:
    """Which run has just planned what is owed, and is about to send it; empty where none is.

    Planning again, a run repeats its own notices of the targets that it looks at; those of others (`observed` false)
    are another planning's of the same run.
    """
    owed = known.owed
    if owed is None or known.tried or (owed.run_id == moment.run_id and observed):
        return ""
    age = timestamps.seconds_between(owed.at, moment.now)
    return f"run {owed.run_id} planned it at {owed.at}" if -_SKEW_SECONDS < age < CLAIM_SECONDS else ""


def ill_jobs(incident: K8sIncident) -> int:
    """How many Jobs are not OK."""
    return incident.job_counts.get("WARN", 0) + incident.job_counts.get("ERROR", 0)


def passed(since: str, now: str) -> float:
    """Seconds since then. A clock that was set back by more than a little must not silence anything: then for ever."""
    seconds = timestamps.seconds_between(since, now)
    if seconds < -_SKEW_SECONDS:
        return float("inf")
    return max(0.0, seconds)


def duration(seconds: float) -> str:
    """Seconds in words: 1h30m."""
    whole = int(seconds)
    parts = [f"{whole // 3600}h" if whole >= 3600 else "", f"{whole % 3600 // 60}m" if whole % 3600 >= 60 else ""]
    parts.append(f"{whole % 60}s" if whole % 60 or whole == 0 else "")
    return "".join(parts)


def _route_to(moment: Moment, known: ChannelFacts) -> Route | None:
    """The first route to a receiver: for what is owed to it, the alert's own route no longer tells."""
    return next((route for route in _all_routes(moment.config.route) if route.receiver == known.receiver), None)


def repeat_of(moment: Moment, known: ChannelFacts) -> float:
    """How often a receiver is told again, in seconds; 0 where nothing leads to it any more."""
    route = _route_to(moment, known)
    return route.repeat_seconds if route else 0


def _all_routes(route: Route) -> Iterator[Route]:
    yield route
    for child in route.routes:
        yield from _all_routes(child)
