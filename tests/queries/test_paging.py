"""Searching and sorting: nothing is lost, and what is not known stands last."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import InputError
from k8s_tuning.queries.paging import natural, search, sort

KEYS = {"value": lambda item: item[0], "name": lambda item: natural(item[1])}
ITEMS = st.lists(st.tuples(st.none() | st.integers(), st.text(max_size=8)))


@given(ITEMS, st.sampled_from(["asc", "desc"]))
def test_sorting_keeps_every_item_and_puts_the_unknown_last(items: list, order: str) -> None:
    ordered = sort(items, "value", order, KEYS)
    assert sorted(map(repr, ordered)) == sorted(map(repr, items))
    known = [item[0] for item in ordered if item[0] is not None]
    assert known == sorted(known, reverse=order == "desc")
    assert all(item[0] is None for item in ordered[len(known) :])


@given(st.lists(st.tuples(st.integers(0, 2), st.text(max_size=3))))
def test_items_that_are_alike_keep_their_order(items: list) -> None:
    numbered = [(value, text, place) for place, (value, text) in enumerate(items)]
    for order in ("asc", "desc"):
        ordered = sort(numbered, "value", order, KEYS)
        for value in range(3):
            places = [item[2] for item in ordered if item[0] == value]
            assert places == sorted(places)


@given(st.lists(st.text("ab-0123456789٣²한", max_size=6), max_size=8), st.randoms())
def test_names_have_one_order_however_they_came(names: list[str], random: Random) -> None:
    """Names of digits and others are compared too, and what the digits in them come to decides, not their signs."""
    ordered = sorted(names, key=natural)
    shuffled = list(names)
    random.shuffle(shuffled)
    assert list(map(natural, sorted(shuffled, key=natural))) == list(map(natural, ordered))
    for left, right in pairwise(ordered):
        assert re.sub(r"\d+", by_worth, left) <= re.sub(r"\d+", by_worth, right)


def by_worth(digits: re.Match[str]) -> str:
    """Digits as signs that come before all others, more of them the longer the number is."""
    worth = str(int(digits[0]))
    return f"\0{len(worth):04}{worth}\1"


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["worker-10", "worker-2", "worker-1", "일꾼-3"]
    assert sorted(names, key=natural) == ["worker-1", "worker-2", "worker-10", "일꾼-3"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (None, ["OOM killed", "메모리 부족", "straße"]),
        ("  ", ["OOM killed", "메모리 부족", "straße"]),
        ("oom", ["OOM killed"]),
        ("killed oom", ["OOM killed"]),
        ("메모리", ["메모리 부족"]),
        ("STRASSE", ["straße"]),
        ("oom 메모리", []),
    ],
)
def test_a_search_wants_every_word_in_any_case(query: str | None, found: list[str]) -> None:
    assert search(["OOM killed", "메모리 부족", "straße"], query, str) == found


def test_an_unknown_key_or_order_is_refused_with_what_there_is() -> None:
    with pytest.raises(InputError, match="'size' is not one of value, name"):
        sort([], "size", "asc", KEYS)
    with pytest.raises(InputError, match="neither asc nor desc"):
        sort([], "value", "up", KEYS)
