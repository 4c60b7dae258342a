"""Times as text: RFC 3339 in UTC with a trailing `Z`, to the second, as Kubernetes writes `metav1.Time`.

Every timestamp in this package is such a string; two of them compare as text in the order of time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from k8s_tuning.errors import InputError

LONGEST_RETRY_AFTER = 7 * 24 * 3600.0


def now() -> str:
    """The present time."""
    return to_text(datetime.now(UTC))


def to_text(moment: datetime) -> str:
    """An aware datetime as text. A naive one is refused with ValueError: its zone would be a guess."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    # Not strftime: its %Y writes the year 999 in three digits.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def to_datetime(text: str) -> datetime:
    """Text (any RFC 3339 offset, with or without fractions) as an aware datetime in UTC; InputError where it is not."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise InputError(f"{text!r} is not a timestamp; write one as 2025-11-16T10:00:00Z") from None
    if moment.tzinfo is None:
        raise InputError(f"{text!r} has no time zone; write one as 2025-11-16T10:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InputError(f"{text!r} lies outside the years 1 to 9999") from None


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one timestamp to another; negative where `later` is the earlier one."""
    return (to_datetime(later) - to_datetime(earlier)).total_seconds()


def later(text: str, **by: float) -> str:
    """The timestamp that is later by so many `days` or `seconds` (timedelta's arguments); earlier by negative ones."""
    return to_text(to_datetime(text) + timedelta(**by))


def seconds_known(earlier: str | None, later: str | None) -> float | None:
    """The same; None where one of them is absent, or no timestamp, as in a file that somebody has damaged."""
    try:
        return seconds_between(earlier, later) if earlier and later else None
    except InputError:
        return None


def http_date(value: str | None) -> datetime | None:
    """A date as HTTP's headers have it (RFC 9110), in UTC where it names no zone; None where it is none."""
    try:
        moment = parsedate_to_datetime(value or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):  # a year, a day or a zone that no calendar has
        return None


def retry_after(value: str | None, at: datetime | None = None) -> float | None:
    """HTTP's Retry-After (RFC 9110: a number of seconds, or a date) in seconds from `at` (default: now), 0 to a week.

    None where there is none, or one that is neither.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    moment = http_date(text)
    if moment is None:
        return None
    return min(max(0.0, (moment - (at or datetime.now(UTC))).total_seconds()), LONGEST_RETRY_AFTER)
