"""Which lines of a history are records: the timestamp's forms, and what becomes of the neighbours of a bad line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.history_lines import line

from k8s_tuning.stages.history.record import read_block, read_line
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.storage.jsonl import BrokenLines
from k8s_tuning.timestamps import to_datetime

READABLE = {
    "2025-11-16T10:00:00Z": "2025-11-16T10:00:00Z",
    "2025-11-16T10:00:00": "2025-11-16T10:00:00Z",
    "2025-11-16 10:00:00.123456": "2025-11-16T10:00:00Z",
    "2025-11-16T10:00:00+00:00": "2025-11-16T10:00:00Z",
    "2025-11-16T19:00:00+09:00": "2025-11-16T10:00:00Z",
    "2025-11-16T10:00:00.5Z": "2025-11-16T10:00:00Z",
    "2025-W46-7T10:00:00Z": "2025-11-16T10:00:00Z",
    "2025-11-16": "2025-11-16T00:00:00Z",
}
UNREADABLE = [
    "",
    "yesterday",
    "N/A",
    "2025-02-30T10:00:00Z",
    "2025-13-01T10:00:00Z",
    "2025-11-16T25:00:00Z",
    "2025-11-16T10:00:00 KST",
    "1763287200",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "２０２５-11-16T10:00:00Z",
]


@pytest.mark.parametrize(("text", "instant"), READABLE.items(), ids=READABLE)
def test_a_timestamp_is_read_in_utc_whatever_its_form(text: str, instant: str) -> None:
    for record in (read_line(line(at=text)), *read_block(line(at=text), 0, BrokenLines(Path("h")))):
        assert record is not None
        assert record.timestamp == record.record().timestamp == instant


@pytest.mark.parametrize("text", UNREADABLE, ids=repr)
def test_a_record_without_a_readable_timestamp_is_skipped_like_any_broken_line(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "h.jsonl"
    file.write_bytes(line() + line("ERROR", at=text) + line("WARN", namespace="other"))
    store = K8sHealthHistoryStore(file)
    with caplog.at_level(logging.WARNING):
        assert [record.overall_health for record in store.load_recent()] == ["OK", "WARN"]
        assert store.summarize()["total_records"] == 2
    assert f"skipped the line at byte {len(line())}: not a health record" in caplog.text


@given(text=st.text(max_size=30) | st.datetimes().map(str) | st.datetimes().map(lambda at: f"{at.isoformat()}Z"))
def test_one_line_and_many_are_read_by_one_rule(text: str) -> None:
    """And what is read compares as text in the order of time."""
    one = read_line(line(at=text))
    many = read_block(line(at=text) + line(), 0, BrokenLines(Path("h")))
    assert [record.timestamp for record in many[:-1]] == ([one.timestamp] if one else [])
    if one:
        assert to_datetime(one.timestamp).strftime("%Y").zfill(4) == one.timestamp[:4]
