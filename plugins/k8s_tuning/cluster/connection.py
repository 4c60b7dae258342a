"""One API server, asked politely: credentials, TLS, time limits, retries, and faults in this package's words.

    access = ClusterAccess(kubeconfig="/path/to/kubeconfig", context="prod")
    async with connect(access) as connection:              # read-only: anything but GET is refused before it is sent
        jobs = await connection.get_json("/apis/batch/v1/namespaces/x/jobs", Call("list", "jobs", "batch", "x"))

`connect(access, writable=True)` is the applying face's. No exception of the HTTP client or of lightkube leaves here:
everything is one of k8s_tuning.errors, and none of them holds a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import httpx2
import orjson
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError as LightkubeConfigError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from k8s_tuning import proxies, timestamps
from k8s_tuning.cluster import faults
from k8s_tuning.cluster.credentials import authentication, tls_context
from k8s_tuning.cluster.exec_plugin import ExecPluginAuth
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.kubeconfig import Target, from_content, from_files, in_cluster
from k8s_tuning.cluster.transport import ClusterTransport
from k8s_tuning.errors import BadAnswer, ClusterError, ConfigError

logger = logging.getLogger(__name__)
# It logs a line a request at INFO: hundreds a snapshot, in every Airflow task's log.
logging.getLogger("httpx2").setLevel(logging.WARNING)

CONNECTIONS = 40
# A server that answers 5xx or 429 is given `retry_seconds`; where none answers at all, three tries settle it.
SILENT_TRIES, MOST_TRIES = 3, 20
T = TypeVar("T")
Params = Mapping[str, str | int]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class ClusterAccess:
    """Which cluster, as whom, and how patiently.

    At most one of `kubeconfig` (a path), `content` (a kubeconfig as a mapping) and `in_cluster`; with none of them:
    $KUBECONFIG, ~/.kube/config, then the pod's service account. `retry_seconds` bounds all retries of one request.
    """

    kubeconfig: str | None = None
    context: str | None = None
    content: Mapping[str, Any] | None = field(default=None, repr=False)
    in_cluster: bool = False
    skip_tls_verify: bool = False
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    retry_seconds: float = 30.0

    def target(self) -> Target:
        """The context, server and user that this names; ConfigError where it names none. Nothing is sent."""
        if (self.kubeconfig is not None) + (self.content is not None) + self.in_cluster > 1:
            raise ConfigError("give one of a kubeconfig file, a kubeconfig's content, or in-cluster, not several")
        if self.in_cluster:
            return in_cluster(self.context)
        if self.content is not None:
            return from_content(self.content, self.context)
        return from_files(self.kubeconfig, self.context)


@dataclass(frozen=True)
class Answer:
    """A whole 2xx answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def connect(access: ClusterAccess, *, writable: bool = False, sleep: Sleep = asyncio.sleep) -> Connection:
    """A connection to the cluster that `access` names; nothing is sent yet. ConfigError where it cannot be used."""
    target = access.target()
    return Connection(_client(access, target, writable=writable), target, access, sleep)


def run(work: Coroutine[Any, Any, T]) -> T:
    """A coroutine's result for synchronous callers, also those inside a running event loop (a notebook, a trigger)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        inside_a_loop = False
    else:
        inside_a_loop = True
    if not inside_a_loop:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class Connection:
    """Requests to one API server. An async context manager; made by `connect`."""

    def __init__(
        self, client: httpx2.AsyncClient, target: Target, access: ClusterAccess, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._client = client
        self._access = access
        self._sleep = sleep
        self._extensions = {"sni_hostname": target.tls_server_name} if target.tls_server_name else {}
        self._base = target.server.rstrip("/")
        self.context = target.context
        self.server = _host(target.server)
        self.server_time: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get_json(self, path: str, call: Call, params: Params | None = None) -> dict[str, Any]:
        """GET, retried; the answer as a JSON object. BadAnswer where it is none."""
        return self.json(await self.request("GET", path, call, params=params), call)

    async def request(
        self,
        method: str,
        path: str,
        call: Call,
        *,
        params: Params | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retry_seconds: float | None = None,
    ) -> Answer:
        """One request and its whole answer.

        429, 5xx and broken connections are tried again (Retry-After honoured) within `retry_seconds` (default: the
        access's); 0 for what must not be sent twice.
        ClusterError says what the server refused, or that it did not answer; RefusedError where a read-only connection
        was asked to write.
        """
        url = self._url(path, params)
        request = {"content": content, "headers": headers}
        try:
            return await self._once(method, url, call, 1, request)
        except _Again as again:
            first = again
        patience = self._access.retry_seconds if retry_seconds is None else retry_seconds
        return await self._retried(method, url, call, request, first, patience)

    async def _retried(
        self, method: str, url: str, call: Call, request: dict[str, Any], first: _Again, patience: float
    ) -> Answer:
        backoff = wait_random_exponential(multiplier=0.25, max=8)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.after if isinstance(error, _Again) else None
            return max(asked or 0.0, backoff(state))

        attempts = AsyncRetrying(
            wait=wait,
            stop=stop_before_delay(patience) | stop_after_attempt(MOST_TRIES),
            sleep=self._sleep,
            retry=retry_if_exception_type(_Again),
            reraise=True,
        )
        number = 0
        try:
            async for attempt in attempts:
                with attempt:
                    number += 1
                    if number == 1:
                        raise first
                    return await self._once(method, url, call, number, request)
        except _Again as again:
            raise again.fault from again.__cause__
        raise AssertionError("tenacity ends with an answer or an exception")

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, call: Call, params: Params, read_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """GET without a retry, its answer in pieces as they come: for watches. Faults, mid-way too, as ClusterError."""
        try:
            async with self._client.stream(
                "GET", self._url(path, params), extensions=self._extensions, timeout=self._timeout(read_seconds)
            ) as response:
                if not response.is_success:
                    body = await response.aread()
                    raise faults.from_answer(response.status_code, response.headers, body, call, self.server)
                yield response.aiter_bytes()
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError, ssl.SSLError) as error:
            raise faults.from_silence(error, call, self.server) from error
        except (LightkubeConfigError, OSError) as error:
            raise ConfigError(f"the credentials cannot be read: {error}") from error

    def json(self, answer: Answer, call: Call) -> dict[str, Any]:
        """An answer's body as a JSON object; BadAnswer where it is none."""
        try:
            data = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise faults.not_json(call, self.server, answer.body, answer.status) from error
        if not isinstance(data, dict):
            raise faults.not_json(call, self.server, answer.body, answer.status)
        return data

    async def _once(self, method: str, url: str, call: Call, number: int, request: dict[str, Any]) -> Answer:
        try:
            # The read limit starts anew with every byte; a server that drips is stopped by the whole one.
            async with asyncio.timeout(4 * self._access.read_seconds):
                response = await self._client.request(method, url, extensions=self._extensions, **request)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ssl.SSLError) as error:
            fault = faults.from_silence(error, call, self.server)
            if number < SILENT_TRIES and faults.may_pass(error):
                raise _Again(fault, None) from error
            raise fault from error
        except (LightkubeConfigError, OSError) as error:
            raise ConfigError(f"the credentials cannot be read: {error}") from error
        if response.is_success:
            # The replicas of an API server have a clock each: by the latest one no object is of the future.
            self.server_time = max(filter(None, (self.server_time, _date(response.headers))), default=None)
            return Answer(response.status_code, response.headers, response.content)
        fault = faults.from_answer(response.status_code, response.headers, response.content, call, self.server)
        overloaded = response.status_code == 429 or (response.status_code >= 500 and isinstance(fault, BadAnswer))
        if overloaded or faults.is_collision(response.status_code, response.content, call):
            logger.info("%s answered %d to '%s'; trying again", self.server, response.status_code, call)
            raise _Again(fault, timestamps.retry_after(response.headers.get("retry-after")))
        raise fault

    def _url(self, path: str, params: Params | None) -> str:
        # httpx2 would take the URL apart and put it together four times a request, hundreds of times a snapshot.
        return f"{self._base}{path}?{urlencode(params)}" if params else f"{self._base}{path}"

    def _timeout(self, read_seconds: float) -> httpx2.Timeout:
        return httpx2.Timeout(read_seconds, connect=self._access.connect_seconds, pool=None)


class _Again(Exception):  # noqa: N818 - a signal inside this file, not an error
    """A fault that a retry may mend, and how long the server asked to wait."""

    def __init__(self, fault: ClusterError, after: float | None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.after = after


def _client(access: ClusterAccess, target: Target, *, writable: bool) -> httpx2.AsyncClient:
    where = f"{target.source}: context {target.context!r}"
    config = target.config
    user = config.user or User()
    auth = authentication(user, where)
    try:
        tls = tls_context(config.cluster, user, where)
    except (OSError, ssl.SSLError, ValueError, TypeError) as error:
        # No text of `error`: a broken base64 or PEM is quoted in some of them.
        raise ConfigError(f"{where}: its certificates, keys or user cannot be used ({type(error).__name__})") from error
    if access.skip_tls_verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if target.exec_plugin is not None and auth is None:
        auth = ExecPluginAuth(target.exec_plugin, where)
    proxy = proxies.proxy_for(target.server, target.proxy_url, where)
    return httpx2.AsyncClient(
        auth=auth,
        transport=ClusterTransport(tls, CONNECTIONS, proxy, writable=writable),
        headers={"Accept": "application/json", "User-Agent": "k8s-tuning", **target.impersonate},
        timeout=httpx2.Timeout(access.read_seconds, connect=access.connect_seconds, pool=None),
        follow_redirects=False,
        trust_env=False,
    )


def _date(headers: Mapping[str, str]) -> str | None:
    """The Date header as a timestamp; None where there is none, or none that can be read."""
    try:
        instant = parsedate_to_datetime(headers.get("Date", ""))
        return timestamps.to_text(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _host(server: str) -> str:
    """Host and port without a user, a password or a path, which may be secret."""
    url = httpx2.URL(server)
    return f"{url.host}:{url.port}" if url.port else url.host
