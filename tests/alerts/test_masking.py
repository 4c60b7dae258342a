"""What a receiver may answer: every form of a secret goes, and scheme, host and port stay."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.escapes import unescaped, without_breaks
from k8s_tuning.alerts.posting import quote as quote_of

WEBHOOK = ChannelSecret(
    url="https://user99:passwd@h.example.com:8443/services/T0/B0/T0KEN?key=q7&x=y",
    password="pa55word",
    extra={"headers": {"X-Key": "extrakey"}, "disable_ssl": "true", "list": ["listed-secret"]},
)


def mask(text: str, secret: ChannelSecret) -> str:
    return secret.masker.own(text)


def mask_answer(text: str, secret: ChannelSecret) -> str:
    return secret.masker.answer(text)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no such path /services/T0/B0/T0KEN", "no such path /***"),
        ("token T0KEN is unknown", "token *** is unknown"),
        ("team T0, app B0", "team ***, app ***"),
        ("key=q7 was refused", "key=*** was refused"),
        ("pa55word extrakey listed-secret user99 passwd", "*** *** *** *** ***"),
        ("services are down, true", "services are down, true"),
        ("https://h.example.com:8443: answered 404", "https://h.example.com:8443: answered 404"),
        ("h.example.com is not example.com:8443", "h.example.com is not example.com:8443"),
        (
            "POST https://user99:passwd@h.example.com:8443/services/T0/B0/T0KEN",
            "POST https://***:***@h.example.com:8443/***",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_of_an_answer_what_is_secret_goes_and_what_is_not_stays(said: str, shown: str) -> None:
    assert mask_answer(said, WEBHOOK) == shown


@pytest.mark.parametrize("token", ["T1", "abc", "x9-z", "12345", "geheim"])
def test_a_short_token_is_masked_as_a_word_and_not_within_one(token: str) -> None:
    secret = ChannelSecret(url=f"https://h.example.com/hooks/{token}")
    assert mask_answer(f"unknown hook {token}.", secret) == "unknown hook ***."
    if len(token) < 6:
        assert mask_answer(f"a{token}b", secret) == f"a{token}b"


def test_our_own_message_keeps_what_may_be_any_word() -> None:
    """The target `tuning` is no secret because the webhook's path ends with it."""
    secret = ChannelSecret(url="https://h.example.com/hooks/tuning", password="T0P-S3CRET")
    assert mask("target tuning, T0P-S3CRET", secret) == "target tuning, ***"
    assert mask_answer("no hook tuning", secret) == "no hook ***"


@pytest.mark.parametrize("word", ["https", "example", "h.example.com", "8443", "example.com:8443"])
def test_scheme_host_and_port_stay_whatever_the_password_is(word: str) -> None:
    secret = ChannelSecret(url="https://h.example.com:8443/hook/x1", password=word)
    assert mask_answer("https://h.example.com:8443: answered 500", secret) == "https://h.example.com:8443: answered 500"
    mail = ChannelSecret(host="mail.example.com", port=465, login="robot", password="example")
    assert mask_answer("smtp mail.example.com:465: 535 no", mail) == "smtp mail.example.com:465: 535 no"


def test_a_token_that_holds_the_hosts_name_goes_whole() -> None:
    secret = ChannelSecret(url="https://h.example.com/x", password="key-of-h.example.com-123")
    assert mask_answer("bad key key-of-h.example.com-123", secret) == "bad key ***"


def test_basic_authentication_is_masked_as_it_is_sent() -> None:
    """The login's and the URL's own, in an echoed header."""
    login = ChannelSecret(host="mail", login="robot", password="pw")
    assert mask_answer(f"Authorization: Basic {base64.b64encode(b'robot:pw').decode()}", login).endswith("Basic ***")
    url = ChannelSecret(url="https://robot:pw@h.example.com/x")
    assert mask_answer(f"Basic {base64.b64encode(b'robot:pw').decode()}", url) == "Basic ***"


@given(
    st.text(min_size=6).filter(lambda text: text.strip() == text),
    st.binary(max_size=7),
    st.binary(max_size=7),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_a_secret_in_base64_is_found_wherever_it_lies(
    password: str, before: bytes, behind: bytes, encode: object
) -> None:
    """Of an echoed body as a whole, most of the secret's signs are gone, so that nobody can read it back."""
    data = password.encode("utf-8", "replace")
    said = encode(before + data + behind).decode()
    shown = mask_answer(said, ChannelSecret(password=password))
    assert "***" in shown
    assert len(shown) - 3 <= len(said) - (len(data) - 3) * 8 // 6


@given(st.text(min_size=6), st.text(max_size=20), st.text(max_size=20))
def test_a_password_is_masked_as_json_urls_and_html_write_it(password: str, before: str, behind: str) -> None:
    assume(password not in before + behind)
    secret = ChannelSecret(url="https://h.example.com/", password=password)
    writers = (
        str,
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: quote(text, errors="replace"),
        lambda text: quote(text, safe="", errors="replace"),
        html.escape,
    )
    for write in writers:
        written = write(password)
        assert written not in mask_answer(f"{write(before)} {written} {write(behind)}", secret).replace("***", "")


KEY = "pw-Zq9x/K+e2ü=&<geheim"
WRITERS = {
    "JSON's escape of every sign": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "in capitals": lambda text: "".join(f"\\u{ord(sign):04X}" for sign in text),
    "Go's JSON": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c").replace("/", "\\u002f"),
    "JSON within JSON": lambda text: json.dumps(json.dumps(text)),
    "bytes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "every byte for a URL": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "a URL within a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "HTML, decimal": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(sign):X};" for sign in text),
    "HTML as Jinja's and others' escapes have it": lambda text: (
        html.escape(text).replace("/", "&#x2F;").replace("=", "&#61;")
    ),
    "HTML's names": lambda text: html.escape(text).replace("+", "&plus;").replace("ü", "&uuml;").replace("/", "&sol;"),
    "base64 in lines": lambda text: "\r\n".join(re.findall(".{1,8}", base64.b64encode(text.encode()).decode())),
    "base64 in lines within JSON": lambda text: "\\n".join(
        re.findall(".{1,8}", base64.b64encode(text.encode()).decode())
    ),
    "base64 in a URL": lambda text: quote(base64.b64encode(text.encode()), safe=""),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in capitals": lambda text: text.encode().hex().upper(),
    "UTF-8 taken for Latin-1": lambda text: text.encode().decode("latin-1"),
    "in two lines": lambda text: f"{text[:8]}\n{text[8:]}",
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(
    "secret",
    [
        ChannelSecret(password=KEY),
        ChannelSecret(url=f"https://h.example.com/hooks/{quote(KEY, safe='')}"),
        ChannelSecret(extra={"headers": {"X-Key": KEY}}),
        ChannelSecret(url="https://h.example.com/x", proxy=f"http://robot:{quote(KEY, safe='')}@proxy.example.com"),
    ],
    ids=["the password", "the path", "a header", "the proxy's"],
)
def test_a_secret_goes_however_its_signs_are_written(write: Callable[[str], str], secret: ChannelSecret) -> None:
    shown = mask_answer(f"no such key: {write(KEY)}, sorry", secret)
    assert re.fullmatch(r"no such key: [\\\"]*\*\*\*(?:=|%3D)*[\\\"]*, sorry", shown)


@pytest.mark.parametrize("said", ["bad token TOKEN", "TOKEN", "Authorization: Bearer TOKEN", '{"token": "TOKEN"}'])
def test_the_token_of_a_header_goes_without_its_scheme_too(said: str) -> None:
    secret = ChannelSecret(extra={"headers": {"Authorization": "Bearer tok-1234567890-abcdef"}})
    assert mask_answer(said.replace("TOKEN", "tok-1234567890-abcdef"), secret) == said.replace(
        "Bearer TOKEN", "***"
    ).replace("TOKEN", "***")


def test_a_number_in_the_extra_is_as_secret_as_a_text() -> None:
    secret = ChannelSecret(extra={"headers": {"X-Pin": 9182736455}, "timeout": 30})
    assert mask_answer("pin 9182736455 after 30 s", secret) == "pin *** after 30 s"


@pytest.mark.parametrize("padding", [0, 100, 180, 190, 195, 198, 199, 200])
def test_a_quote_is_cut_after_it_is_masked(padding: int) -> None:
    """Else the beginning of a secret at the cut is left."""
    token = "xoxb-1234567890-abcDEFGHIJKLMNOP"
    shown = quote_of("a" * padding + f" {token} " + "b" * 300, ChannelSecret(password=token))
    assert len(shown) <= 202
    assert "xox" not in shown


@given(st.text(st.sampled_from("\\%&#xu025;anq/\n 41"), max_size=60))
def test_every_sign_that_is_read_stands_somewhere_in_the_text(text: str) -> None:
    for read in (unescaped(text), without_breaks(text)):
        assert all(0 <= begin < end <= len(text) for _, begin, end in read)
        assert [begin for _, begin, _ in read] == sorted(begin for _, begin, _ in read)


@given(st.text(), st.text(), st.text())
def test_masking_never_fails_whatever_a_connection_holds(url: str, password: str, said: str) -> None:
    secret = ChannelSecret(url=url, host=url, login=password, password=password, extra={"a": [url]})
    assert isinstance(mask_answer(said, secret), str)
    assert isinstance(mask(said, secret), str)
