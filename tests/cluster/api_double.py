"""A real HTTP(S) server that answers as a test says: for what no healthy API server does."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import itertools
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "s3cr3t-bearer-t0ken"


@dataclass
class Answer:
    """What to answer. `body`: bytes, or JSON. `raw`: these bytes instead of HTTP, then the connection closes.

    `pieces`: the body in chunks, perhaps without an end. `raw_pieces`: the same instead of HTTP.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    pieces: Iterable[bytes] | None = None
    raw_pieces: Iterable[bytes] | None = None


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class ApiDouble:
    """`answer` is called with every request; requests are kept. `sent`: bytes of `pieces` that found a taker."""

    url: str
    answer: Callable[[Request], Answer] = lambda request: Answer({})
    requests: list[Request] = field(default_factory=list)
    sent: int = 0

    def script(self, *answers: Answer) -> None:
        """These answers one after the other; the last one again and again."""
        rest = list(answers)
        self.answer = lambda request: rest.pop(0) if len(rest) > 1 else rest[0]

    def kubeconfig(self, folder: Path, user: dict[str, Any] | None = None, **cluster: Any) -> str:
        """A kubeconfig file that leads here."""
        path = folder / "kubeconfig"
        content = {
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": self.url, **cluster}}],
            "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        }
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[ApiDouble]:
    double = ApiDouble("")
    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the kernel would hold the second one back

        def handle_any(self) -> None:
            if length := int(self.headers.get("Content-Length") or 0):
                self.rfile.read(length)
            url = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
            request = Request(self.command, url.path, query, {k.lower(): v for k, v in self.headers.items()})
            double.requests.append(request)
            answer = double.answer(request)
            if answer.raw is not None:
                self.wfile.write(answer.raw)
                self.close_connection = True
                return
            if answer.raw_pieces is not None:
                self.write_all(answer.raw_pieces)
                return
            if answer.pieces is not None:
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.write_all(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in itertools.chain(answer.pieces, [b""]))
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            # send_response says the date itself; an answer that has its own, or "" for none, is to be believed.
            (self.send_response_only if "Date" in answer.headers else self.send_response)(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def write_all(self, pieces: Iterable[bytes]) -> None:
            self.close_connection = True
            for piece in pieces:
                self.wfile.write(piece)
                double.sent += len(piece)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            connections.append(self.connection)
            with contextlib.suppress(OSError):
                super().handle()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            pass  # a client that hangs up in the TLS handshake is what some tests are about

    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    double.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        for connection in connections:  # a server that goes takes its open connections with it
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for the DNS name (or address), and a server's TLS context with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api-double")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, key_file)
    return pem, context


def refusal(code: int, message: str, reason: str = "", **details: Any) -> Answer:
    """A metav1.Status failure."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return Answer({**status, "code": code, "details": details}, code)


def page(kind: str, items: list[Any], token: str = "", version: str = "100") -> Answer:
    """A list's page."""
    return Answer({"kind": f"{kind}List", "metadata": {"resourceVersion": version, "continue": token}, "items": items})
