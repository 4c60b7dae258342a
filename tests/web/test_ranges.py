"""Which period of time an address asks for."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.web import ranges
from k8s_tuning.web.ranges import Range

NOW = timestamps.to_datetime("2025-11-16T10:00:00Z").timestamp()
DAY = 86_400.0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((None, None, None), Range(NOW - DAY, NOW, "24h")),
        (("", "", ""), Range(NOW - DAY, NOW, "24h")),
        (("7d", None, None), Range(NOW - 7 * DAY, NOW, "7d")),
        (("30d", "", ""), Range(NOW - 30 * DAY, NOW, "30d")),
        ((None, "2025-11-16T09:00:00Z", None), Range(NOW - 3600, NOW, None)),
        ((None, "2025-11-16T18:00:00+09:00", None), Range(NOW - 3600, NOW, None)),
        ((None, None, "2025-11-16T09:00:00Z"), Range(NOW - 3600 - DAY, NOW - 3600, None)),
        ((None, "2025-11-16T08:00:00Z", "2025-11-16T09:00:00Z"), Range(NOW - 7200, NOW - 3600, None)),
    ],
    ids=["nothing", "empty", "7 days", "30 days", "since", "another zone", "until", "both"],
)
def test_a_range_is_named_or_given_by_its_ends(asked, expected):
    assert ranges.parse(*asked, NOW) == expected


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("2w", None, None), "range: '2w' is not one of 1h, 24h, 7d, 30d"),
        (("7d", "2025-11-16T09:00:00Z", None), "range: cannot stand beside since or until"),
        ((None, "yesterday", None), "since: 'yesterday' is not a timestamp; write one as 2025-"),
        ((None, None, "2025-11-16T09:00:00"), "until: '2025-11-16T09:00:00' has no time zone"),
        ((None, "2025-11-16T09:00:00 09:00", None), r"since: .* write \+ as %2B"),
        ((None, "2025-11-17T00:00:00Z", None), "since: must lie before until, which is 2025-11-16T10:00:00Z"),
        ((None, "2025-11-16T08:00:00Z", "2025-11-16T08:00:00Z"), "since: must lie before until"),
        ((None, "2001-01-01T00:00:00Z", None), "since: more than 3660 days before until"),
        ((None, "0001-01-01T00:00:00+10:00", None), "since: .* lies outside the years 1 to 9999"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(asked, message):
    with pytest.raises(InputError, match=message):
        ranges.parse(*asked, NOW)


texts = st.none() | st.text(max_size=30) | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)


@given(st.none() | st.sampled_from(list(ranges.NAMED)) | st.text(max_size=5), texts, texts)
def test_whatever_is_asked_is_a_range_that_goes_forward_or_an_input_error(name, since, until):
    with contextlib.suppress(InputError):
        assert 0 < ranges.parse(name, since, until, NOW).seconds <= ranges.LONGEST_DAYS * DAY
