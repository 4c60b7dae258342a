"""The period of time that a request asks for: `range=24h`, or `since` and `until`. Shared by the pages and the API."""

from __future__ import annotations

from dataclasses import dataclass

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.web.wording import timestamp

NAMED = {"1h": 3_600.0, "24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0}
DEFAULT = "24h"
LONGEST_DAYS = 3660


@dataclass(frozen=True)
class Range:
    """From `since` until `until`, in seconds since the epoch. `name`: the key of NAMED that was asked for, or None."""

    since: float
    until: float
    name: str | None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.until - self.since


def parse(name: str | None, since: str | None, until: str | None, now: float) -> Range:
    """The range that the three parameters `range`, `since` and `until` name; an empty one is one not given.

    Nothing given: the last 24 hours. `since` alone: until `now`; `until` alone: the 24 hours before it. InputError
    names the parameter that is wrong, why, and what would be right.
    """
    if name and (since or until):
        raise InputError("range: cannot stand beside since or until; give range alone, or since and until")
    if name or not (since or until):
        name = name or DEFAULT
        return Range(now - named_seconds(name), now, name)
    end = _seconds("until", until) if until else now
    begin = _seconds("since", since) if since else end - NAMED[DEFAULT]
    if begin >= end:
        raise InputError(f"since: must lie before until, which is {timestamp(end)}; {timestamp(begin)} does not")
    if end - begin > LONGEST_DAYS * 86_400:
        raise InputError(f"since: more than {LONGEST_DAYS} days before until, which is {timestamp(end)}; ask for less")
    return Range(begin, end, None)


def named_seconds(name: str | None) -> float:
    """The length of a named range (the default where none is given); InputError for an unknown one."""
    try:
        return NAMED[name or DEFAULT]
    except KeyError:
        raise InputError(f"range: {name!r} is not one of {', '.join(NAMED)}") from None


def _seconds(parameter: str, text: str) -> float:
    try:
        return timestamps.to_datetime(text).timestamp()
    except InputError as error:
        # An address whose + was not escaped arrives with a space there.
        hint = "; in an address, write + as %2B" if " " in text else ""
        raise InputError(f"{parameter}: {error}{hint}") from error
