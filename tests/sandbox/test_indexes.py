"""Completion indexes as Kubernetes writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning_sandbox.indexes import first_pending, parse, text_of


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        (set(), ""),
        ({0}, "0"),
        ({0, 1}, "0,1"),
        ({0, 1, 2}, "0-2"),
        ({0, 2}, "0,2"),
        ({1, 3, 4, 5, 7, 8}, "1,3-5,7,8"),
    ],
)
def test_three_in_a_row_and_more_are_a_range(indexes: set[int], text: str) -> None:
    assert text_of(indexes) == text
    assert parse(text) == indexes


@given(st.sets(st.integers(0, 300)))
def test_what_is_written_is_read_again(indexes: set[int]) -> None:
    assert parse(text_of(indexes)) == indexes


@pytest.mark.parametrize("text", ["a", "1-b", "-1", "1,,x", "0-999999999"])
def test_what_is_no_list_of_indexes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"indexes|invalid literal"):
        parse(text)


def test_the_first_free_indexes_come_next() -> None:
    assert first_pending(2, 5, {0, 2}) == [1, 3]
    assert first_pending(9, 3, {0, 1, 2}) == []
