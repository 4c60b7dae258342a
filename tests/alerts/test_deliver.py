"""Delivery ends in an outcome, and in the ledger, whatever a connection holds and whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alerts.channels.conftest import KINDS, Rig
from tests.alerts.observations import at, notice, observation, record
from tests.profiles import examples
from tests.servers import free_port, mail_server

from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.alerts.config import AlertingConfig, Receiver, parse_config
from k8s_tuning.alerts.credentials import ChannelSecret, from_environment
from k8s_tuning.alerts.deliver import deliver_notice
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.notice import Notice
from k8s_tuning.alerts.plan import plan_notices
from k8s_tuning.alerts.route import Route
from k8s_tuning.errors import ConfigError, InputError

ODD: list[Any] = [
    None, "", " ", "한글", "a\r\nb", "\ud800", "x" * 70_000, "::", "[::1", "a:b@c", "a..b", "99999", "http://[", "http://a..b/",
    0, 7, -1, 10**30, 1.5, float("nan"), True, [], ["a"], {}, {"a": 1}, {"": None},
]  # fmt: skip
FIELDS = ("url", "host", "port", "login", "password", "extra", "proxy")
EXTRAS = ("headers", "routing_key", "disable_ssl", "disable_tls", "ssl_context", "signing_secret")


def rig_of(kind: str) -> Rig:
    """Nobody listens where it sends to."""
    secret = ChannelSecret(url="http://127.0.0.1:1/x", host="127.0.0.1", port=1, login="l", password="p")
    return Rig(ChannelConfig("channel", kind, "connection", timeout_seconds=2, **KINDS[kind]), secret, list, list)  # type: ignore[arg-type]


def held(**odd: Any) -> dict[str, Any]:
    """A connection that could be, but for what is odd."""
    extra = {"disable_ssl": True, "disable_tls": True}
    return {"url": "http://127.0.0.1:1/x", "host": "127.0.0.1", "port": 1, "password": "p", "extra": extra, **odd}


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_connection_is_an_outcome(kind: str, data: Any) -> None:
    """Of JSON that somebody wrote: a port as text, an extra that is a list, a number where a text belongs."""
    name = data.draw(st.sampled_from((*FIELDS, *EXTRAS)))
    value = data.draw(st.sampled_from(ODD))
    values = held(extra={name: value}) if name in EXTRAS else held(**{name: value})
    with contextlib.suppress(ConfigError):  # what cannot be one at all is refused as it is read
        ChannelSecret(**values)
    outcome = rig_of(kind).deliver(notice(), resolve=lambda _: ChannelSecret(**values))
    assert outcome.outcome == "failed"
    assert outcome.answer
    assert "did not foresee" not in outcome.answer


@pytest.mark.parametrize(
    "headers",
    [
        {"": "x"},
        {"a b": "x"},
        {"a\r\nb": "x"},
        {"X": "a\nb"},
        {"Content-Length": "5"},
        {"Host": ""},
        {"X": "한글"},
        {1: 2},
    ],
    ids=str,
)
def test_odd_headers_of_a_connection_are_an_outcome(headers: dict[Any, Any]) -> None:
    outcome = rig_of("generic_webhook").deliver(
        notice(), resolve=lambda _: ChannelSecret(**held(extra={"headers": headers}))
    )
    assert (outcome.outcome, "did not foresee" in outcome.answer) == ("failed", False)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "email"])
@pytest.mark.parametrize("certificates", ["/nonexistent", os.devnull, __file__])
def test_a_file_of_certificates_that_is_none_is_an_outcome(
    kind: str, certificates: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificates)
    url = f"https://127.0.0.1:{free_port()}/x"
    outcome = rig_of(kind).deliver(notice(), resolve=lambda _: ChannelSecret(**held(url=url)))
    assert (outcome.outcome, "did not foresee" in outcome.answer) == ("failed", False)


@pytest.mark.parametrize(
    ("login", "password", "outcome"),
    [
        ("robot", "pässwörd", "failed"),
        ("로봇", "secret", "failed"),
        ("robot", "secret", "sent"),
        (7, 12345, "sent"),
        (None, "secret", "sent"),
        ("robot", None, "sent"),
    ],
)
def test_a_login_to_a_mail_server(login: Any, password: Any, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """smtplib itself breaks on letters beyond ASCII, in the middle of the exchange."""
    options = {"authenticator": lambda *_: AuthResult(success=True), "auth_require_tls": False}
    with mail_server(**options) as mail:
        secret = {"host": "127.0.0.1", "port": str(mail.port), "login": login, "password": password}
        extra = {"disable_ssl": True, "disable_tls": True}
        got = rig_of("email").deliver(notice(), resolve=lambda _: ChannelSecret(**secret, extra=extra))
    assert got.outcome == outcome
    if outcome == "failed":
        assert "letters beyond ASCII" in got.answer
        assert not any(str(one) in got.answer for one in (login, password) if not str(one).isascii())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"port": "x"}', "port"),
        ('{"password": ["s3cr3t"]}', "password"),
        ('{"extra": "s3cr3t"}', "extra"),
        ('{"url": "\\ud800"}', "url"),
        ('{"s3cr3t": 1}', "its keys are"),
        ("[" * 100_000, "no scheme"),
        ("{" * 100_000, "its keys are"),
    ],
    ids=lambda text: text[:20],
)
def test_an_odd_connection_of_the_environment_is_refused_by_its_name(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        from_environment("team", {"K8S_TUNING_CONNECTION_TEAM": text})
    assert "K8S_TUNING_CONNECTION_TEAM" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


class Interrupt(BaseException):
    """As Airflow's time-out of a task is: no exception that a channel could take for a fault of its own."""


def fails(error: BaseException) -> Any:
    def resolve(_: str) -> ChannelSecret:
        raise error

    return resolve


def planned(tmp_path: Path, rig: Rig) -> tuple[Ledger, Notice]:
    """A first notice of the rig's channel, planned and pending in a ledger."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    base = parse_config(
        "route: {receiver: team}\nreceivers: [{name: team, channels: [{type: console, name: channel}]}]"
    )
    config = replace(base, receivers={"team": Receiver("team", (rig.channel,))})
    (first,) = plan_notices(config, [observation([record("E", 0)])], ledger, at(0), "run-1", dry_run=False)
    return ledger, first


def test_the_ledger_has_the_attempt_of_a_fault_that_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    rig = rig_of("generic_webhook")
    ledger, first = planned(tmp_path, rig)
    outcome = rig.deliver(first, ledger, resolve=fails(ZeroDivisionError("s3cr3t")))
    assert (outcome.outcome, outcome.retryable) == ("failed", False)
    assert outcome.answer.startswith("ZeroDivisionError in ")
    assert [line.outcome for line in ledger.lines()] == ["owed", "failed"]
    assert "s3cr3t" not in (tmp_path / "ledger.jsonl").read_text()


def test_the_ledger_has_the_attempt_of_a_process_that_was_interrupted_while_it_sent(tmp_path: Path) -> None:
    """Nobody knows whether it arrived: it stays pending, and the next run sends it."""

    def interrupted(_: object) -> None:
        raise Interrupt

    rig = rig_of("generic_webhook")
    ledger, first = planned(tmp_path, rig)
    config = AlertingConfig(Route("team"), {"team": Receiver("team", (rig.channel,))})
    with pytest.raises(Interrupt):
        deliver_notice(config, first, lambda _: rig.secret, ledger, dry_run=False, sleep=interrupted)
    last = list(ledger.lines())[-1]
    assert (last.outcome, last.attempts) == ("failed", 1)
    assert "may have arrived" in last.answer
    (facts,) = ledger.state().incidents.values()
    assert facts.channels["team", "channel"].pending is not None


@pytest.mark.parametrize("reader", ["gone", "ascii"])
def test_a_standard_output_that_takes_nothing_is_an_outcome_of_the_console(
    reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reader == "gone":
        one, other = os.pipe()
        os.close(one)
        stream = os.fdopen(other, "w")
    else:
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    config = AlertingConfig.single(ChannelConfig("console", "console"))
    one = replace(notice(), receiver=next(iter(config.receivers)), channel="console")
    outcome = deliver_notice(config, one, fails(AssertionError()), None, dry_run=False)
    assert (outcome.outcome, outcome.retryable) == ("failed", False)
    assert "standard output" in outcome.answer
    with contextlib.suppress(OSError):
        stream.close()
