"""What to say when a target is OK again, and of incidents whose target nobody looked at now. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from k8s_tuning.alerts.decision import Decision, Moment, absent, duration, in_flight, late, make, repeat_of
from k8s_tuning.alerts.episodes import Course
from k8s_tuning.alerts.ledger_state import ChannelFacts, IncidentFacts
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.words import firing_payload, own_incident, resolved_payload
from k8s_tuning.stages.alert.incident import K8sIncident


def holding(moment: Moment, facts: IncidentFacts, course: Course) -> Iterator[Decision]:
    """OK, but not for the hold time yet: only what is owed goes out."""
    incident = own_incident(facts)
    hold = moment.config.hold_seconds
    why = f"OK and not seen ill for {duration(course.quiet_seconds)}; over after {duration(hold)}"
    payload = firing_payload(incident, facts.source)
    for known in facts.channels.values() or [ChannelFacts("", "")]:
        channel = moment.config.channel(known.receiver, known.channel)
        verdict = ("holding", why, False)
        if channel and known.owed is not None and not known.closed:
            due = late(moment, facts, known)
            verdict = due if due[2] else verdict
        yield make(
            incident, facts.source, known, channel, verdict, Status.FIRING, payload, course,
            severity=facts.severity, repeat_seconds=repeat_of(moment, known),
        )  # fmt: skip


def ending(moment: Moment, facts: IncidentFacts, course: Course, over_at: str) -> Iterator[Decision]:
    """The incident is over: each channel is told that was told of it."""
    incident = own_incident(facts)
    for known in facts.channels.values() or [ChannelFacts("", "")]:
        yield _closing(moment, facts, known, incident, over_at, course)


def remaining(moment: Moment, facts: IncidentFacts, *, observed: bool) -> Iterator[Decision]:
    """What is still to be said of an incident that is over, or whose target nobody looked at now (not `observed`)."""
    incident = own_incident(facts)
    course = Course(facts.over_at or None, incident, facts.record_at, facts.quiet_seconds)
    for known in list(facts.channels.values()):
        if known.closed:
            continue
        if not facts.is_open and known.told_at is not None:
            one = _closing(moment, facts, known, incident, facts.over_at or facts.record_at, course, observed=observed)
            if one.decision != "elsewhere":  # that was written down once
                yield one
        elif known.owed is not None:
            channel = moment.config.channel(known.receiver, known.channel)
            verdict = late(moment, facts, known, observed=observed)
            if verdict[0] == "elsewhere":
                continue
            payload = firing_payload(incident, facts.source)
            yield make(
                incident, facts.source, known, channel, verdict, Status.FIRING, payload, course,
                is_open=facts.is_open, severity=facts.severity, repeat_seconds=repeat_of(moment, known),
            )  # fmt: skip


def _closing(
    moment: Moment,
    facts: IncidentFacts,
    known: ChannelFacts,
    incident: K8sIncident,
    over_at: str,
    course: Course,
    *,
    observed: bool = True,
) -> Decision:
    """One channel at the end of an incident. A resolve passes every mute, and goes only where the firing went."""
    channel = moment.config.channel(known.receiver, known.channel)
    told = known.told_severity or facts.severity
    payload = resolved_payload(incident, over_at, told, facts.source)
    status = Status.RESOLVED
    if known.told_at is None:
        if known.owed is not None:
            verdict = late(moment, facts, known, observed=observed)
            status, payload = Status.FIRING, firing_payload(incident, facts.source)
        else:
            verdict = ("over", f"{course.why or 'over'} since {over_at}, and never told to this channel", False)
    elif channel is None:
        verdict = absent(moment, over_at)
    elif not channel.send_resolved:
        verdict = ("resolve_off", "send_resolved is off for this channel", False)
    elif (
        known.owed is not None
        and known.owed.status is Status.RESOLVED
        and (flying := in_flight(moment, known, observed=observed))
    ):
        verdict = ("in_flight", flying, False)
    else:
        verdict = ("resolved", course.why or f"OK since {over_at}", True)
    return make(incident, facts.source, known, channel, verdict, status, payload, course, is_open=False)
