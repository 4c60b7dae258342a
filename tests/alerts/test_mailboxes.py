"""E-mail addresses, as Go's net/mail and so Alertmanager reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.alerts.mailboxes import parse_mailboxes
from k8s_tuning.errors import InputError

READ = [
    ("ops@example.com", [("", "ops@example.com")]),
    ("<ops@example.com>", [("", "ops@example.com")]),
    ("Ops <ops@example.com>", [("Ops", "ops@example.com")]),
    ('"Team, Ops" <ops@example.com>', [("Team, Ops", "ops@example.com")]),
    ("Mr. Smith <a@x.com>", [("Mr. Smith", "a@x.com")]),
    ("김 철수 🙂 <a@x.com>", [("김 철수 🙂", "a@x.com")]),
    ("=?utf-8?q?J=C3=B6rg?= <a@x.com>", [("Jörg", "a@x.com")]),
    ("a@x.com, B <b@y.com>", [("", "a@x.com"), ("B", "b@y.com")]),
    ("a@x.com,,b@y.com,", [("", "a@x.com"), ("", "b@y.com")]),
    ("Team: a@x.com, b@y.com;", [("", "a@x.com"), ("", "b@y.com")]),
    ('"a b"@x.com', [("", '"a b"@x.com')]),
    (r'"a\"b"@x.com', [("", r'"a\"b"@x.com')]),
    ("a+tag@x.com", [("", "a+tag@x.com")]),
    ("a@localhost", [("", "a@localhost")]),
    ("a@[127.0.0.1]", [("", "a@[127.0.0.1]")]),
    ("a@x.com (on call)", [("", "a@x.com")]),
    ("a@bücher.example", [("", "a@xn--bcher-kva.example")]),
    ("김@x.com", [("", "김@x.com")]),
]


@pytest.mark.parametrize(("text", "expected"), READ, ids=[text for text, _ in READ])
def test_a_text_holds_these_addresses(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.display_name, one.addr_spec) for one in parse_mailboxes(text)] == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", ",", "a", "a@", "@x.com", "a b@x.com", "a@x y", "a@x.com; b@y.com", "a@x.com b@y.com", "Ops ops@x.com",
     "Ops <ops@x.com", "Ops <>", "<>", "a..b@x.com", ".a@x.com", "a@x..com", "a@.com", "a@b@c.com", "Team:;",
     "Ops <a@x.com> Ops", "a@x.com\nBcc: b@y.com", "a@x.com\x00", '"a@x.com', f"a@{'ü' * 70}.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not an e-mail address"):
        parse_mailboxes(text)


@given(st.text(alphabet='ab@.,<>"\\ ()[]:;김=?é\n', max_size=20) | st.text(max_size=20))
def test_any_text_is_addresses_or_an_input_error(text: str) -> None:
    """What is read is read the same again, and has no line break to make a header of."""
    try:
        found = parse_mailboxes(text)
    except InputError:
        return
    again = [one for address in found for one in parse_mailboxes(str(address))]
    assert [one.addr_spec for one in again] == [one.addr_spec for one in found]
    assert not any("\n" in str(address) or "\r" in str(address) for address in found)
