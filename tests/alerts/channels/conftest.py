"""One receiver of each kind, for the suite that every channel passes."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.alerts.observations import at
from tests.servers import RecordingServer, close, free_port, hang, mail_server, recording_server, redirect, slow, status

from k8s_tuning.alerts.channels import ChannelConfig
from k8s_tuning.alerts.config import AlertingConfig, Receiver
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.deliver import deliver_notice
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.notice import Notice, Outcome
from k8s_tuning.alerts.route import Route

TOKEN = "T0P-S3CRET-t0ken"
PATH = f"/services/T000/B000/{TOKEN}"


def slack_answer(handler: Any) -> None:
    """What Slack's Web API says to a message."""
    status(200, json.dumps({"ok": True, "channel": "C1", "ts": "1700000000.000100"}))(handler)


@dataclass
class Rig:
    """A channel, its receiver, and what the tests ask of both."""

    channel: ChannelConfig
    secret: ChannelSecret
    received: Callable[[], list[bytes]]
    misbehave: Callable[[str], None]
    server: RecordingServer | None = None
    slept: list[float] = field(default_factory=list)

    def deliver(self, notice: Notice, ledger: Ledger | None = None, **more: Any) -> Outcome:
        config = AlertingConfig(Route("team"), {"team": Receiver("team", (self.channel,))})
        return deliver_notice(
            config,
            notice,
            more.pop("resolve", lambda _: self.secret),
            ledger,
            dry_run=more.pop("dry_run", False),
            now=lambda: at(32),
            sleep=self.slept.append,
        )


KINDS: dict[str, dict[str, Any]] = {
    "slack_webhook": {},
    "slack_api": {"options": {"channel": "#alerts"}},
    "generic_webhook": {},
    "pagerduty": {},
    "alertmanager": {},
    "email": {"options": {"from": "k8s@example.com", "to": ["ops@example.com"]}},
}
HTTP_KINDS = [kind for kind in KINDS if kind != "email"]

FAULTS: dict[str, Any] = {
    "500": status(500, "boom"),
    "503": status(503, "", {"Retry-After": "2"}),
    "429": status(429, "slow down", {"Retry-After": "7"}),
    "429 for an hour": status(429, "slow down", {"Retry-After": "3600"}),
    "400": status(400, "bad"),
    "401": status(401, "who?"),
    "403": status(403, "no"),
    "404": status(404, "gone"),
    "410": status(410, "gone"),
    "302": redirect("http://169.254.169.254/latest/meta-data/"),
    "hang": hang,
    "slow": slow,
    "close": close,
    "echo": status(400, f"cannot post to {PATH} with {TOKEN}"),
}


@pytest.fixture(params=list(KINDS))
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Each channel in turn."""
    with make_rig(request.param) as made:
        yield made


@pytest.fixture(params=HTTP_KINDS)
def http_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Each channel that speaks HTTP."""
    with make_rig(request.param) as made:
        yield made


@contextlib.contextmanager
def make_rig(kind: str, **more: Any) -> Iterator[Rig]:
    channel = ChannelConfig("channel", kind, "connection", **{"timeout_seconds": 2, **KINDS[kind], **more})
    if kind == "email":
        with mail_server() as mail:
            secret = ChannelSecret(
                host="127.0.0.1", port=mail.port, extra={"disable_ssl": True, "disable_tls": True, "token": TOKEN}
            )

            def refuse(fault: str) -> None:
                code = {"500": "451 try later", "400": "554 refused", "echo": f"554 no {TOKEN}"}[fault]
                mail.refusals.append(code)

            yield Rig(channel, secret, lambda: mail.raw, refuse)
        return
    server = _shared_server()
    server.reset(slack_answer if kind == "slack_api" else status(200))
    try:
        url = server.url + (PATH if kind in ("slack_webhook", "generic_webhook") else "")
        secret = ChannelSecret(url=url, login="robot", password=TOKEN)

        def misbehave(fault: str) -> None:
            server.script(*server._script, FAULTS[fault])

        yield Rig(channel, secret, lambda: [call.body for call in server.calls], misbehave, server)
    finally:
        server.reset(status(200))


@functools.cache
def _shared_server() -> RecordingServer:
    """One server for all these tests: starting one takes longer than most of them."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(recording_server())


def dead_url() -> str:
    """Where nobody listens."""
    return f"http://127.0.0.1:{free_port()}{PATH}"
