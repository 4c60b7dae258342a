"""Timestamps are written in one form, in every year, and what is none is a clear error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import InputError
from k8s_tuning.timestamps import to_datetime, to_text


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
