"""Connections from the environment, and what is masked."""

from __future__ import annotations

import pytest

from k8s_tuning.alerts.credentials import ChannelSecret, check_url, from_environment, place_of, variable_of
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


def test_a_connection_shows_nothing_of_itself_and_its_place_is_no_secret() -> None:
    secret = ChannelSecret(url="https://user99:passwd@h.example.com:1/services/T0KEN?key=q")
    assert "T0KEN" not in repr(secret) + str(secret)
    assert place_of(secret.url or "") == "https://h.example.com:1"


def test_an_address_needs_http_and_a_host() -> None:
    assert check_url("http://[::1]:8080/x", "here") == "http://[::1]:8080/x"
    with pytest.raises(ConfigError, match=r"^here: a URL without a host"):
        check_url("https://", "here")
