"""Connections from the environment, and what is masked."""

from __future__ import annotations

import pytest

from k8s_tuning.alerts.credentials import ChannelSecret, check_url, from_environment, mask, place_of, variable_of
from k8s_tuning.errors import ConfigError, InputError


def test_a_connection_is_a_url_or_json() -> None:
    environment = {
        "K8S_TUNING_CONNECTION_SLACK_DEV": "https://hooks.example.com/T0KEN",
        "K8S_TUNING_CONNECTION_MAIL": '{"host": "mail", "port": 25, "login": "a", "password": "pässword"}',
    }
    assert from_environment("slack-dev", environment).url == "https://hooks.example.com/T0KEN"
    mail = from_environment("mail", environment)
    assert (mail.host, mail.port, mail.password) == ("mail", 25, "pässword")
    assert variable_of("a.b-c") == "K8S_TUNING_CONNECTION_A_B_C"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"\$?K8S_TUNING_CONNECTION_X is not set"),
        ("ftp://T0KEN", "scheme 'ftp'"),
        ("{T0KEN", "not usable JSON"),
        ('{"T0KEN": 1}', "not usable JSON"),
    ],
)
def test_a_connection_that_cannot_be_used_is_refused_without_showing_it(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        from_environment("x", {"K8S_TUNING_CONNECTION_X": text})
    assert "T0KEN" not in str(caught.value)


def test_every_part_of_a_connection_is_masked() -> None:
    secret = ChannelSecret(
        url="https://user99:passwd@h.example.com:1/services/T0KEN?key=q",
        password="pa55word",
        extra={"headers": {"X-Key": "extrakey"}, "disable_ssl": True},
    )
    said = "failed: https://user99:passwd@h.example.com:1/services/T0KEN?key=q /services/T0KEN pa55word extrakey user99"
    shown = mask(said, secret)
    for hidden in ("T0KEN", "passwd", "pa55word", "extrakey", "user99", "key=q"):
        assert hidden not in shown
    assert shown.startswith("failed: ***")
    assert "T0KEN" not in repr(secret) + str(secret)
    assert place_of(secret.url or "") == "https://h.example.com:1"


def test_a_secret_is_masked_as_json_urls_and_html_write_it_and_a_token_by_itself() -> None:
    """What a receiver answers may quote the request in any of these."""
    secret = ChannelSecret(
        url="https://h.example.com/services/T0KEN-0f-the-webhook/a%2Fb?key=an0ther-l0ng-token",
        login="robot",
        password='pä"s/s<w',
    )
    said = (
        r"T0KEN-0f-the-webhook an0ther-l0ng-token services/T0KEN-0f-the-webhook/a/b p\u00e4\"s/s<w pä\"s\/s<w "
        "p%C3%A4%22s%2Fs%3Cw p%c3%a4%22s/s%3cw pä&quot;s/s&lt;w cm9ib3Q6cMOkInMvczx3"
    )
    assert set(mask(said, secret).split()) == {"***"}
    assert mask("h.example.com: services answered", secret) == "h.example.com: services answered"


def test_an_address_needs_http_and_a_host() -> None:
    assert check_url("http://[::1]:8080/x", "here") == "http://[::1]:8080/x"
    with pytest.raises(ConfigError, match=r"^here: a URL without a host"):
        check_url("https://", "here")
