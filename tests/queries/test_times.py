"""Timestamps read thousands at a time are those that one by one would give."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import InputError
from k8s_tuning.queries import times
from k8s_tuning.timestamps import to_datetime

_zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(timezones=st.one_of(st.just(UTC), _zones))
_plain = st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0"))
_odd = st.sampled_from(
    [
        *("", "soon", "NaT", "２０２５-11-16T10:00:00Z", "2025-11-16T10:00   Z", "2025-11-16T10:00:00"),
        *("0000-01-01T00:00:00Z", "2025-02-31T00:00:00Z", "2025-11-16T10:00:60Z", "2025-11-16 10:00:00Z"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2025-11-16T10:00:00z"),
    ]
)


def _naive(text: str) -> int:
    try:
        since = to_datetime(text) - datetime(1970, 1, 1, tzinfo=UTC)
    except InputError:
        return times.NO_TIME
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@given(st.lists(st.one_of(_plain, _moments.map(datetime.isoformat), _odd, st.text(max_size=20)), max_size=6))
def test_many_timestamps_are_read_as_each_by_itself(texts: list[str]) -> None:
    """The quick way for the plain form must not take in, move or lose any that the plain rule would not."""
    assert times.read(texts).tolist() == [_naive(text) for text in texts]


@given(st.lists(_plain, min_size=1, max_size=6))
def test_the_plain_form_comes_back_as_it_was(texts: list[str]) -> None:
    """What is shown is the record's own text, before 1970 as well as after."""
    at = times.read(texts)
    assert times.texts(at) == texts
    assert [times.text(one) for one in at] == texts


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2025-11-16T19:00:00+09:00", "2025-11-16T10:00:00Z"),
        ("2025-11-16T10:00:00.999999Z", "2025-11-16T10:00:00Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
    ],
)
def test_other_forms_are_shown_in_utc_and_to_the_second(text: str, shown: str) -> None:
    """Cut, never rounded up: a record must not seem to come from the future."""
    at = times.read([text])
    assert times.texts(at) == [shown] == [times.text(at[0])]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-math.inf, "0001-01-01T00:00:00Z"), (math.inf, "9999-12-31T23:59:59Z")]
)
def test_an_endless_range_ends_where_timestamps_do(seconds: float, shown: str) -> None:
    """'Everything' is asked for with infinite bounds, which no text can say."""
    assert times.text(times.of_seconds("since", seconds)) == shown


def test_no_number_is_no_time() -> None:
    """NaN compares with nothing, so that a range of it would hold chance."""
    with pytest.raises(InputError, match="until"):
        times.of_seconds("until", math.nan)
