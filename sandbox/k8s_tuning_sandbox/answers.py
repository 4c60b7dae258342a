"""Answers over HTTP: with the headers of an API server, or wrong in the way that the scenario asks for."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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


def answer(body: bytes, code: int = 200, media: str = JSON, headers: Mapping[str, str] | None = None) -> Response:
    """One whole answer."""
    return Response(body, code, {**head(media), **(headers or {})})


def head(media: str) -> dict[str, str]:
    """The headers that every answer has."""
    return {"content-type": media, "cache-control": "no-cache, private"}


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """The Status of a refusal."""
    return answer(orjson.dumps(refusal.body()) + b"\n", refusal.code, headers=headers)


async def go_wrong(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the fault says."""
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.answer == "html":
        await answer(_HTML, fault.status, "text/html; charset=utf-8", headers)(scope, receive, send)
    elif fault.answer == "status":
        refusal = Refusal(fault.status, _REASONS.get(fault.status, "InternalError"), fault.message)
        await refused(refusal, headers)(scope, receive, send)
    elif fault.answer == "hang":
        while (await receive())["type"] != "http.disconnect":
            pass
    else:
        if fault.answer == "torn":
            promised = [(b"content-type", JSON.encode()), (b"content-length", b"4096")]
            await send({"type": "http.response.start", "status": 200, "headers": promised})
            await send({"type": "http.response.body", "body": b'{"kind":"JobList","items":[', "more_body": True})
        # As a crashed server or a broken network does.
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()
