"""One API server, asked politely: credentials, TLS, time limits, retries, and faults in this package's words.

    access = ClusterAccess(kubeconfig="/path/to/kubeconfig", context="prod")
    async with connect(access) as connection:              # read-only: anything but GET is refused before it is sent
        job = await connection.get_json("/apis/batch/v1/namespaces/x/jobs/y", Call("get", "jobs", "batch", "x", "y"))

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
from typing import Any, Self, TypeVar

import httpx2
import orjson
from lightkube.core.exceptions import ConfigError as LightkubeConfigError

from k8s_tuning import timestamps
from k8s_tuning.cluster import faults
from k8s_tuning.cluster.client import Link, credentials_of, host_of, open_link
from k8s_tuning.cluster.exchange import MOST_BYTES, MOST_LIST_BYTES, Answer, Asked, Body, Params, WholeBody
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.kubeconfig import Target, from_content, from_files, in_cluster
from k8s_tuning.cluster.listing import ListReader, NotAList, Page
from k8s_tuning.cluster.retries import SILENT_TRIES, Again, Sleep, patiently
from k8s_tuning.cluster.transport import TooLarge
from k8s_tuning.cluster.warning_headers import read_warnings
from k8s_tuning.errors import BadAnswer, ConfigError, TuningError, Unauthorized

logger = logging.getLogger(__name__)
# It logs a line a request at INFO: hundreds a snapshot, in every Airflow task's log.
logging.getLogger("httpx2").setLevel(logging.WARNING)

T = TypeVar("T")


@dataclass(frozen=True)
class ClusterAccess:
    """Which cluster, as whom, and how patiently.

    At most one of `kubeconfig` (a path), `content` (a kubeconfig as a mapping) and `in_cluster`; with none of them:
    $KUBECONFIG, ~/.kube/config, then the pod's service account. `retry_seconds` bounds all retries of one request.
    `reread`: gives the access anew after a 401, where it came from elsewhere than a file (an Airflow connection).
    """

    kubeconfig: str | None = None
    context: str | None = None
    content: Mapping[str, Any] | None = field(default=None, repr=False)
    in_cluster: bool = False
    skip_tls_verify: bool = False
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    retry_seconds: float = 30.0
    reread: Callable[[], Awaitable[ClusterAccess]] | None = field(default=None, repr=False, compare=False)

    @property
    def server(self) -> str:
        """Host and port of its API server. ConfigError as `target`."""
        return host_of(self.target().server)

    def target(self) -> Target:
        """The context, server and user that this names; ConfigError where it names none. Nothing is sent."""
        if (self.kubeconfig is not None) + (self.content is not None) + self.in_cluster > 1:
            raise ConfigError("give one of a kubeconfig file, a kubeconfig's content, or in-cluster, not several")
        if self.in_cluster:
            return in_cluster(self.context)
        if self.content is not None:
            return from_content(self.content, self.context)
        return from_files(self.kubeconfig, self.context)


def connect(access: ClusterAccess, *, writable: bool = False, sleep: Sleep = asyncio.sleep) -> Connection:
    """A connection to the cluster that `access` names; nothing is sent yet. ConfigError where it cannot be used."""
    return Connection(access, writable=writable, sleep=sleep)


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

    def __init__(self, access: ClusterAccess, *, writable: bool = False, sleep: Sleep = asyncio.sleep) -> None:
        self._access = access
        self._writable = writable
        self._sleep = sleep
        self._link = self._open(access.target())
        self._links = [self._link]
        self._renewing = asyncio.Lock()
        self.context = self._link.target.context
        self.server = host_of(self._link.target.server)
        self.server_time: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for link in self._links:
            await link.client.aclose()

    async def get_json(self, path: str, call: Call, params: Params | None = None) -> dict[str, Any]:
        """GET, retried; the answer as a JSON object. BadAnswer where it is none."""
        return self.json(await self.request("GET", path, call, params=params), call)

    async def get_page(
        self,
        path: str,
        call: Call,
        keep: Callable[[dict[str, Any]], T],
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        retry_seconds: float | None = None,
    ) -> Page[T]:
        """One page of a list, retried; every item goes to `keep` as it arrives. BadAnswer where it is no list."""
        asked = Asked("GET", path, call, params, headers=headers, most_bytes=MOST_LIST_BYTES)
        found = await self._answered(asked, lambda: ListReader(keep), retry_seconds)
        return found.body

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
        cut_bytes: int | None = None,
    ) -> Answer[bytes]:
        """One request and its whole answer, of which no more than `cut_bytes` is read where that is given.

        429, 5xx and broken connections are tried again (Retry-After honoured) within `retry_seconds` (default: the
        access's); 0 for what must not be sent twice. After a 401 the credentials are read once more.
        ClusterError says what the server refused, or that it did not answer; RefusedError where a read-only connection
        was asked to write.
        """
        most, cut = (MOST_BYTES, False) if cut_bytes is None else (cut_bytes, True)
        asked = Asked(method, path, call, params, content, headers, most, cut)
        return await self._answered(asked, WholeBody, retry_seconds)

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, call: Call, params: Params, read_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """GET without a retry, its answer in pieces as they come: for watches. Faults, mid-way too, as ClusterError."""
        asked = Asked("GET", path, call, params, most_bytes=None, timeout=self._timeout(read_seconds))
        link = self._link
        try:
            async with self._sent(link, asked) as response:
                if response.is_success:
                    yield response.aiter_raw()
                    return
                said = await response.aread()
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError, ssl.SSLError) as error:
            raise faults.from_silence(error, call, self.server) from error
        except (LightkubeConfigError, OSError) as error:
            raise ConfigError(f"the credentials cannot be read: {error}") from error
        fault = faults.from_answer(response.status_code, response.headers, said, call, self.server)
        if isinstance(fault, Unauthorized):
            await self._renewed(link)  # for the watch that follows this one
        raise fault

    def json(self, answer: Answer[bytes], call: Call) -> dict[str, Any]:
        """An answer's body as a JSON object; BadAnswer where it is none."""
        try:
            data = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise faults.not_json(call, self.server, answer.body, answer.status) from error
        if not isinstance(data, dict):
            raise faults.not_json(call, self.server, answer.body, answer.status)
        return data

    async def _answered(self, asked: Asked, body: Callable[[], Body[T]], retry_seconds: float | None) -> Answer[T]:
        patience = self._access.retry_seconds if retry_seconds is None else retry_seconds
        link = self._link
        try:
            return await self._tried(link, asked, body, patience)
        except Unauthorized:
            if not await self._renewed(link):
                raise
        return await self._tried(self._link, asked, body, patience)

    async def _tried(self, link: Link, asked: Asked, body: Callable[[], Body[T]], patience: float) -> Answer[T]:
        return await patiently(lambda number: self._once(link, asked, body, number), patience, self._sleep)

    async def _once(self, link: Link, asked: Asked, body: Callable[[], Body[T]], number: int) -> Answer[T]:
        """One request. The body is read by a new one of `body`, so that a broken answer leaves nothing behind."""
        taking = body()
        try:
            # The read limit starts anew with every byte; a server that drips is stopped by the whole one.
            async with asyncio.timeout(4 * self._access.read_seconds), self._sent(link, asked) as response:
                if response.is_success:
                    async for piece in response.aiter_raw():
                        taking.feed(piece)
                    self._see_time(response.headers)
                    warnings = read_warnings(response.headers.get_list("Warning"))
                    return Answer(response.status_code, response.headers, taking.finish(), warnings)
                said = await response.aread()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ssl.SSLError) as error:
            fault = faults.from_silence(error, asked.call, self.server)
            if number < SILENT_TRIES and faults.may_pass(error):
                raise Again(fault, None) from error
            raise fault from error
        except TooLarge as error:
            raise faults.too_large(asked.call, self.server, asked.most_bytes) from error
        except NotAList as error:
            raise faults.not_a_list(asked.call, self.server, error) from error
        except (LightkubeConfigError, OSError) as error:
            raise ConfigError(f"the credentials cannot be read: {error}") from error
        fault = faults.from_answer(response.status_code, response.headers, said, asked.call, self.server)
        fault.warnings = read_warnings(response.headers.get_list("Warning"))
        overloaded = response.status_code == 429 or (response.status_code >= 500 and isinstance(fault, BadAnswer))
        if overloaded or faults.is_collision(response.status_code, said, asked.call):
            logger.info("%s answered %d to '%s'; trying again", self.server, response.status_code, asked.call)
            raise Again(fault, timestamps.retry_after(response.headers.get("retry-after")))
        raise fault

    def _sent(self, link: Link, asked: Asked) -> contextlib.AbstractAsyncContextManager[httpx2.Response]:
        return link.client.stream(
            asked.method,
            f"{link.base}{asked.target}",
            content=asked.content,
            headers=asked.headers,
            extensions={**link.extensions, **asked.extensions},
            timeout=asked.timeout or self._timeout(self._access.read_seconds),
        )

    async def _renewed(self, refused: Link) -> bool:
        """Read the kubeconfig, or the connection, once more after a 401; whether other credentials are in use now.

        The context and the server stay: what the caller was allowed to speak to does not change under way.
        """
        async with self._renewing:
            if self._link is not refused:
                return True
            try:
                access = self._access if self._access.reread is None else await self._access.reread()
                target = access.target()
                found = credentials_of(target)
                place = (refused.target.context, refused.target.server)
                if found == refused.credentials or (target.context, target.server) != place:
                    return False
                self._link = self._open(target)
            except (TuningError, OSError) as error:  # half-written, or gone: the 401 is what there is to say
                logger.info("%s answered 401, and its credentials cannot be read once more: %s", self.server, error)
                return False
            self._links.append(self._link)
            logger.info("%s answered 401; its credentials were read once more and differ", self.server)
            return True

    def _open(self, target: Target) -> Link:
        return open_link(
            target,
            self._timeout(self._access.read_seconds),
            writable=self._writable,
            skip_tls_verify=self._access.skip_tls_verify,
        )

    def _timeout(self, read_seconds: float) -> httpx2.Timeout:
        return httpx2.Timeout(read_seconds, connect=self._access.connect_seconds, pool=None)

    def _see_time(self, headers: Mapping[str, str]) -> None:
        # The replicas of an API server have a clock each: by the latest one no object is of the future.
        said = timestamps.http_date(headers.get("Date"))
        if said is not None:
            self.server_time = max(self.server_time or "", timestamps.to_text(said))
