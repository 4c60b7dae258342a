"""The suite that every channel passes: retries, secrets, limits, Korean and emoji, resolve, dry run, ledger."""

from __future__ import annotations

import base64
import contextlib
import email.policy
import json
import logging
import re
from dataclasses import replace
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import filelock
import pytest
from tests.alerts.channels.conftest import HTTP_KINDS, KINDS, PATH, TOKEN, Rig, dead_url, make_rig
from tests.alerts.observations import World, at, incident, notice, observation, record

import k8s_tuning
from k8s_tuning import plain_values
from k8s_tuning.alerts.channels import CHANNELS
from k8s_tuning.alerts.config import Receiver, parse_config
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.notice import Notice, Status
from k8s_tuning.alerts.plan import plan_notices
from k8s_tuning.errors import InputError, StoreError


def test_the_suite_leaves_no_kind_of_channel_out() -> None:
    assert set(CHANNELS) == {*KINDS, "console"}


# (fault, tries, whether it may succeed later, seconds waited at least before each retry)
RETRIES = [
    ("500", 4, True, [0.5, 1.0, 2.0]),
    ("503", 4, True, [2.0, 2.0, 2.0]),
    ("429", 4, True, [7.0, 7.0, 7.0]),
    ("429 for an hour", 1, True, []),
    ("400", 1, False, []),
    ("401", 1, False, []),
    ("403", 1, False, []),
    ("404", 1, False, []),
    ("410", 1, False, []),
    ("302", 1, False, []),
    ("close", 4, True, [0.5, 1.0, 2.0]),
]


@pytest.mark.parametrize(("fault", "tries", "retryable", "waits"), RETRIES, ids=[row[0] for row in RETRIES])
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_the_retry_table(kind: str, fault: str, tries: int, retryable: bool, waits: list[float]) -> None:
    """429 by Retry-After, 5xx and connection faults with growing pauses, nothing else; a redirect is not followed."""
    with make_rig(kind) as rig:
        for _ in range(4):
            rig.misbehave(fault)
        outcome = rig.deliver(notice())
        assert (outcome.outcome, outcome.attempts, outcome.retryable) == ("failed", tries, retryable)
        assert len(rig.received()) == tries
        assert len(rig.slept) == len(waits)
        assert all(least <= slept <= least + 1 for least, slept in zip(waits, rig.slept, strict=True))


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize("fault", ["hang", "slow"])
def test_a_receiver_that_never_finishes_is_left(kind: str, fault: str) -> None:
    """Even one that sends a byte now and then: the limit is on the whole exchange."""
    with make_rig(kind, timeout_seconds=0.05) as rig:
        for _ in range(4):
            rig.misbehave(fault)
        outcome = rig.deliver(notice())
        assert (outcome.outcome, outcome.attempts, outcome.retryable) == ("failed", 4, True)
        assert "no answer within 0.05 s" in outcome.answer


def test_a_passing_fault_is_tried_again_until_it_is_taken(rig: Rig) -> None:
    rig.misbehave("500")
    outcome = rig.deliver(notice())
    assert (outcome.outcome, outcome.attempts) == ("sent", 2)
    assert len(rig.slept) == 1


def test_a_refusal_for_good_is_not_tried_again(rig: Rig) -> None:
    rig.misbehave("400")
    outcome = rig.deliver(notice())
    assert (outcome.outcome, outcome.attempts, outcome.retryable) == ("failed", 1, False)


def test_nobody_listening_is_a_failure_that_may_pass(rig: Rig) -> None:
    dead = ChannelSecret(url=dead_url(), host="127.0.0.1", port=1, password=TOKEN, extra={"disable_ssl": True})
    outcome = rig.deliver(notice(), resolve=lambda _: dead)
    assert (outcome.outcome, outcome.attempts, outcome.retryable) == ("failed", 4, True)
    assert "cannot be connected to" in outcome.answer


@pytest.mark.parametrize("fault", ["echo", "500", None])
def test_no_secret_is_ever_shown(rig: Rig, fault: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the log, the outcome, the ledger, the notice, a repr; not even where the receiver echoes it."""
    caplog.set_level(logging.DEBUG)
    ledger, planned = _planned(tmp_path, rig)
    if fault:
        rig.misbehave(fault)
    shown = rig.deliver(planned, ledger, dry_run=True)
    outcome = rig.deliver(planned, ledger)
    everything = "\n".join(
        # The receivers of these tests log what they are sent; they are not ours.
        [record.getMessage() for record in caplog.records if record.name != "mail.log"]
        + [
            repr(outcome),
            str(plain_values.dump(outcome)),
            str(plain_values.dump(planned)),
            repr(rig.secret),
            repr(shown),
        ]
        + [path.read_text() for path in tmp_path.iterdir() if path.is_file()]
    )
    for secret in (TOKEN, PATH, base64.b64encode(f"robot:{TOKEN}".encode()).decode()):
        assert secret not in everything
    assert outcome.attempts >= 1


@pytest.mark.parametrize(
    "url",
    [f"http://[::1{PATH}", f"ftp://x{PATH}", f"http:///{PATH}", f"http://h:99999{PATH}", f"file://{PATH}", f"h{PATH}"],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(
    http_rig: Rig, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = http_rig.deliver(notice(), resolve=lambda _: ChannelSecret(url=url, password="pass-word"))
    assert (outcome.outcome, outcome.retryable) == ("failed", False)
    assert TOKEN not in outcome.answer + caplog.text


def test_a_missing_connection_or_secret_is_a_failure_with_its_cure(rig: Rig) -> None:
    def missing(name: str) -> ChannelSecret:
        raise InputError(f"connection {name!r} is not there; make it")

    outcome = rig.deliver(notice(), resolve=missing)
    assert (outcome.outcome, outcome.answer) == ("failed", "connection 'connection' is not there; make it")
    empty = rig.deliver(notice(), resolve=lambda _: ChannelSecret())
    assert empty.outcome == "failed"
    assert "put it" in empty.answer


def test_a_dry_run_sends_nothing_and_shows_the_bytes_that_would_go(rig: Rig) -> None:
    def never(name: str) -> ChannelSecret:
        raise AssertionError("a dry run needs no secret")

    shown = rig.deliver(notice(), dry_run=True, resolve=never)
    assert (shown.outcome, rig.received()) == ("dry_run", [])
    rig.deliver(notice())
    sent = rig.received()[0]
    if rig.channel.type == "email":
        assert (
            shown.shown.encode().replace(b"\r\n", b"\n").split(b"\n\n", 1)[1].strip()
            == sent.replace(b"\r\n", b"\n").strip()
        )
    else:
        assert sent.replace(TOKEN.encode(), b"***").decode() in shown.shown


def test_korean_and_emoji_arrive_as_they_are(rig: Rig) -> None:
    rig.deliver(notice())
    text = _text(rig)
    assert "작업 2개 실패 🚀" in text
    assert "이모지 🚨👩‍🚀" in text


@pytest.mark.parametrize(
    ("filling", "size"),
    [("x", 10_000), ("한", 10_000), ("👩‍🚀", 10_000), ("&<>", 10_000), ("한", 3_000_000)],
    ids=["ascii", "korean", "emoji", "escapes", "huge"],
)
def test_a_text_past_the_receivers_limits_is_cut_with_a_note(rig: Rig, filling: str, size: int) -> None:
    """Never refused, and never cut within a sign."""
    text = filling * (size // len(filling))
    planned = notice(incident(summary=text))
    outcome = rig.deliver(planned)
    assert outcome.outcome == "sent", outcome.answer
    body = rig.received()[0]
    assert len(body) <= 512 * 1024 or rig.channel.type in ("generic_webhook", "email")
    if rig.channel.type in ("slack_webhook", "slack_api", "pagerduty"):
        assert "… (cut)" in _text(rig)
        _check_limits(json.loads(body))
    body.decode("utf-8")


def test_a_resolve_is_sent_as_such(rig: Rig) -> None:
    outcome = rig.deliver(notice(status=Status.RESOLVED, decision="resolved"))
    assert outcome.outcome == "sent"
    words = _text(rig)
    if rig.channel.type == "pagerduty":
        assert json.loads(rig.received()[0])["event_action"] == "resolve"
    elif rig.channel.type == "alertmanager":
        assert json.loads(rig.received()[0])[0]["endsAt"] == at(31)
    else:
        assert "RESOLVED" in words
        assert at(30) in words


def test_a_test_alert_cannot_be_taken_for_a_real_one(rig: Rig) -> None:
    planned = notice(status=Status.TEST)
    planned.title = "🧪 TEST alert"
    planned.items[0].payload.title = "🧪 TEST alert"
    rig.deliver(planned)
    assert "🧪 TEST alert" in _text(rig)


def test_a_retried_task_sends_nothing_twice(rig: Rig, tmp_path: Path) -> None:
    ledger, planned = _planned(tmp_path, rig)
    assert rig.deliver(planned, ledger).outcome == "sent"
    sent = len(rig.received())
    assert rig.deliver(planned, ledger).outcome == "already_sent"
    assert len(rig.received()) == sent
    line = list(ledger.lines())[-1]
    assert (line.outcome, line.attempts, line.run_id, line.decision) == ("sent", 1, "run-1", "first")


def test_a_failure_is_in_the_ledger_and_pending(rig: Rig, tmp_path: Path) -> None:
    ledger, planned = _planned(tmp_path, rig)
    rig.misbehave("400")
    rig.deliver(planned, ledger)
    line = list(ledger.lines())[-1]
    assert (line.outcome, line.attempts) == ("failed", 1)
    assert line.answer
    (facts,) = ledger.state().incidents.values()
    assert facts.channels["team", "channel"].pending is not None
    assert rig.deliver(planned, ledger).outcome == "sent"  # the task's own retry


def test_a_notice_that_a_later_run_has_overtaken_is_not_sent(rig: Rig, tmp_path: Path) -> None:
    ledger, planned = _planned(tmp_path, rig)
    world = _world(rig)
    world.records.append(record("E", 0))
    world.lines = list(ledger.lines())
    world.run(10, run_id="run-2")
    ledger.append(world.lines[1:])
    assert rig.deliver(planned, ledger).outcome == "superseded"
    assert rig.received() == []


def _world(rig: Rig) -> World:
    base = parse_config(
        "route: {receiver: team}\nreceivers: [{name: team, channels: [{type: console, name: channel}]}]"
    )
    return World(replace(base, receivers={"team": Receiver("team", (rig.channel,))}))


def _planned(tmp_path: Path, rig: Rig) -> tuple[Ledger, Notice]:
    """A first notice of the rig's channel, planned and pending in a ledger."""

    ledger = Ledger(tmp_path / "ledger.jsonl")
    world = _world(rig)
    (planned,) = plan_notices(world.config, [observation([record("E", 0)])], ledger, at(0), "run-1", dry_run=False)
    return ledger, planned


def _text(rig: Rig) -> str:
    """Everything that a reader of the first message sees."""
    body = rig.received()[0]
    if rig.channel.type != "email":
        return "\n".join(_strings(json.loads(body)))
    message: Any = BytesParser(policy=email.policy.default).parsebytes(body)
    plain = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert "<b>" in html or "TEST" in html
    return f"{message['Subject']}\n{plain}\n{html}"


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return [str(value)]


def _check_limits(body: dict[str, Any]) -> None:
    if "event_action" in body:
        assert len(body["payload"]["summary"]) <= 1024
        return
    for attachment in body["attachments"]:
        assert len(attachment.get("text", "")) <= 3000
        assert len(attachment.get("title", "")) <= 150
        blocks = attachment.get("blocks", [])
        assert len(blocks) <= 50
        for block in blocks:
            limit = 150 if block["type"] == "header" else 3000
            assert len(block.get("text", {}).get("text", "")) <= limit
            assert all(len(part["text"]) <= 2000 for part in block.get("fields", []))


def planned(ledger: Ledger) -> Notice:
    """A notice that the ledger expects to be delivered."""
    config = parse_config(
        "route: {receiver: team}\n"
        "receivers: [{name: team, channels: [{type: generic_webhook, name: channel, connection: c}]}]"
    )
    (found,) = plan_notices(config, [observation([record("E", 0)])], ledger, at(0), "run-1", dry_run=False)
    return found


def test_what_was_sent_while_the_ledger_could_not_be_written_is_sent_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that lasts: it is written down as soon as it can be, and the task's retry finds it there."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    sent = planned(ledger)
    append, failures = Ledger.append, list[StoreError]()

    def away(self: Ledger, lines: Any) -> None:
        if len(failures) < 8:
            failures.append(StoreError("another process has held its lock for 60 s"))
            raise failures[-1]
        append(self, lines)

    with make_rig("generic_webhook") as rig:
        monkeypatch.setattr(Ledger, "append", away)
        assert rig.deliver(sent, ledger).outcome == "sent"
        assert rig.deliver(sent, ledger).outcome == "already_sent"
        assert len(rig.received()) == 1
        assert len(rig.slept) == 8


def test_what_was_sent_and_can_never_be_written_down_is_not_tried_again_by_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    sent = planned(ledger)

    def away(*_: Any) -> None:
        raise StoreError("the volume is gone")

    monkeypatch.setattr(Ledger, "append", away)
    with make_rig("generic_webhook") as rig:
        with pytest.raises(StoreError, match=r"was sent to team/channel, but .*the volume is gone") as failed:
            rig.deliver(sent, ledger)
        assert not failed.value.retryable
        assert len(rig.received()) == 1


@pytest.mark.parametrize("harm", ["folder", "full", "locked"])
def test_nothing_is_sent_where_it_could_not_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    sent = planned(ledger)
    with make_rig("generic_webhook") as rig, contextlib.ExitStack() as stack:
        if harm == "folder":
            monkeypatch.setattr(Ledger, "newest_first", lambda _: iter(()))
            ledger.path.unlink()
            ledger.path.mkdir()
            sent = replace(sent, status=Status.TEST)
        elif harm == "full":
            monkeypatch.setattr("k8s_tuning.storage.append_log._NEEDED_BYTES", 2**80)
        else:
            monkeypatch.setattr("k8s_tuning.storage.locks.WAIT_SECONDS", 0.05)
            stack.enter_context(filelock.FileLock(f"{ledger.path}.lock"))
        with pytest.raises(StoreError) as failed:
            rig.deliver(sent, ledger)
        assert failed.value.retryable
        assert rig.received() == []


@pytest.mark.parametrize("conn_type", ["postgres", "aws", "generic", "", "kubernetes"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_connection_of_another_system_holds_is_sent_nowhere(kind: str, conn_type: str) -> None:
    """Each kind takes the connections of its own types; the refusal is an outcome like any other."""
    with make_rig(kind) as rig:
        foreign = replace(rig.secret, conn_type=conn_type)
        outcome = rig.deliver(notice(), resolve=lambda _: foreign)
        assert rig.received() == []
    assert (outcome.outcome, outcome.retryable) == ("failed", False)
    for own in CHANNELS[kind].connection_types:
        assert own in outcome.answer


@pytest.mark.parametrize(("kind", "own"), [(kind, own) for kind in KINDS for own in CHANNELS[kind].connection_types])
def test_a_connection_of_its_own_types_is_taken(kind: str, own: str) -> None:
    with make_rig(kind) as rig:
        assert rig.deliver(notice(), resolve=lambda _: replace(rig.secret, conn_type=own)).outcome == "sent"


def test_what_a_channel_can_do_is_asked_of_its_kind_not_by_its_name() -> None:
    """So that a new channel is its module and its line in CHANNELS."""
    root = Path(k8s_tuning.__file__).parent
    names = "|".join(CHANNELS)
    compared = re.compile(rf"""(?:==|!=|\bin\b|\bcase\b) *[(\[{{]? *["'](?:{names})["']""")
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in sorted(root.rglob("*.py"))
        if not path.is_relative_to(root / "alerts" / "channels")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if compared.search(line)
    ]
    assert found == []
