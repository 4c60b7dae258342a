"""Values as a reader sees them."""

import pytest
from markupsafe import Markup

from k8s_tuning.web import wording


def test_our_own_markup_stays_markup_and_a_strangers_does_not_become_it():
    assert isinstance(wording.finalized(Markup("<b>")), Markup)
    assert not isinstance(wording.finalized("<b>"), Markup)
    assert wording.finalized(None) == ""


@pytest.mark.parametrize(
    ("seconds", "most", "words"),
    [
        (0, 2, "0 sec"),
        (0.44, 2, "0.4 sec"),
        (59.9, 2, "59 sec"),
        (61, 2, "1 min 1 sec"),
        (3600, 2, "1 hr"),
        (3605, 2, "1 hr"),
        (5400, 1, "1 hr"),
        (90_000, 2, "1 day 1 hr"),
        (-5, 2, "0 sec"),
    ],
)
def test_a_length_of_time_is_written_in_its_largest_units(seconds, most, words):
    assert wording.length(seconds, "en", most) == words


def test_lengths_and_numbers_speak_the_readers_language():
    assert wording.length(3660, "ko") == "1시간 1분"
    assert wording.number(1_000_000, "en") == "1,000,000"


@pytest.mark.parametrize(
    ("text", "words"),
    [("2025-11-16T19:00:00+09:00", "2025-11-16 10:00:00 UTC"), ("yesterday", "yesterday")],
)
def test_a_time_is_written_in_utc_and_what_is_none_as_it_stands(text, words):
    assert wording.stamp(text) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.30000000000000004, "0.3"), (1e-05, "1e-05"), (True, "true"), (3, "3"), ("adam", "adam"), (None, "")],
)
def test_a_parameter_is_as_short_as_it_can_be(value, words):
    assert wording.parameter(value) == words
