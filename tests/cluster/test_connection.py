"""The connection against servers that misbehave: what is retried, what is said, and what never leaks."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
import traceback
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cluster.api_double import TOKEN, Answer, ApiDouble, refusal
from tests.profiles import examples

from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.exchange import ApiRequest
from k8s_tuning.cluster.faults import Call, from_answer
from k8s_tuning.cluster.retries import MOST_TRIES
from k8s_tuning.errors import (
    BadAnswer,
    ClusterError,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    RefusedError,
    Throttled,
    TuningError,
    Unauthorized,
    Unreachable,
)

CALL = Call("list", "jobs", "batch", "trading-bots")
PATH = "/apis/batch/v1/namespaces/trading-bots/jobs"
HTML = b"<!doctype html><html><body>Welcome to nginx</body></html>"


class Sleeps(list[float]):
    """A sleep that only notes how long it was asked to."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def ask(access: ClusterAccess, method: str = "GET", *, writable: bool = False, sleep: Any = None, **more: Any) -> Any:
    async def go() -> Any:
        async with Connection(access, writable=writable, sleep=Sleeps() if sleep is None else sleep) as connection:
            answer = await connection.request(ApiRequest(method, CALL, **more), BytesIO)
            return connection.json(answer, CALL)

    return run(go())


@pytest.fixture
def access(api: ApiDouble, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), read_seconds=0.3, connect_seconds=0.5)


def test_the_token_and_the_query_reach_the_server(api: ApiDouble, access: ClusterAccess) -> None:
    ask(access, params={"labelSelector": "app=a b,이름 in (ㄱ)", "limit": 500})
    request = api.requests[0]
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.path == PATH
    assert request.query == {"labelSelector": "app=a b,이름 in (ㄱ)", "limit": "500"}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_fails_for_a_while_is_asked_again(status: int, api: ApiDouble, access: ClusterAccess) -> None:
    sleeps = Sleeps()
    api.script(Answer(b"", status), Answer(b"", status), Answer(b"", status), Answer({"items": []}))
    assert ask(access, sleep=sleeps) == {"items": []}
    assert len(api.requests) == 4
    assert len(sleeps) == 3


def test_retry_after_is_honoured(api: ApiDouble, access: ClusterAccess) -> None:
    sleeps = Sleeps()
    api.script(Answer(b"", 429, {"Retry-After": "7"}), Answer({}))
    ask(access, sleep=sleeps)
    assert sleeps[0] >= 7


def test_a_server_that_asks_to_wait_too_long_is_not_waited_for(api: ApiDouble, access: ClusterAccess) -> None:
    """An hour's Retry-After is the caller's to wait: the retries have a bound."""
    sleeps = Sleeps()
    api.script(Answer(b"", 429, {"Retry-After": "3600"}))
    with pytest.raises(Throttled, match="throttling"):
        ask(access, sleep=sleeps)
    assert sleeps == []
    assert len(api.requests) == 1


def test_a_server_that_never_recovers_is_given_up(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(refusal(500, "etcd leader changed"))
    with pytest.raises(BadAnswer, match=r"etcd leader changed") as caught:
        ask(access)
    assert caught.value.retryable
    assert 1 < len(api.requests) <= MOST_TRIES


def test_no_patience_means_one_request(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(Answer(b"", 503), Answer({}))
    with pytest.raises(BadAnswer):
        ask(access, retry_seconds=0)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refusal(401, "Unauthorized"), Unauthorized, ["expired or wrong token", "401"]),
        (
            refusal(403, 'jobs.batch is forbidden: User "bot" cannot list resource "jobs"', "Forbidden"),
            Forbidden,
            ['User "bot" cannot list', "Role in trading-bots", "apiGroups [batch]", "resources [jobs]", "verbs [list]"],
        ),
        (Answer(HTML, 403, {"Content-Type": "text/html"}), Forbidden, ["a proxy or gateway", "NO_PROXY"]),
        (Answer(b"Forbidden", 403, {"Content-Type": "text/plain"}), Forbidden, ["a proxy or gateway"]),
        (Answer({"error": {"code": 403}}, 403), Forbidden, ["a proxy or gateway"]),
        (refusal(404, 'jobs.batch "x" not found'), NotFound, ["not found"]),
        (Answer(b"404 page not found\n", 404, {"Content-Type": "text/plain"}), NotFound, ["no such API"]),
        (Answer(HTML, 404, {"Content-Type": "text/html"}), BadAnswer, ["web page", "not as the Kubernetes API"]),
        (refusal(409, "Apply failed with 1 conflict"), Conflict, ["1 conflict"]),
        (refusal(410, "The provided continue parameter is too old"), Expired, ["too old"]),
        (
            refusal(422, "Job is invalid", "Invalid", causes=[{"field": "spec.template", "message": "is immutable"}]),
            Invalid,
            ["spec.template: is immutable"],
        ),
        (refusal(400, "unable to parse requirement"), Invalid, ["unable to parse requirement"]),
        (Answer(b"", 302, {"Location": "http://127.0.0.1:1/"}), BadAnswer, ["redirect"]),
        (Answer(HTML, 200, {"Content-Type": "text/html"}), BadAnswer, ["web page"]),
        (Answer(b'{"items": ['), BadAnswer, ["not a JSON object"]),
        (Answer([1, 2]), BadAnswer, ["not a JSON object"]),
        (refusal(400, "오류 🚨"), Invalid, ["오류 🚨"]),
    ],
    ids=lambda value: f"{value.status}" if isinstance(value, Answer) else None,
)
def test_a_refusal_is_reported_in_its_own_words(
    answer: Answer, kind: type[ClusterError], words: list[str], api: ApiDouble, access: ClusterAccess
) -> None:
    api.script(answer)
    with pytest.raises(kind) as caught:
        ask(access)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert len(api.requests) == 1
    assert caught.value.status == answer.status


def test_an_api_server_that_hangs_differs_from_one_that_is_gone(api: ApiDouble, access: ClusterAccess) -> None:
    release = threading.Event()
    api.answer = lambda request: (release.wait(5), Answer({}))[1]
    try:
        with pytest.raises(Unreachable, match="the API server hangs"):
            ask(access)
        assert len(api.requests) == 1
    finally:
        release.set()


def test_a_server_that_drips_is_stopped_too(tmp_path: Path) -> None:
    """A byte now and then keeps a read limit quiet indefinitely; the request as a whole has one as well."""
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = listener.accept()
        try:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                client.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            client.close()

    threading.Thread(target=drip, daemon=True).start()
    double = ApiDouble(f"http://127.0.0.1:{listener.getsockname()[1]}")
    with listener, pytest.raises(Unreachable, match="hangs"):
        ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path), read_seconds=0.15))


def test_a_refused_connection_is_tried_thrice_and_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    sleeps = Sleeps()
    double = ApiDouble(f"https://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1:{port}: cannot connect: .*[Rr]efused") as caught:
        ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path)), sleep=sleeps)
    assert len(sleeps) == 2
    assert caught.value.status is None


def test_no_route_is_reported(tmp_path: Path) -> None:
    # TEST-NET-1: no packet comes back, or the kernel says at once that there is no route.
    double = ApiDouble("https://192.0.2.1:6443")
    with pytest.raises(Unreachable, match=r"192\.0\.2\.1:6443: (no connection within|cannot connect)"):
        ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path), connect_seconds=0.2))


def test_a_broken_connection_heals_by_a_retry(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), Answer({"kind": "JobList"}))
    assert ask(access) == {"kind": "JobList"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_a_read_only_connection_sends_nothing_but_get(method: str, api: ApiDouble, access: ClusterAccess) -> None:
    with pytest.raises(RefusedError, match=f"{method} refused: this connection to the cluster is read-only"):
        ask(access, method, content=b"{}")
    assert api.requests == []


def test_a_writable_connection_writes(api: ApiDouble, access: ClusterAccess) -> None:
    ask(access, "PATCH", writable=True, content=b"{}", headers={"Content-Type": "application/apply-patch+yaml"})
    assert api.requests[0].method == "PATCH"
    assert api.requests[0].headers["content-type"] == "application/apply-patch+yaml"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(raw=b""),
        Answer(raw=b"\x16\x03\x01 not http at all\r\n\r\n"),
        Answer(raw=b"HTTP/1.1 abc\r\n\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
        Answer(b"not gzip", headers={"Content-Encoding": "gzip"}),
        Answer(b"\xff\xfe\x00"),
        Answer(refusal(500, f"the token {'x' * 10}").body, 500),
        Answer({"kind": "Status", "message": 5, "details": "odd"}, 422),
        Answer({"kind": "Status", "details": {"causes": [1, {"field": None}]}}, 409),
    ],
    ids=[
        "empty",
        "binary",
        "bad-status",
        "bad-chunk",
        "bad-length",
        "huge-header",
        "bad-gzip",
        "bytes",
        "500",
        "odd",
        "causes",
    ],
)
def test_no_exception_but_this_packages_own_leaves(
    answer: Answer, api: ApiDouble, access: ClusterAccess, caplog: pytest.LogCaptureFixture
) -> None:
    api.script(answer)
    with caplog.at_level(logging.DEBUG), pytest.raises(TuningError) as caught:
        ask(access)
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
    assert TOKEN not in said


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.integers(300, 599), body=st.binary(max_size=60) | st.just(b'{"kind":"Status","message":null}'))
def test_every_status_and_body_becomes_an_error(status: int, body: bytes) -> None:
    """Decided without I/O: any answer whatever has a ClusterError with a message."""
    assert str(from_answer(status, {"content-type": "application/json"}, body, CALL, "host:1"))


@pytest.mark.parametrize(
    "value", ["Sun, 01 Jan 99999999999 00:00:00 GMT", "9" * 400, "-3", "", "٣", "soon"], ids=lambda value: value[:20]
)
def test_a_retry_after_of_any_form_leads_to_a_bounded_wait_and_no_traceback(
    value: str, api: ApiDouble, access: ClusterAccess
) -> None:
    sleeps = Sleeps()
    api.answer = lambda request: Answer(b"", 503, {"Retry-After": value.encode().decode("latin-1")})
    with pytest.raises(BadAnswer, match="answered 503"):
        ask(access, sleep=sleeps)
    assert all(seconds <= access.retry_seconds for seconds in sleeps)
    assert len(api.requests) <= MOST_TRIES


def test_secrets_are_in_no_repr(api: ApiDouble, tmp_path: Path) -> None:
    access = ClusterAccess(content={"users": [{"name": "u", "user": {"token": TOKEN}}]})
    assert TOKEN not in repr(access)
    path = api.kubeconfig(tmp_path)
    assert TOKEN not in repr(ClusterAccess(kubeconfig=path).target())


def test_a_password_in_the_servers_address_is_not_reported(tmp_path: Path) -> None:
    double = ApiDouble("https://user:hunter2@127.0.0.1:1/prefix")
    with pytest.raises(Unreachable) as caught:
        ask(ClusterAccess(kubeconfig=double.kubeconfig(tmp_path)))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_server_below_a_path_is_asked_below_it(api: ApiDouble, tmp_path: Path) -> None:
    """As Rancher serves its clusters."""
    api.url += "/k8s/clusters/c-1/"
    ask(ClusterAccess(kubeconfig=api.kubeconfig(tmp_path)))
    assert api.requests[0].path == f"/k8s/clusters/c-1{PATH}"


def test_run_works_inside_a_running_event_loop() -> None:
    async def inner() -> str:
        return "done"

    async def outer() -> str:
        return run(inner())

    assert asyncio.run(outer()) == "done"


def test_importing_the_room_is_cheap_enough_for_every_task() -> None:
    """None of the Kubernetes clients, which take a second each to import."""
    import subprocess
    import sys

    code = "import sys, k8s_tuning.cluster.monitor; print(*{n.split('.')[0] for n in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"kubernetes", "kubernetes_asyncio", "airflow"} & set(loaded)
