"""Why one channel is to be sent something of one incident, or nothing: the rules, each with its reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.alerts.config import AlertingConfig
from k8s_tuning.alerts.incident_update import IncidentUpdate
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.ledger_state import ChannelState
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.reason import Reason
from k8s_tuning.alerts.route import Route

OVER_SINCE = "; it has been OK since"
# How long a planned notice is left to the run that planned it: longer than delivering takes with its retries, shorter
# than the five minutes to the next check.
CLAIM_SECONDS = 240.0
# How long a channel may be in no run's configuration until what is pending for it is written off.
GIVE_UP_SECONDS = 7 * 86_400.0
# A clock that is behind the one that wrote a line by less than this is no clock that was set back.
_SKEW_SECONDS = 300.0

Why = tuple[Reason, str]


@dataclass(frozen=True)
class Planning:
    """One run that decides, and by which configuration. `now`: a timestamp."""

    config: AlertingConfig
    now: str
    run_id: str

    def channel(self, state: ChannelState) -> ChannelConfig | None:
        """A channel's settings; None where the configuration has no such channel."""
        return self.config.channel(state.receiver, state.channel)

    def repeat_seconds(self, state: ChannelState) -> float:
        """How often a receiver is notified; 0 where nothing leads to it any more."""
        route = self._route_to(state)
        return route.repeat_seconds if route else 0

    def lasting(
        self, update: IncidentUpdate, state: ChannelState, channel: ChannelConfig, route: Route, *, nothing_new: bool
    ) -> Why:
        """Of an incident that lasts. `nothing_new`: no record came since the ledger's newest."""
        known, severity, hold = update.known, update.incident.severity, self.config.hold_seconds
        pending, notified = state.pending, state.notified_severity
        if nothing_new and state.notified_at is not None and state.notified_run == self.run_id and pending is None:
            return Reason.ALREADY_SENT_THIS_RUN, f"run {self.run_id} notified this channel at {state.notified_at}"
        muted = self._muted(route)
        if pending is not None:
            return self._undelivered(state, pending, muted)
        if severity.rank < channel.min_severity.rank:
            return Reason.BELOW_SEVERITY, f"{severity} is below this channel's {channel.min_severity}"
        if muted:
            return Reason.MUTED, f"within the mute window {muted!r}"
        if state.notified_at is None or notified is None:
            return Reason.FIRST, "this channel was not notified of this incident yet"
        if severity.rank > notified.rank:
            return Reason.SEVERITY_CHANGED, f"raised from {notified} to {severity}"
        quiet = self._passed(state.notified_at)
        if severity.rank < notified.rank:
            since = self._passed(known.severity_since) if known and known.severity == severity else 0.0
            if since >= hold and quiet >= hold:
                return Reason.SEVERITY_CHANGED, f"lowered from {notified} to {severity}"
        causes = sorted(set(update.incident.reasons) - state.notified_reasons)
        if quiet >= hold and causes:
            return Reason.CHANGED, f"new cause: {', '.join(causes)}"
        failing, before = update.failing_jobs, state.notified_failing
        if quiet >= hold and before and failing >= 2 * before:
            return Reason.CHANGED, f"{failing} failing Jobs, {before} when last notified"
        if known and known.acknowledged:
            return Reason.ACKNOWLEDGED, f"somebody took it at {known.acknowledged}; it is not repeated"
        every = duration(route.repeat_seconds)
        if quiet >= route.repeat_seconds:
            return Reason.REPEAT_DUE, f"last notified at {state.notified_at}, repeated every {every}"
        return Reason.STILL_FIRING, f"last notified at {state.notified_at}; repeated every {every}"

    def unseen(self, update: IncidentUpdate, state: ChannelState, pending: LedgerLine, *, observed: bool = True) -> Why:
        """Of a pending firing of an incident that does not fire here now. `observed`: whether this run has its target.

        Planning again, a run repeats its own notices of the targets that it observes; those of others are another
        planning's of the same run.
        """
        if self.channel(state) is None:
            return self._absent(pending.at)
        route, known = self._route_to(state), update.known
        lasts = known is not None and known.is_open and not known.quiet_seconds
        muted = self._muted(route) if route else None
        return self._undelivered(state, pending, muted, "" if lasts else OVER_SINCE, observed=observed)

    def closing(self, update: IncidentUpdate, state: ChannelState, *, observed: bool = True) -> tuple[Status, Why]:
        """At the end of an incident. A resolve passes every mute, and goes only where the firing went."""
        channel, over_at, pending = self.channel(state), update.over_at or update.record_at, state.pending
        if state.notified_at is None and pending is not None:
            return Status.FIRING, self.unseen(update, state, pending, observed=observed)
        if state.notified_at is None:
            why: Why = Reason.OVER, f"{update.why or 'over'} since {over_at}, and this channel was never notified"
        elif channel is None:
            why = self._absent(over_at)
        elif not channel.send_resolved:
            why = Reason.RESOLVE_OFF, "send_resolved is off for this channel"
        elif pending and pending.status is Status.RESOLVED and (run := self._in_flight(state, pending, observed)):
            why = Reason.IN_FLIGHT, run
        else:
            why = Reason.RESOLVED, update.why or f"OK since {over_at}"
        return Status.RESOLVED, why

    def _undelivered(
        self, state: ChannelState, pending: LedgerLine, muted: str | None, after: str = "", *, observed: bool = True
    ) -> Why:
        """Of what was decided before, and not delivered yet."""
        if run := self._in_flight(state, pending, observed):
            return Reason.IN_FLIGHT, run
        if muted:
            return Reason.MUTED, f"pending since {pending.at}, but within the mute window {muted!r}"
        if pending.run_id == self.run_id:
            return Reason(pending.decision), pending.why  # the same run plans again: the same notice
        # What could not be delivered is the first try's, however many have failed since.
        first = f"{pending.decision} of {pending.at} could not be delivered"
        first = pending.why.partition(OVER_SINCE)[0] if pending.decision == Reason.PENDING else first
        return Reason.PENDING, f"{first}{after}"

    def _absent(self, since: str) -> Why:
        """Of a channel that the configuration does not have.

        Runs with other configurations may share the ledger: it is theirs to notify, until it is clear that none does.
        """
        if timestamps.seconds_between(since, self.now) < GIVE_UP_SECONDS:
            return Reason.ELSEWHERE, "this run's configuration has no such channel; a run that has it notifies it"
        return Reason.RECEIVER_GONE, f"no run's configuration has had this channel since {since}"

    def _in_flight(self, state: ChannelState, pending: LedgerLine, observed: bool) -> str:
        """Which run has just planned what is pending, and is about to send it; empty where none is."""
        if state.tried or (pending.run_id == self.run_id and observed):
            return ""
        age = timestamps.seconds_between(pending.at, self.now)
        return f"run {pending.run_id} planned it at {pending.at}" if -_SKEW_SECONDS < age < CLAIM_SECONDS else ""

    def _muted(self, route: Route) -> str | None:
        return self.config.muted_by(route, timestamps.to_datetime(self.now))

    def _passed(self, since: str) -> float:
        """Seconds since then. A clock that was set back by more than a little must not silence anything."""
        seconds = timestamps.seconds_between(since, self.now)
        return float("inf") if seconds < -_SKEW_SECONDS else max(0.0, seconds)

    def _route_to(self, state: ChannelState) -> Route | None:
        """The first route to a receiver: for what is pending for it, the alert's own route no longer says."""
        return next((route for route in _all_routes(self.config.route) if route.receiver == state.receiver), None)


def duration(seconds: float) -> str:
    """Seconds in words: 1h30m."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (left, "s")) if number) or "0s"


def _all_routes(route: Route) -> Iterator[Route]:
    yield route
    for child in route.routes:
        yield from _all_routes(child)
