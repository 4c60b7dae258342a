"""Timestamps are written in one form, in every year, and what is none is a clear error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import InputError
from k8s_tuning.timestamps import LONGEST_RETRY_AFTER, retry_after, to_datetime, to_text


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_as_the_same_second(instant: datetime) -> None:
    """Twenty characters from the year 1 on, so that two compare as text in the order of time."""
    text = to_text(instant)
    assert len(text) == 20
    assert to_datetime(text) == instant.replace(microsecond=0)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "soon", "2025-11-16"])
def test_what_is_no_instant_in_utc_is_a_clear_error(text: str) -> None:
    """A damaged file must not stop its reader."""
    with pytest.raises(InputError, match=text[:4]):
        to_datetime(text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("007", 7.0),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Thu, 26 Nov 2026 00:01:00 GMT", 60.0),
        ("Thu, 26 Nov 2026 09:01:00 +0900", 60.0),
        ("Thu, 26 Nov 2026 00:01:00", 60.0),
        ("Fri, 26 Nov 9998 00:01:00 GMT", LONGEST_RETRY_AFTER),
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("٣", None),
        ("²", None),
        ("Sun, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Sun, 32 Jan 2026 00:00:00 GMT", None),
        ("Sun, 01 Jan 2026 00:00:00 +99999999999", None),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_at_most_a_week(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, datetime(2026, 11, 26, tzinfo=UTC)) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ ([+-]\d+|GMT)", fullmatch=True))
def test_retry_after_of_any_form_is_no_error(value: str) -> None:
    found = retry_after(value)
    assert found is None or 0 <= found <= LONGEST_RETRY_AFTER
