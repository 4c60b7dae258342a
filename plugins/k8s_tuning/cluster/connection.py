"""One API server, asked politely: credentials, TLS, time limits, retries, and faults in this package's words.

    access = ClusterAccess(kubeconfig="/path/to/kubeconfig", context="prod")
    async with Connection(access) as connection:           # read-only: anything but GET is refused before it is sent
        call = Call("get", "jobs", "batch", "x", "y")
        job = connection.json(await connection.request(ApiRequest("GET", call), BytesIO), call)

`Connection(access, writable=True)` is the applying face's. No exception of the HTTP client leaves here: everything is
one of k8s_tuning.errors, and none of them holds a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from k8s_tuning import http_client, timestamps
from k8s_tuning.cluster import faults
from k8s_tuning.cluster.client import Link, identity_of
from k8s_tuning.cluster.exchange import ApiAnswer, ApiRequest, Body, read_warnings
from k8s_tuning.cluster.faults import Call
from k8s_tuning.cluster.kubeconfig import KubeContext, from_content, from_files, in_cluster
from k8s_tuning.cluster.listing import NotAList, json_object
from k8s_tuning.cluster.retries import MOST_TRIES, SILENT_TRIES, Again, Retries, Sleep
from k8s_tuning.errors import BadAnswer, ClusterError, ConfigError, TuningError, Unauthorized

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

# Of an answer that is a failure, this much is read; the message is at its beginning.
MOST_FAILURE_BYTES = 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True)
class ClusterAccess:
    """Which cluster, as whom, and how patiently.

    At most one of `kubeconfig` (a path), `content` (a kubeconfig as a mapping) and `in_cluster`; with none of them:
    $KUBECONFIG, ~/.kube/config, then the pod's service account. `retry_seconds` bounds all retries of one request.
    `reread`: reads the access once more after a 401, where it came from elsewhere than a file (an Airflow connection).
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
        return self.target().host

    def target(self) -> KubeContext:
        """The context, server and user that this names; ConfigError where it names none. Nothing is sent."""
        if (self.kubeconfig is not None) + (self.content is not None) + self.in_cluster > 1:
            raise ConfigError("give one of a kubeconfig file, a kubeconfig's content, or in-cluster, not several")
        if self.in_cluster:
            return in_cluster(self.context)
        if self.content is not None:
            return from_content(self.content, self.context)
        return from_files(self.kubeconfig, self.context)


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


class Connection(contextlib.AbstractAsyncContextManager["Connection"]):
    """Requests to one API server, nothing is sent yet. An async context manager.

    ConfigError where `access` cannot be used.
    """

    def __init__(self, access: ClusterAccess, *, writable: bool = False, sleep: Sleep = asyncio.sleep) -> None:
        self._access = access
        self._writable = writable
        self._sleep = sleep
        self._link = Link(access.target(), access, writable=writable)
        self._links = [self._link]
        self._renewing = asyncio.Lock()
        self.context = self._link.context.name
        self.server = self._link.context.host
        self.server_time: str | None = None

    async def __aexit__(self, *_: object) -> None:
        for link in self._links:
            await link.close()

    async def request(self, asked: ApiRequest, body: Callable[[], Body[T]]) -> ApiAnswer[T]:
        """One request and its whole answer, read by a new one of `body` a try.

        429, 5xx and broken connections are tried again (Retry-After honoured) within the request's `retry_seconds`.
        After a 401 the credentials are read once more. ClusterError says what the server refused, or that it did not
        answer; RefusedError where a read-only connection was asked to write.
        """
        patience = self._access.retry_seconds if asked.retry_seconds is None else asked.retry_seconds
        link, refused, retries = self._link, set[Link](), Retries(patience)
        while True:
            authorization, reading = None, body()
            try:
                authorization = await link.credential.header()
                # The read limit starts anew with every byte; a server that drips is stopped by the whole one.
                with self._worded(asked):
                    async with asyncio.timeout(4 * self._access.read_seconds):
                        with http_client.faults():
                            response = await http_client.send(link.session, link.prepare(asked, authorization))
                        # A body read to its end has given its connection back; another one's is of no more use.
                        with contextlib.closing(response):
                            if response.status >= 300:
                                raise await self._refusal(response, asked)
                            async for piece in http_client.pieces(response, asked.most_bytes, cut=asked.cut):
                                reading.write(piece)
                            return self._answer(response, reading.getvalue())
            except Again as again:
                if (wait := retries.wait(again)) is None:
                    raise again.fault from again.__cause__
                await self._sleep(wait)
            except Unauthorized:
                if (other := await self._other(link, authorization, refused)) is None:
                    raise
                link, retries = other, Retries(patience)

    @contextlib.asynccontextmanager
    async def stream(self, asked: ApiRequest) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer in pieces as they come, for watches: not tried again. Faults, mid-way too, as ClusterError."""
        link, refused = self._link, set[Link]()
        try:
            with self._worded(asked):
                while True:
                    authorization = await link.credential.header()
                    with http_client.faults():
                        response = await http_client.send(link.session, link.prepare(asked, authorization))
                    with contextlib.closing(response):
                        if response.status < 300:
                            yield http_client.pieces(response, None, cut=False)
                            return
                        fault = await self._refusal(response, asked)
                    unauthorized = isinstance(fault, Unauthorized)
                    if not unauthorized or await self._other(link, authorization, refused) is not link:
                        raise fault
        except Again as again:
            raise again.fault from again.__cause__

    def json(self, answer: ApiAnswer[bytes], call: Call) -> dict[str, Any]:
        """An answer's body as a JSON object; BadAnswer where it is none."""
        if (found := json_object(answer.body)) is None:
            raise faults.not_json(call, self.server, answer.body, answer.status)
        return found

    @contextlib.contextmanager
    def _worded(self, asked: ApiRequest) -> Iterator[None]:
        """What went wrong under way, in this package's errors; Again where another try may succeed."""
        try:
            yield
        except (http_client.Fault, TimeoutError) as error:
            problem = http_client.fault_of(error)
            fault = faults.from_silence(problem, asked.call, self.server)
            raise (Again(fault, SILENT_TRIES) if faults.may_pass(problem) else fault) from error
        except http_client.TooLargeError as error:
            raise faults.too_large(asked.call, self.server, asked.most_bytes) from error
        except NotAList as error:
            raise faults.not_a_list(asked.call, self.server, error) from error

    def _answer(self, response: aiohttp.ClientResponse, body: T) -> ApiAnswer[T]:
        said = timestamps.http_date(response.headers.get("Date"))
        if said is not None:
            # The replicas of an API server have a clock each: by the latest one no object is of the future.
            self.server_time = max(self.server_time or "", timestamps.to_text(said))
        return ApiAnswer(response.status, body, read_warnings(response.headers.getall("Warning", [])))

    async def _refusal(self, response: aiohttp.ClientResponse, asked: ApiRequest) -> ClusterError | Again:
        """What an answer other than 2xx says; Again where another try may get another one."""
        said = b"".join([piece async for piece in http_client.pieces(response, MOST_FAILURE_BYTES, cut=True)])
        status, headers = response.status, response.headers
        fault = faults.from_answer(status, headers, said, asked.call, self.server)
        fault.warnings = read_warnings(headers.getall("Warning", []))
        overloaded = status == 429 or (status >= 500 and isinstance(fault, BadAnswer))
        if not overloaded and not faults.is_collision(status, said, asked.call):
            return fault
        logger.info("%s answered %d to '%s'; trying again", self.server, status, asked.call)
        return Again(fault, MOST_TRIES, timestamps.retry_after(headers.get("Retry-After")))

    async def _other(self, link: Link, authorization: str | None, refused: set[Link]) -> Link | None:
        """By which link to ask once more after a 401, each once: the same with a new token, or one of new credentials.

        `refused`: the links that the server answered 401 to before, of this request.
        """
        if link not in refused:
            refused.add(link)
            if authorization is not None and link.credential.refused(authorization):
                return link
        return self._link if len(refused) == 1 and await self._renewed(link) else None

    async def _renewed(self, refused: Link) -> bool:
        """Read the kubeconfig, or the connection, once more after a 401; whether other credentials are in use now.

        The context and the server stay: what the caller was allowed to speak to does not change under way.
        """
        async with self._renewing:
            if self._link is not refused:
                return True
            try:
                access = self._access if self._access.reread is None else await self._access.reread()
                context = access.target()
                known = (refused.context.name, refused.context.cluster.server)
                if identity_of(context) == refused.identity or (context.name, context.cluster.server) != known:
                    return False
                self._link = Link(context, self._access, writable=self._writable)
            except (TuningError, OSError) as error:  # half-written, or gone: the 401 is what there is to say
                logger.info("%s answered 401, and its credentials cannot be read once more: %s", self.server, error)
                return False
            self._links.append(self._link)
            logger.info("%s answered 401; its credentials were read once more and differ", self.server)
            return True
