"""What to say of each incident, to each channel, and why. Pure: the world comes in as arguments.

Decisions that send: first, repeat_due, severity_changed, changed, owed, resolved. Decisions that do not: still_firing,
acknowledged, holding (OK, but not for long enough yet), muted, below_severity, already_sent_this_run, in_flight
(another run has just planned it), null_receiver, resolve_off, over, elsewhere (another run's configuration has the
channel), receiver_gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.alerts.channels.kind import at_least, rank
from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.decision import (
    Decision,
    Moment,
    duration,
    ill_jobs,
    in_flight,
    late,
    make,
    passed,
    repeat_of,
    why_owed,
)
from k8s_tuning.alerts.ending import ending, holding, remaining
from k8s_tuning.alerts.episodes import Course, Situation, follow
from k8s_tuning.alerts.ledger_state import ChannelFacts, IncidentFacts, LedgerState
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.route import Route, group_key, labels_of, match
from k8s_tuning.alerts.words import firing_payload
from k8s_tuning.stages.alert.incident import K8sIncident, incident_id


def decide(
    config: AlertingConfig, situations: Sequence[Situation], state: LedgerState, now: str, run_id: str
) -> list[Decision]:
    """Every decision of one run: about the targets as they are now, then about what is owed of all others."""
    moment = Moment(config, state, now, run_id)
    found: list[Decision] = []
    seen: set[str] = set()
    for situation in situations:
        facts = state.open_incident(*_identity(situation))
        if facts is not None and facts.id in seen:
            facts = None
        current = situation.incident
        course = None
        if facts is not None:
            course = follow(facts, situation, config.hold_seconds)
            current = course.incident
            if course.over_at is not None:
                seen.add(facts.id)
                found += ending(moment, facts, course, course.over_at)
                current = situation.incident
                facts = None
            elif current is None:
                seen.add(facts.id)
                found += holding(moment, facts, course)
        if current is not None:
            if facts is None and current.id in state.incidents:
                # The clock was set back onto the start of an incident of which something is still to be said.
                started = f"{current.started_at} {run_id}"
                current.id = incident_id(current.namespace, current.selector, started, current.target, current.cluster)
            seen.add(current.id)
            found += _firing(moment, facts, current, situation, course)
    for facts in state.incidents.values():
        if facts.id not in seen:
            observed = any(facts.is_of(*_identity(situation)) for situation in situations)
            found += remaining(moment, facts, observed=observed)
    return found


def _identity(situation: Situation) -> tuple[str, str, str | None, str | None]:
    return situation.namespace, situation.selector, situation.target, situation.cluster


def _firing(
    moment: Moment, facts: IncidentFacts | None, incident: K8sIncident, situation: Situation, course: Course | None
) -> Iterator[Decision]:
    config = moment.config
    payload = firing_payload(incident, situation.source)
    labels = labels_of(payload, incident.target, incident.reasons)
    if course is None or facts is None:
        record_at = situation.sights[-1].timestamp if situation.sights else situation.at
        course = Course(None, incident, record_at, 0)
    done: set[tuple[str, str]] = set()
    for route in match(config.route, labels):
        receiver = config.receivers[route.receiver]
        for channel in receiver.channels or (None,):
            name = channel.name if channel else ""
            if (receiver.name, name) in done:
                continue  # two routes with one receiver: it hears once, by the first one's settings
            done.add((receiver.name, name))
            known = facts.channel(receiver.name, name) if facts and channel else ChannelFacts(receiver.name, name)
            if channel is None:
                verdict = ("null_receiver", f"receiver {receiver.name!r} has no channels", False)
            else:
                # A repeat of this run that found something new was recorded: then there is more to judge.
                again = facts is None or situation.source != "health" or course.record_at == facts.record_at
                verdict = _judge(moment, facts, known, incident, channel, route, nothing_new=again)
            yield make(
                incident, situation.source, known, channel, verdict, Status.FIRING, payload, course,
                repeat_seconds=route.repeat_seconds, group=group_key(route, labels), is_new=facts is None,
            )  # fmt: skip
    for key, known in (facts.channels if facts else {}).copy().items():
        if key not in done and known.owed is not None and not known.closed:
            # The incident has changed and goes elsewhere now; what this channel was to hear, it is still to hear.
            channel = config.channel(known.receiver, known.channel)
            verdict = late(moment, facts, known) if facts else ("", "", False)
            if verdict[0] == "elsewhere":
                continue
            yield make(
                incident, situation.source, known, channel, verdict, Status.FIRING, payload, course,
                repeat_seconds=repeat_of(moment, known),
            )  # fmt: skip


def _judge(
    moment: Moment,
    facts: IncidentFacts | None,
    known: ChannelFacts,
    incident: K8sIncident,
    channel: ChannelConfig,
    route: Route,
    *,
    nothing_new: bool,
) -> tuple[str, str, bool]:
    """(decision, why, whether it sends) for an incident that lasts. `nothing_new`: no record came since it was told."""
    now, hold = moment.now, moment.config.hold_seconds
    if nothing_new and known.told_at is not None and known.told_run == moment.run_id and known.owed is None:
        return "already_sent_this_run", f"run {moment.run_id} told this channel at {known.told_at}", False
    muted = moment.config.muted_by(route, timestamps.to_datetime(now))
    owed = known.owed
    if owed is not None:
        if flying := in_flight(moment, known):
            return "in_flight", flying, False
        if muted:
            return "muted", f"owed since {owed.at}, but within the mute window {muted!r}", False
        if owed.run_id == moment.run_id:
            return owed.decision, owed.why, True  # the same run plans again: the same notice
        return "owed", why_owed(owed), True
    if not at_least(incident.severity, channel.min_severity):
        return "below_severity", f"{incident.severity} is below this channel's {channel.min_severity}", False
    if muted:
        return "muted", f"within the mute window {muted!r}", False
    if known.told_at is None or known.told_severity is None:
        return "first", "this channel has not heard of this incident yet", True
    if rank(incident.severity) > rank(known.told_severity):
        return "severity_changed", f"raised from {known.told_severity} to {incident.severity}", True
    quiet = passed(known.told_at, now)
    if rank(incident.severity) < rank(known.told_severity):
        since = passed(facts.severity_since, now) if facts and facts.severity == incident.severity else 0.0
        if since >= hold and quiet >= hold:
            return "severity_changed", f"lowered from {known.told_severity} to {incident.severity}", True
    fresh = sorted(set(incident.reasons) - known.told_reasons)
    ill = ill_jobs(incident)
    if quiet >= hold and fresh:
        return "changed", f"new cause: {', '.join(fresh)}", True
    if quiet >= hold and known.told_ill and ill >= 2 * known.told_ill:
        return "changed", f"{ill} ill Jobs, {known.told_ill} when last told", True
    if facts and facts.acknowledged:
        return "acknowledged", f"somebody took it at {facts.acknowledged}; it is not repeated", False
    if quiet >= route.repeat_seconds:
        return "repeat_due", f"last told at {known.told_at}, repeated every {duration(route.repeat_seconds)}", True
    return "still_firing", f"last told at {known.told_at}; repeated every {duration(route.repeat_seconds)}", False
