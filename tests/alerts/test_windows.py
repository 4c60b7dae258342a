"""Mute windows, with their time zones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from k8s_tuning.alerts.windows import parse_interval
from k8s_tuning.errors import InputError

SEOUL_NIGHT = {"times": [{"start_time": "18:00", "end_time": "24:00"}], "location": "Asia/Seoul"}

TABLE: list[tuple[str, dict[str, Any], str, bool]] = [
    ("everything", {}, "2025-11-16T10:00:00Z", True),
    ("18:00 in Seoul is 09:00 UTC", SEOUL_NIGHT, "2025-11-16T09:00:00Z", True),
    ("the start is included", SEOUL_NIGHT, "2025-11-16T08:59:59Z", False),
    ("the end is not", SEOUL_NIGHT, "2025-11-16T15:00:00Z", False),
    ("18:00 unquoted, as YAML has it",
     {"times": [{"start_time": 1080, "end_time": 1440}]}, "2025-11-16T18:30:00Z", True),
    ("a weekday in its own zone", {"weekdays": ["monday"], "location": "Asia/Seoul"}, "2025-11-16T15:00:00Z", True),
    ("the same in UTC", {"weekdays": ["monday"]}, "2025-11-16T15:00:00Z", False),
    ("a range of weekdays", {"weekdays": ["Monday:Friday"]}, "2025-11-19T00:00:00Z", True),
    ("sunday is the first day", {"weekdays": ["sunday:monday"]}, "2025-11-16T00:00:00Z", True),
    ("the last day of the month", {"days_of_month": ["-1"]}, "2024-02-29T12:00:00Z", True),
    ("the last but one", {"days_of_month": ["-1"]}, "2024-02-28T12:00:00Z", False),
    ("the last week", {"days_of_month": ["-7:-1"]}, "2025-11-24T12:00:00Z", True),
    ("from the 10th to the end", {"days_of_month": ["10:-1"]}, "2025-11-30T12:00:00Z", True),
    ("a month by name", {"months": ["november"]}, "2025-11-01T00:00:00Z", True),
    ("months by number", {"months": ["1:3"]}, "2025-11-01T00:00:00Z", False),
    ("years", {"years": ["2024:2026"]}, "2025-11-01T00:00:00Z", True),
    ("all fields must fit", {"months": ["november"], "weekdays": ["monday"]}, "2025-11-16T10:00:00Z", False),
    ("summer time is the zone's",
     {"times": [{"start_time": "02:30", "end_time": "03:30"}], "location": "Europe/Berlin"},
     "2025-07-01T01:00:00Z", True),
]  # fmt: skip


@pytest.mark.parametrize(("data", "instant", "inside"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_an_instant_lies_in_a_window_or_not(data: dict[str, Any], instant: str, inside: bool) -> None:
    assert parse_interval(data).contains(datetime.fromisoformat(instant)) is inside


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"location": "Mars/Olympus"}, "time zone"),
        ({"location": "../../etc/passwd"}, "time zone"),
        ({"days": ["monday"]}, "unknown key 'days'"),
        ({"weekdays": ["funday"]}, "none of sunday"),
        ({"weekdays": ["friday:monday"]}, "ends before it starts"),
        ({"weekdays": "monday"}, "expected a list"),
        ({"days_of_month": ["0"]}, "count from 1"),
        ({"days_of_month": ["32"]}, "from -31 to 31"),
        ({"days_of_month": ["-1:5"]}, "month's end"),
        ({"months": ["13"]}, "from 1 to 12"),
        ({"times": [{"start_time": "18:00", "end_time": "09:00"}]}, "write two"),
        ({"times": [{"start_time": "25:00", "end_time": "26:00"}]}, "not a time"),
        ({"times": [{"start_time": "09:00"}]}, "start_time and end_time"),
    ],
)
def test_a_window_that_cannot_be_is_refused(data: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_interval(data)
