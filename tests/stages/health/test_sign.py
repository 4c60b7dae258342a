"""Ages by two clocks, and the words of a sign."""

from __future__ import annotations

import pytest

from k8s_tuning.stages.health.sign import age, exit_words, lies_ahead, said, shortened

AT = "2025-11-16T10:10:00Z"


@pytest.mark.parametrize(
    ("since", "seconds", "ahead"),
    [
        ("2025-11-16T10:09:00Z", 60.0, False),
        ("2025-11-16T10:10:05Z", 0.0, False),
        ("2025-11-16T10:10:06Z", None, True),
        (None, None, False),
        ("yesterday", None, False),
    ],
    ids=["past", "stamped by another machine in the same moment", "a clock is wrong", "unknown", "unreadable"],
)
def test_an_age_is_never_negative(since: str | None, seconds: float | None, ahead: bool) -> None:
    assert (age(since, AT), lies_ahead(since, AT)) == (seconds, ahead)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "exit code 3"),
        (128, "exit code 128"),
        (137, "exit code 137 (SIGKILL)"),
        (143, "exit code 143 (SIGTERM)"),
        (255, "exit code 255"),
    ],
)
def test_an_exit_code_above_128_names_its_signal(code: int, words: str) -> None:
    assert exit_words(code) == words


def test_a_reason_and_its_message_are_one_short_line() -> None:
    assert said("Error", "no ticks\nfor BTC") == "Error: no ticks for BTC"
    assert said(None, None) == said("", " ") == "no reason given"
    assert len(shortened("x" * 1000)) == 300
