"""Mute windows, with their time zones."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path
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
    ("a range of months by name", {"months": ["October:december"]}, "2025-11-01T00:00:00Z", True),
    ("one of several ranges", {"days_of_month": ["1:5", "10:20", "-1"]}, "2025-11-16T00:00:00Z", True),
    ("a day that the month has not", {"days_of_month": ["31"]}, "2025-11-30T12:00:00Z", False),
    ("a range past the month's end", {"days_of_month": ["29:31"]}, "2025-11-30T12:00:00Z", True),
    ("before the month's start", {"days_of_month": ["-31:-30"]}, "2025-02-01T12:00:00Z", False),
    ("days as numbers", {"days_of_month": [16]}, "2025-11-16T12:00:00Z", True),
    ("no location is UTC's", {"times": [{"start_time": "10:00", "end_time": "10:01"}], "location": ""},
     "2025-11-16T10:00:30Z", True),
    ("years", {"years": ["2024:2026"]}, "2025-11-01T00:00:00Z", True),
    ("all fields must fit", {"months": ["november"], "weekdays": ["monday"]}, "2025-11-16T10:00:00Z", False),
    ("summer time is the zone's",
     {"times": [{"start_time": "02:30", "end_time": "03:30"}], "location": "Europe/Berlin"},
     "2025-07-01T01:00:00Z", True),
]  # fmt: skip


@pytest.mark.parametrize(("data", "instant", "inside"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_an_instant_lies_in_a_window_or_not(data: dict[str, Any], instant: str, inside: bool) -> None:
    assert parse_interval(data).contains(datetime.fromisoformat(instant)) is inside


REFUSED: list[tuple[dict[str, Any], str]] = [
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
    ({"times": [{"start_time": "9:00", "end_time": "18:00"}]}, "'9:00' is not a time"),
    ({"times": [{"start_time": "09:00", "end_time": "18:0"}]}, "'18:0' is not a time"),
    ({"times": [{"start_time": "09:00\n", "end_time": "18:00"}]}, "is not a time"),
    ({"times": [{"start_time": 540, "end_time": 1080}]}, "540 is not a time"),
    ({"times": [{"start_time": "09:00", "end_time": "24:01"}]}, "'24:01' is not a time"),
    ({"times": []}, "never fit"),
    ({"weekdays": []}, "never fit"),
    ({"weekdays": ["monday:"]}, "none of sunday"),
    ({"weekdays": ["monday:friday:sunday"]}, "none of sunday"),
    ({"weekdays": [" monday"]}, "none of sunday"),
    ({"weekdays": ["mon"]}, "none of sunday"),
    ({"weekdays": ["1:5"]}, "none of sunday"),
    ({"days_of_month": ["20:-20"]}, "ends before it starts"),
    ({"days_of_month": ["-1:-5"]}, "ends before it starts"),
    ({"months": ["december:january"]}, "ends before it starts"),
    ({"months": ["jan"]}, "none of january"),
    ({"years": ["2026:2024"]}, "ends before it starts"),
    ({"location": "local"}, "time zone"),
    ({"location": 9}, "time zone"),
]


@pytest.mark.parametrize(("data", "words"), REFUSED)
def test_a_window_that_cannot_be_is_refused(data: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_interval(data)


@pytest.mark.parametrize(("zone", "inside"), [("Asia/Seoul", True), ("UTC", False)])
def test_local_is_the_machines_own_zone(zone: str, inside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        night = parse_interval({**SEOUL_NIGHT, "location": "Local"})
        assert night.contains(datetime.fromisoformat("2025-11-16T09:30:00Z")) is inside
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.servers
def test_amtool_takes_the_same_intervals(tmp_path: Path) -> None:
    """What it takes is taken here; what it refuses is refused here. It has no way to ask whether an instant fits."""
    if not shutil.which("amtool"):
        pytest.skip("amtool is missing: apt-get install prometheus-alertmanager")
    assert all(_amtool_takes(tmp_path, row[1]) for row in TABLE)
    # Here only: Alertmanager takes a month 13, an empty list and an unknown weekday's number, which never fit.
    ours = ("from 1 to 12", "never fit")
    for data, words in REFUSED:
        assert not _amtool_takes(tmp_path, data) or words in ours, data


def _amtool_takes(folder: Path, interval: dict[str, Any]) -> bool:
    named = [{"name": "n", "time_intervals": [interval]}]
    config = {"route": {"receiver": "r"}, "receivers": [{"name": "r"}], "time_intervals": named}
    file = folder / "alertmanager.yaml"
    file.write_text(json.dumps(config))
    return subprocess.run(["amtool", "check-config", str(file)], capture_output=True).returncode == 0
