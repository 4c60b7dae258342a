"""Text from strangers: what a terminal may have of it."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.printable import end_of, json_text, log_line, one_line, printable, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x1b[31mb", "a␛[31mb"),
        ("nul\x00", "nul␀"),
        ("\x7f", "␡"),
        ("gnp\u202eexe", "gnp⟨U+202E⟩exe"),
        ("half \ud83d", "half ⟨U+D83D⟩"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("한글 🚀 👩‍🚀 नमस्ते", "한글 🚀 👩‍🚀 नमस्ते"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, seen: str) -> None:
    assert visible(text) == seen


SEQUENCES = {
    "colour": "\x1b[1;31m",
    "cursor up": "\x1b[2A",
    "clear the screen": "\x1b[H\x1b[2J",
    "alternate screen": "\x1b[?1049h",
    "8-bit colour": "\x9b31m",
    "the window's title": "\x1b]0;pwned\x07",
    "the clipboard": "\x1b]52;c;cm0gLXJmIC8=\x1b\\",
    "a link": "\x1b]8;;http://evil.example/\x1b\\",
    "a device's control string": "\x1bP$q m\x1b\\",
    "8-bit title": "\x9d0;pwned\x9c",
    "a title without an end": "\x1b]0;pwned",
    "full reset": "\x1bc",
    "line drawing": "\x1b(0",
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES)
def test_a_control_sequence_goes_with_what_it_carries(sequence: str) -> None:
    assert printable(f"before{sequence}") == "before"
    assert log_line(f"before{sequence}") == "before"


@given(st.text(st.characters() | st.sampled_from("\x1b\x9b\x9d[]()0;m\x07\x9c\\")))
def test_nothing_that_a_terminal_obeys_or_utf_8_cannot_hold_is_left(text: str) -> None:
    for made in (visible(text), printable(text), log_line(text), one_line(text, 20)):
        made.encode()
        assert all(unicodedata.category(sign) not in ("Cc", "Cs") or sign in "\t\n" for sign in made)
        assert not set(made) & set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert visible(visible(text)) == visible(text)


@given(st.recursive(st.text() | st.integers(), st.lists))
def test_json_says_the_same_with_signs_that_can_be_seen(value: object) -> None:
    written = json_text(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(written) == value
    assert all(unicodedata.category(sign) != "Cc" or sign == "\n" for sign in written)


PROGRESS = "".join(f"\r {percent:3}%|{'#' * (percent // 10)}| {percent}/100" for percent in range(101))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("a Windows line\r", "a Windows line"),
        (PROGRESS, " 100%|##########| 100/100"),
        (f"{PROGRESS}\r", " 100%|##########| 100/100"),
        (f"{PROGRESS}\r\x1b[K", " 100%|##########| 100/100"),
        (f"{PROGRESS}\r          \r", " 100%|##########| 100/100"),
        ("10%\x08\x08\x0820%\x08\x08\x0830%", "30%"),
        ("epoch 1 \x1b[32m●\x1b[0m loss 0.5", "epoch 1 ● loss 0.5"),
        ("\r\r\r", ""),
        ("", ""),
    ],
    ids=["plain", "crlf", "tqdm", "tqdm ended", "erased", "blanked", "backspaces", "colour", "returns alone", "empty"],
)
def test_a_line_of_a_log_is_what_stands_on_the_terminal_in_the_end(line: str, shown: str) -> None:
    assert log_line(line) == shown


def test_a_long_line_of_a_log_keeps_its_end_and_a_message_its_beginning() -> None:
    assert end_of("0123456789", 5) == "…6789"
    assert end_of("01234", 5) == "01234"
    assert one_line("0123456789", 5) == "0123…"
    assert one_line("two\n lines\t한국어") == "two lines 한국어"
