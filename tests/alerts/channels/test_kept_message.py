"""The message that the ledger keeps: what every channel got, and no secret of its connection in any form."""

from __future__ import annotations

import base64
import email.policy
import html
import json
from dataclasses import replace
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
from tests.alerts.channels.conftest import KINDS, TOKEN, Rig, dead_url, make_rig
from tests.alerts.observations import incident, notice

from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.notice import Notice, Status
from k8s_tuning.errors import InputError
from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.storage import jsonl

# Signs that JSON, URLs, HTML, Slack and Markdown each write in their own way.
HOSTILE = 'p"a\\ss/w**o**rd&<키>+ 🔑'
FORMS = {
    HOSTILE,
    json.dumps(HOSTILE)[1:-1],
    json.dumps(HOSTILE, ensure_ascii=False)[1:-1],
    json.dumps(HOSTILE)[1:-1].replace("/", "\\/"),
    quote(HOSTILE),
    quote(HOSTILE, safe=""),
    quote_plus(HOSTILE),
    html.escape(HOSTILE),
    html.escape(HOSTILE, quote=False),
    base64.b64encode(f"robot:{HOSTILE}".encode()).decode(),
}


def kept(rig: Rig, planned: Notice, path: Path, **more: Any) -> list[str]:
    """The messages of the lines that one delivery leaves."""
    ledger = Ledger(path)
    rig.deliver(replace(planned, status=Status.TEST), ledger, **more)
    return [line.message for line in ledger.lines()]


def readable(message: str) -> str:
    """The message, and what an e-mail's parts say, however they are encoded."""
    parts = BytesParser(policy=email.policy.default).parsebytes(message.partition("\n\n")[2].encode()).walk()
    said = [message]
    for part in parts:
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            said += [payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""]
        said += [str(part["Subject"])]
    return "\n".join(said)


def telling(text: str) -> Notice:
    """A notice whose every text holds this one."""
    one = incident(
        summary=f"failed with {text}",
        recent_events=[K8sEvent("Warning", "Failed", f"pull {text} 실패", "Job", f"job {text}", "ns")],
        selector=f"app={text}",
        target=text,
        reasons={text: 3},
    )
    return notice(one, one)


def test_the_message_is_the_bytes_that_the_receiver_got(rig: Rig, tmp_path: Path) -> None:
    """Korean and emoji intact; without the words that only a dry run may say."""
    planned = notice()
    (message,) = kept(rig, planned, tmp_path / "l.jsonl")
    got = rig.received()[0]
    if rig.channel.type == "email":
        assert message.replace("\r\n", "\n").partition("\n\n")[2].strip() == got.decode().replace("\r\n", "\n").strip()
    else:
        assert got.replace(TOKEN.encode(), b"***").decode() in message
    assert "nothing is sent" not in message
    assert "작업 2개 실패 🚀" in readable(message)


def test_a_message_that_failed_or_was_only_shown_is_kept_too(rig: Rig, tmp_path: Path) -> None:
    (sent,) = kept(rig, notice(), tmp_path / "sent")
    (shown,) = kept(rig, notice(), tmp_path / "shown", dry_run=True)
    rig.misbehave("400")
    (failed,) = kept(rig, notice(), tmp_path / "failed")
    assert sent == shown == failed


def test_without_its_connection_the_message_is_kept_and_without_its_channel_there_is_none(
    rig: Rig, tmp_path: Path
) -> None:
    def missing(name: str) -> ChannelSecret:
        raise InputError(f"no connection {name}")

    (message,) = kept(rig, notice(), tmp_path / "l", resolve=missing)
    assert "작업 2개 실패 🚀" in readable(message)
    assert kept(rig, notice(channel="gone"), tmp_path / "gone") == [""]


@pytest.mark.parametrize("kind", [*KINDS])
@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_secret_of_the_connection_gets_into_it_in_any_form(kind: str, form: str, tmp_path: Path) -> None:
    """Not even where the incident's own words hold it: an image's name, a log's line, an event."""
    dead = dead_url().rpartition("/services")[0]
    tail = quote(HOSTILE, safe="")
    secret = ChannelSecret(
        url=f"{dead}/services/{tail}?key={tail}", host="127.0.0.1", port=1, login="robot", password=HOSTILE,
        extra={"headers": {"X-Key": HOSTILE}, "disable_ssl": True},
    )  # fmt: skip
    with make_rig(kind) as rig:
        (message,) = set(kept(rig, telling(form), tmp_path / "l.jsonl", resolve=lambda _: secret)) - {""}
    everything = readable(message)
    everything += unquote(everything) + html.unescape(everything) + everything.replace("\\/", "/")
    assert "***" in everything
    assert [one for one in FORMS if one in everything] == []


def test_a_webhooks_token_alone_is_a_secret_but_an_ordinary_word_of_its_address_is_none(tmp_path: Path) -> None:
    with make_rig("slack_webhook") as rig:
        secret = ChannelSecret(url=f"{dead_url()}?mode=tuning")
        (message,) = kept(rig, telling(f"{TOKEN} tuning services"), tmp_path / "l", resolve=lambda _: secret)[:1]
    assert TOKEN not in message
    assert "tuning services" in message


def test_of_several_incidents_in_one_message_the_first_ones_line_has_it(tmp_path: Path) -> None:
    many = [incident(id=f"{number:012}", selector=f"app=a{number}") for number in range(3)]
    with make_rig("generic_webhook") as rig:
        messages = kept(rig, notice(*many), tmp_path / "l.jsonl")
    assert [bool(message) for message in messages] == [True, False, False]
    assert all(one.id in messages[0] for one in many)


def test_a_message_too_long_for_a_line_is_cut_and_says_so(tmp_path: Path) -> None:
    """It was sent: what cannot be written down whole would be sent again."""
    text = 'x한"🚨' * 700_000
    with make_rig("generic_webhook", timeout_seconds=20) as rig:
        (message,) = kept(rig, notice(incident(summary=text)), tmp_path / "l.jsonl")
        got = rig.received()[0]
    kept_part, _, note = message.rpartition("\n")
    assert note.startswith("… (cut here: the whole message has ")
    assert kept_part.partition("\n\n")[2].encode() == got[: len(kept_part.partition("\n\n")[2].encode())]
    line = (tmp_path / "l.jsonl").read_bytes()
    assert jsonl.MAX_LINE_BYTES - 100 < len(line) - 1 <= jsonl.MAX_LINE_BYTES
