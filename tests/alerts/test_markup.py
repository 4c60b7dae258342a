"""Cutting without breaking a sign, and Markdown in other words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.alerts.markup import (
    CUT_NOTE,
    clusters,
    cut,
    escape_mrkdwn,
    to_html,
    to_mrkdwn,
    to_plain,
    utf8,
    utf16,
)  # fmt: skip

SIGNS = ["a", "한", "e\u0301", "👩‍🚀", "👍🏽", "🇰🇷", "⚠️", "\u1112\u1161\u11ab", "\r\n", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]


@pytest.mark.parametrize("sign", SIGNS)
def test_what_a_reader_sees_as_one_sign_stays_one(sign: str) -> None:
    assert list(clusters(f"x{sign}x")) == ["x", sign, "x"]


def test_flags_are_paired_from_the_left() -> None:
    assert list(clusters("🇰🇷🇩🇪🇫")) == ["🇰🇷", "🇩🇪", "🇫"]


@given(
    st.lists(st.sampled_from(SIGNS), max_size=60).map("".join), st.integers(0, 80), st.sampled_from([utf16, utf8, len])
)
def test_a_cut_text_fits_says_so_and_ends_between_two_signs(text: str, limit: int, measure: object) -> None:
    assert callable(measure)
    short = cut(text, limit, measure)
    assert measure(short) <= limit
    if short != text:
        assert short == "" or short.endswith(CUT_NOTE)
        kept = list(clusters(short.removesuffix(CUT_NOTE)))
        assert kept == list(clusters(text))[: len(kept)]


@given(st.text(max_size=200), st.integers(10, 100))
def test_mrkdwn_never_grows_past_the_limit_and_mentions_nobody(text: str, limit: int) -> None:
    """`<!channel>` in an event's message must not wake a whole channel."""
    shown = to_mrkdwn(text, limit)
    assert utf16(shown) <= limit
    assert "<" not in shown
    assert ">" not in shown


def test_markdown_becomes_each_receivers_own() -> None:
    text = "**Namespace:** a<b & c\n- one\n- two\nend 한국어 🚨"
    assert to_mrkdwn(text) == "*Namespace:* a&lt;b &amp; c\n• one\n• two\nend 한국어 🚨"
    assert to_plain(text) == "Namespace: a<b & c\n- one\n- two\nend 한국어 🚨"
    assert to_html(text) == (
        "<b>Namespace:</b> a&lt;b &amp; c<br>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\nend 한국어 🚨<br>"
    )
    assert to_html("- last") == "<ul>\n<li>last</li>\n</ul>"


def test_slacks_signs_are_escaped() -> None:
    assert escape_mrkdwn("<&>") == "&lt;&amp;&gt;"
