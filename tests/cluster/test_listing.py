"""A list that is read while it arrives is the list that a parser of the whole would read, wherever it is cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from k8s_tuning.cluster import listing
from k8s_tuning.cluster.listing import ListReader, NotAList, Page

texts = st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from('"\\{}[]:,')) | st.sampled_from(
    ["items", "\\", '"']
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
items = st.lists(st.dictionaries(texts, values, max_size=4) | values, max_size=6)


def read(data: bytes, cuts: list[int]) -> Page[dict[str, Any]]:
    """The page, from pieces that end at `cuts`."""
    reader: ListReader[dict[str, Any]] = ListReader(lambda item: item)
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        reader.write(data[start:end])
    return reader.getvalue()


@given(
    items=items,
    around=st.dictionaries(texts.filter(lambda key: key not in ("items", "metadata")), values, max_size=3),
    token=texts,
    first=st.booleans(),
    spaced=st.booleans(),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
@example(items=[{"a": '"}]{'}], around={"x": {"items": [{}]}}, token="t", first=True, spaced=True, cuts=[1, 2, 3])
def test_a_list_is_the_same_wherever_it_is_cut(
    items: list[Any], around: dict[str, Any], token: str, first: bool, spaced: bool, cuts: list[int]
) -> None:
    whole = {**around, "metadata": {"continue": token, "resourceVersion": "7"}}
    whole = {"items": items, **whole} if first else {**whole, "items": items}
    data = json.dumps(whole, ensure_ascii=False, indent=1 if spaced else None).encode()
    step, listing._STEP = listing._STEP, 1
    try:
        page = read(data, cuts)
    finally:
        listing._STEP = step
    assert page == Page([item if isinstance(item, dict) else {} for item in items], token, "7")


def test_a_list_that_comes_a_byte_at_a_time_is_read() -> None:
    data = json.dumps({"kind": "JobList", "items": [{"한": "🚀"}] * 50, "metadata": {}}, ensure_ascii=False).encode()
    assert read(data, list(range(len(data)))).kept == [{"한": "🚀"}] * 50


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"<html>{}</html>",
        b'{"items": "x"}',
        b'{"items": {}}',
        b'{"kind": "Status"}',
        b'{"items": [{} {}]}',
        b'{"items": [{},, {}]}',
        b'{"items": [, {}]}',
        b'{"items": [{},]}',
        b'{"items": [nul]}',
        b'{"items": [1 2]}',
        b'{"items": [1',
        b'{"items": ["a',
        b'{"items": [}]}',
        b'{"items": [{]}]}',
        b'{"items": [{}',
        b'{"items": [{"a": "',
        b'{"items": [{}]',
        b'{"items": [{}]}}',
        b'{"items": [{"a": }]}',
        b'{"items": [], "items": [{}]}',
        b'{"\\u0069tems": [{}]}',
        b'{"items": [{"a": "\xff"}]}',
        b'{"items": [{}], "metadata": }',
        b'{"items": [' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"]}",
    ],
)
def test_what_is_no_list_is_reported(data: bytes) -> None:
    for cuts in ([], list(range(0, len(data), 7))):
        with pytest.raises(NotAList):
            read(data, cuts)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,items 1', max_size=60).map(str.encode))
def test_no_bytes_are_a_surprise(data: bytes) -> None:
    try:
        page = read(data, [len(data) // 2])
    except NotAList:
        return
    items = json.loads(data).get("items")
    assert page.kept == [item if isinstance(item, dict) else {} for item in items or []]


@pytest.mark.parametrize("items", [b"null", b"[]", b" [ ] "])
def test_an_empty_list_has_no_items(items: bytes) -> None:
    assert read(b'{"kind": "JobList", "items": %b}' % items, []).kept == []


def test_what_is_no_object_says_nothing_and_is_not_left_out() -> None:
    data = b'{"items": [1, null, {"a": 1}, "x,]{", [{"b": 1}], [], {"c": []}, -1.5e3 ], "metadata": {}}'
    for cuts in ([], list(range(len(data)))):
        assert read(data, cuts).kept == [{}, {}, {"a": 1}, {}, {}, {}, {"c": []}, {}]


def test_an_item_or_a_head_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_ITEM_BYTES", 1_000_000)
    for start in (b'{"a": "', b'{"items": [{"a": "', b'{"items": [], "a": "'):
        reader: ListReader[Any] = ListReader(lambda item: item)
        with pytest.raises(NotAList, match="MiB between two items"):  # noqa: PT012 - which piece it is, is no matter
            reader.write(start)
            for _ in range(1000):
                reader.write(b"x" * 65_536)


def test_a_list_without_an_end_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_ITEMS", 100)
    with pytest.raises(NotAList, match="more than 100 items"):
        read(b'{"items": [' + b"{}," * 1000, [])
