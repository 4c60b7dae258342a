"""Fields of the API's objects: a missing or mistyped one is absent, and a text is fit to be shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from k8s_tuning.stages.api_values import (
    as_mapping,
    count,
    flag,
    mapping,
    mappings,
    number,
    text,
    text_list,
    texts,
)


@pytest.mark.parametrize(
    ("read", "value", "expected", "absent"),
    [
        (mapping, {"a": 1}, {"a": 1}, {}),
        (mappings, [{"a": 1}, 7, None], [{"a": 1}], []),
        (text, "a\x1b[2Jb", "ab", None),
        (text, "", None, None),
        (texts, {"a": 1, "b": "c\x07"}, {"a": "1", "b": "c␇"}, {}),
        (text_list, ["a", "", 7], ["a"], []),
        (number, 3, 3, None),
        (number, True, None, None),
        (count, 3, 3, 0),
        (flag, False, False, None),
        (flag, 0, None, None),
    ],
)
def test_a_field_is_read_by_its_type(
    read: Callable[[dict[str, Any], str], Any], value: Any, expected: Any, absent: Any
) -> None:
    assert read({"field": value}, "field") == expected
    for odd in ({}, {"field": None}, {"field": object()}):
        assert read(odd, "field") == absent


def test_what_is_no_object_is_an_empty_one() -> None:
    assert as_mapping({"a": 1}) == {"a": 1}
    assert as_mapping([1]) == as_mapping(None) == {}
