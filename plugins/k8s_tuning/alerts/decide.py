"""What is to be said of each incident, to each channel, and why. Pure: the world comes in as arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.decision import Decision
from k8s_tuning.alerts.incident_update import IncidentUpdate, begun, follow, unseen
from k8s_tuning.alerts.judge import Planning, Why, duration
from k8s_tuning.alerts.ledger_state import ChannelState, IncidentState, LedgerState
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.observation import Observation
from k8s_tuning.alerts.reason import Reason
from k8s_tuning.alerts.route import group_key, labels_of, match


def decide(
    config: AlertingConfig, observations: Sequence[Observation], state: LedgerState, now: str, run_id: str
) -> list[Decision]:
    """Every decision of one run: about the targets as they are now, then about what is pending of all others."""
    planning = Planning(config, now, run_id)
    found: list[Decision] = []
    seen: set[str] = set()
    for one in observations:
        known = state.open_incident(*one.identity)
        if known is not None and known.id in seen:
            known = None
        update = follow(known, one, config.hold_seconds) if known else None
        if known and update and not update.is_open:
            found += _ending(planning, update, known)
        elif known and update and one.incident is None:
            found += _holding(planning, update, known)
        if known:
            seen.add(known.id)
        if one.incident is not None:
            if update is None or not update.is_open:
                update = begun(one.incident, one, taken=one.incident.id in state.incidents, run_id=run_id)
                seen.add(update.incident.id)
            found += _firing(planning, update)
    for known in state.incidents.values():
        if known.id not in seen:
            observed = any(known.is_of(*one.identity) for one in observations)
            found += _remaining(planning, unseen(known), known, observed=observed)
    return found


def _firing(planning: Planning, update: IncidentUpdate) -> Iterator[Decision]:
    """The incident lasts: each channel that its routes lead to, then those where something is pending."""
    config, known = planning.config, update.known
    labels = labels_of(update.incident, update.source)
    # A repeat of this run that found something new was recorded: then there is more to judge.
    nothing_new = known is None or update.source != "health" or update.record_at == known.record_at
    done: set[tuple[str, str]] = set()
    for route in match(config.route, labels):
        receiver = config.receivers[route.receiver]
        for channel in receiver.channels or (None,):
            name = channel.name if channel else ""
            if (receiver.name, name) in done:
                continue  # two routes with one receiver: it is notified once, by the first one's settings
            done.add((receiver.name, name))
            state = known.channel(receiver.name, name) if known and channel else ChannelState(receiver.name, name)
            why: Why = Reason.NULL_RECEIVER, f"receiver {receiver.name!r} has no channels"
            if channel is not None:
                why = planning.lasting(update, state, channel, route, nothing_new=nothing_new)
            yield Decision(
                update, state, channel, *why, repeat_seconds=route.repeat_seconds, group=group_key(route, labels)
            )
    for key, state in list(known.channels.items()) if known else []:
        if key not in done and state.pending is not None and not state.closed:
            # The incident has changed and goes elsewhere now; what is pending for this channel still goes there.
            yield from _pending(planning, update, state, planning.unseen(update, state, state.pending))


def _holding(planning: Planning, update: IncidentUpdate, known: IncidentState) -> Iterator[Decision]:
    """OK, but not for the hold time yet: only what is pending goes out."""
    hold = duration(planning.config.hold_seconds)
    holding = f"OK and not seen failing for {duration(update.quiet_seconds)}; over after {hold}"
    for state in known.channels.values() or [ChannelState("", "")]:
        channel, why = planning.channel(state), (Reason.HOLDING, holding)
        if channel and state.pending is not None and not state.closed:
            late = planning.unseen(update, state, state.pending)
            why = late if late[0].sends else why
        yield Decision(update, state, channel, *why, repeat_seconds=planning.repeat_seconds(state))


def _ending(planning: Planning, update: IncidentUpdate, known: IncidentState) -> Iterator[Decision]:
    """The incident is over: each channel is notified that was notified of it."""
    for state in known.channels.values() or [ChannelState("", "")]:
        status, why = planning.closing(update, state)
        yield Decision(update, state, planning.channel(state), *why, status)


def _remaining(
    planning: Planning, update: IncidentUpdate, known: IncidentState, *, observed: bool
) -> Iterator[Decision]:
    """What is pending of an incident that is over, or whose target was not observed now (not `observed`)."""
    for state in list(known.channels.values()):
        if state.closed:
            continue
        if not known.is_open and state.notified_at is not None:
            status, why = planning.closing(update, state, observed=observed)
            if why[0] is not Reason.ELSEWHERE:  # that was written down once
                yield Decision(update, state, planning.channel(state), *why, status)
        elif state.pending is not None:
            why = planning.unseen(update, state, state.pending, observed=observed)
            yield from _pending(planning, update, state, why)


def _pending(planning: Planning, update: IncidentUpdate, state: ChannelState, why: Why) -> Iterator[Decision]:
    if why[0] is not Reason.ELSEWHERE:
        yield Decision(update, state, planning.channel(state), *why, Status.FIRING, planning.repeat_seconds(state))
