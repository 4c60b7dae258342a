"""One HTTP answer: whole, in parts, cut off, or wrong in the way that the scenario asks for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import orjson
from starlette.types import Receive, Send

from k8s_tuning_sandbox.scenario import Fault
from k8s_tuning_sandbox.status import Refusal

JSON = "application/json"
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in to the network</h1></body></html>"
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Answer:
    """The way back to one client."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def send(
        self,
        code: int,
        body: bytes,
        media: str = JSON,
        headers: Mapping[str, str] | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        """One whole answer; a Warning header for each of `warnings`."""
        await self.start(code, media, {"content-length": str(len(body)), **(headers or {})}, warnings)
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, code: int, media: str, headers: Mapping[str, str], warnings: Sequence[str] = ()) -> None:
        """The status and the headers; `part` goes on."""
        raw = [(b"content-type", media.encode()), (b"cache-control", b"no-cache, private")]
        raw += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        for text in warnings:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            raw.append((b"warning", f'299 - "{quoted}"'.encode()))
        await self._send({"type": "http.response.start", "status": code, "headers": raw})

    async def part(self, body: bytes) -> None:
        """A part of a body that is not over yet."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def stream(self, chunks: AsyncIterator[bytes], media: str) -> None:
        """Chunks as they come; stops when the client goes away."""
        await self.start(200, media, {})
        gone = asyncio.ensure_future(self.gone())
        try:
            while not gone.done():
                following = asyncio.ensure_future(anext(chunks, None))
                await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await following
                    return
                if (chunk := following.result()) is None:
                    break
                await self.part(chunk)
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            await chunks.aclose()  # type: ignore[attr-defined]

    async def gone(self) -> None:
        """Returns when the client has gone away."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """Cut the connection, as a crashed server or a broken network does."""
        cycle = getattr(self._receive, "__self__", None)
        transport = getattr(cycle, "transport", None)
        if transport is not None:
            transport.abort()


async def go_wrong(fault: Fault, answer: Answer) -> None:
    """Answer as the fault says."""
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.answer == "hang":
        await answer.gone()
    elif fault.answer == "drop":
        answer.abort()
    elif fault.answer == "html":
        await answer.send(fault.status, _HTML, "text/html; charset=utf-8", headers)
    elif fault.answer == "torn":
        await answer.start(200, JSON, {"content-length": "4096"})
        await answer.part(b'{"kind":"JobList","items":[')
        answer.abort()
    else:
        refusal = Refusal(fault.status, _REASONS.get(fault.status, "InternalError"), fault.message)
        await answer.send(fault.status, orjson.dumps(refusal.body()) + b"\n", headers=headers)
