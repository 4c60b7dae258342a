"""Why a message goes to a channel or does not, and what became of one. Their values stand in the ledger."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a decision is as it is: each reason sends, closes the incident for its channel, or else waits."""

    sends: bool
    closes: bool

    def __new__(cls, value: str, effect: str = "waits") -> Reason:
        """One reason with its `effect`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sends, member.closes = effect == "sends", effect == "closes"
        return member

    @classmethod
    def _missing_(cls, value: object) -> Reason:  # noqa: ARG003  # whatever it is
        """Another version's reason for what is pending is read as just that."""
        return cls.PENDING

    FIRST = "first", "sends"
    REPEAT_DUE = "repeat_due", "sends"
    SEVERITY_CHANGED = "severity_changed", "sends"
    CHANGED = "changed", "sends"
    PENDING = "owed", "sends"  # decided before, and not delivered yet
    RESOLVED = "resolved", "sends"
    TEST = "test", "sends"
    STILL_FIRING = "still_firing"
    ACKNOWLEDGED = "acknowledged"
    HOLDING = "holding"  # OK, but not for long enough yet
    MUTED = "muted"
    BELOW_SEVERITY = "below_severity"
    ALREADY_SENT_THIS_RUN = "already_sent_this_run"
    IN_FLIGHT = "in_flight"  # another run has just planned it
    NULL_RECEIVER = "null_receiver"
    ELSEWHERE = "elsewhere"  # another run's configuration has the channel
    OVER = "over", "closes"
    RESOLVE_OFF = "resolve_off", "closes"
    RECEIVER_GONE = "receiver_gone", "closes"


class Result(StrEnum):
    """What became of a notice: of a decision PENDING (to be sent) or NOT_SENT, of an attempt one of the others.

    ALREADY_SENT: by an earlier try of the same run. SUPERSEDED: a later run has notified the channel.
    """

    PENDING = "owed"
    NOT_SENT = "not_sent"
    SENT = "sent"
    FAILED = "failed"
    DRY_RUN = "dry_run"
    SUPERSEDED = "superseded"
    ALREADY_SENT = "already_sent"

    @property
    def ok(self) -> bool:
        """Whether nothing is left to do for the notice."""
        return self is not Result.FAILED


# Frozen sets of texts: a ledger's lines, which are many and may be of another version, are compared with them.
CLOSING = frozenset(reason for reason in Reason if reason.closes)
DECIDED = frozenset((Result.PENDING, Result.NOT_SENT))
ATTEMPTED = frozenset((Result.SENT, Result.FAILED, Result.DRY_RUN, Result.SUPERSEDED))
DELIVERED = frozenset((Result.SENT, Result.DRY_RUN))
