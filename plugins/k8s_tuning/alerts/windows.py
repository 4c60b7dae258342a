"""Mute windows: Alertmanager's time intervals (timeinterval/timeinterval.go in prometheus/alertmanager). Pure.

Within each field one range must fit, and every field that is there must fit. Times are inclusive at their start and
exclusive at their end; the others inclusive at both. Without a location, times are UTC's; `Local` is the machine's own
zone.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from k8s_tuning.errors import InputError

Range = tuple[int, int]

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = tuple(name.lower() for name in calendar.month_name)[1:]
_TIME = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_LOCAL = "Local"
# A month has at least so many days: a range that is empty even then is a slip of the pen.
_SHORTEST_MONTH = 28


@dataclass(frozen=True)
class Interval:
    """One interval; an empty field fits always. `times` in minutes since midnight, `weekdays` with Sunday as 0."""

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    location: str = "UTC"

    def contains(self, instant: datetime) -> bool:
        """Whether an aware instant lies within."""
        local = instant.astimezone(None if self.location == _LOCAL else ZoneInfo(self.location))
        minute = local.hour * 60 + local.minute
        if self.times and not any(start <= minute < end for start, end in self.times):
            return False
        last = calendar.monthrange(local.year, local.month)[1]
        return (
            _within(self.weekdays, local.isoweekday() % 7)
            and (not self.days_of_month or any(_has_day(days, local.day, last) for days in self.days_of_month))
            and _within(self.months, local.month)
            and _within(self.years, local.year)
        )


def parse_interval(data: Mapping[str, Any]) -> Interval:
    """One entry of `time_intervals`; InputError names the field."""
    unknown = set(data) - {"times", "weekdays", "days_of_month", "months", "years", "location"}
    if unknown:
        raise InputError(
            f"unknown key {min(unknown)!r}; known are times, weekdays, days_of_month, months, years, location"
        )
    location = data.get("location") or "UTC"
    try:
        if location != _LOCAL:
            ZoneInfo(location)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise InputError(f"location: {location!r} is not a time zone; write one as Asia/Seoul, UTC or Local") from None
    return Interval(
        times=_times(data.get("times")),
        weekdays=_ranges(data, "weekdays", lambda text: _named(text, _DAYS, 0)),
        days_of_month=_ranges(data, "days_of_month", _day),
        months=_ranges(
            data, "months", lambda text: _named(text, _MONTHS, 1) if text.isalpha() else _number(text, 1, 12)
        ),
        years=_ranges(data, "years", lambda text: _number(text, 1, 9999)),
        location=location,
    )


def _within(ranges: tuple[Range, ...], value: int) -> bool:
    return not ranges or any(start <= value <= end for start, end in ranges)


def _has_day(days: Range, day: int, last: int) -> bool:
    start, end = (last + edge + 1 if edge < 0 else edge for edge in days)
    return start <= day <= min(end, last)


def _times(given: Any) -> tuple[Range, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not given:
        raise InputError(
            "times: expected a list of start_time and end_time; an empty one would never fit: leave it out"
        )
    found = []
    for entry in given:
        if not isinstance(entry, dict) or set(entry) != {"start_time", "end_time"}:
            raise InputError("times: each entry needs start_time and end_time, and nothing else")
        start, end = _minutes(entry["start_time"]), _minutes(entry["end_time"])
        if start >= end:
            raise InputError(
                "times: start_time must be before end_time; for a night write two: 18:00-24:00, 00:00-09:00"
            )
        found.append((start, end))
    return tuple(found)


def _minutes(given: Any) -> int:
    found = _TIME.fullmatch(given) if isinstance(given, str) else None
    if not found:
        raise InputError(
            f"times: {given!r} is not a time; write one in two and two digits, as '09:00', at most '24:00'"
        )
    hour, minute = found.groups()
    return 24 * 60 if hour is None else int(hour) * 60 + int(minute)


def _ranges(data: Mapping[str, Any], name: str, read: Callable[[str], int]) -> tuple[Range, ...]:
    given = data.get(name)
    if given is None:
        return ()
    if not isinstance(given, list) or not given:
        raise InputError(f"{name}: expected a list; an empty one would never fit: leave it out")
    found = []
    for entry in given:
        first, colon, second = str(entry).lower().partition(":")
        try:
            start, end = read(first), read(second if colon else first)
        except ValueError as error:
            raise InputError(f"{name}: {entry!r}: {error}") from None
        if start < 0 < end:
            raise InputError(f"{name}: {entry!r}: a range from the month's end cannot end at a day from its start")
        earliest, latest = (_SHORTEST_MONTH + edge if edge < 0 else edge for edge in (start, end))
        if earliest > latest:
            raise InputError(f"{name}: {entry!r}: the range ends before it starts")
        found.append((start, end))
    return tuple(found)


def _named(text: str, names: tuple[str, ...], first: int) -> int:
    if text not in names:
        raise ValueError(f"{text!r} is none of {', '.join(names)}")
    return names.index(text) + first


def _number(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"-?[0-9]{1,4}", text) or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is not a number from {least} to {most}")
    return int(text)


def _day(text: str) -> int:
    day = _number(text, -31, 31)
    if day == 0:
        raise ValueError("days count from 1, or from the month's end from -1")
    return day
