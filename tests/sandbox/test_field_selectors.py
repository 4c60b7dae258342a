"""Field selectors, as an API server reads them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import SelectorError
from k8s_tuning_sandbox.field_selectors import parse_fields


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a", True),
        ("metadata.name!=a", False),
        ("metadata.name=b", False),
        ("metadata.name=a,status.phase!=Failed", True),
        ("metadata.name=a,,status.phase=Failed", False),
        (r"message=one\, two\=2 \\", True),
        ("absent=", True),
        ("absent!=", False),
    ],
)
def test_field_selectors_select_by_equality(text: str, selected: bool) -> None:
    fields = {"metadata.name": "a", "status.phase": "Running", "message": "one, two=2 \\"}
    assert parse_fields(text).matches(fields) is selected


@pytest.mark.parametrize("text", ["metadata.name", "a=b=c", "a=\\b", "a=b\\", "a>b"])
def test_field_selectors_that_a_server_refuses_are_refused(text: str) -> None:
    with pytest.raises(SelectorError, match="field selector"):
        parse_fields(text)


@given(st.text())
def test_no_text_ends_in_another_error(text: str) -> None:
    with contextlib.suppress(SelectorError):
        parse_fields(text)
