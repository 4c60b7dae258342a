"""Receivers to send to: an HTTP server that records and misbehaves on command, and an SMTP server that does the same.

with recording_server() as server:
    server.script(status(500), status(429, headers={"Retry-After": "3"}))   # then as `otherwise`, a plain 200 ok
    …
    assert [call.path for call in server.calls] == […]
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from aiosmtpd.controller import Controller

Behaviour = Callable[["_Handler"], None]


@dataclass
class Call:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class RecordingServer:
    """Answers as it is asked to, and remembers what it was asked."""

    url: str
    otherwise: Behaviour
    calls: list[Call] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _script: list[Behaviour] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, *behaviours: Behaviour) -> None:
        """How the next requests are answered, one each."""
        self._script = list(behaviours)

    def reset(self, otherwise: Behaviour) -> None:
        """Forget everything and release whoever still hangs, for the next test."""
        self.stopping.set()
        self.stopping = threading.Event()
        self.calls, self._script, self.otherwise = [], [], otherwise

    def take(self, call: Call) -> Behaviour:
        with self._lock:
            self.calls.append(call)
            return self._script.pop(0) if self._script else self.otherwise


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        recording: RecordingServer = self.server.recording
        headers = {name.lower(): value for name, value in self.headers.items()}
        recording.take(Call(self.command, self.path, headers, body))(self)

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def status(code: int, body: bytes | str = b"ok", headers: Mapping[str, str] | None = None) -> Behaviour:
    """A whole answer."""

    def behave(handler: _Handler) -> None:
        content = body.encode() if isinstance(body, str) else body
        handler.send_response(code)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return behave


def redirect(location: str) -> Behaviour:
    """302 to another place."""
    return status(302, b"", {"Location": location})


def hang(handler: _Handler) -> None:
    """No answer at all, until the server stops."""
    stopping = handler.server.recording.stopping
    stopping.wait(30)
    handler.close_connection = True


def close(handler: _Handler) -> None:
    """The connection is cut without an answer."""
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def slow(handler: _Handler) -> None:
    """An answer that comes a byte at a time and never ends: each read succeeds, the whole does not."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    stopping = handler.server.recording.stopping
    with contextlib.suppress(OSError):
        while not stopping.wait(0.02):
            handler.wfile.write(b".")
            handler.wfile.flush()


@contextlib.contextmanager
def recording_server(otherwise: Behaviour | None = None) -> Iterator[RecordingServer]:
    """A server on a free port of 127.0.0.1."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.recording = RecordingServer(f"http://127.0.0.1:{server.server_port}", otherwise or status(200))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.recording
    finally:
        server.recording.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailServer:
    """An SMTP server: what it took, and the replies it gives to the next messages instead of taking them."""

    host: str = "127.0.0.1"
    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusals:
            return self.refusals.pop(0)
        self.raw.append(envelope.content)
        parsed: Any = BytesParser(policy=modern).parsebytes(envelope.content)
        self.messages.append(parsed)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 taken"


@contextlib.contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """A real SMTP server on a free port; `options` are aiosmtpd's Controller's."""
    mail = MailServer()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        mail.port = probe.getsockname()[1]
    controller = Controller(mail, hostname="127.0.0.1", port=mail.port, **options)
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(look: Callable[[], Any], seconds: float = 20) -> Any:
    """What `look` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not so within {seconds} s; last seen: {found!r}"
        time.sleep(0.05)
    return found
