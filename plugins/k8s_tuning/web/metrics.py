"""/k8s-tuning/metrics: for Prometheus, which cannot sign in to Airflow and has a token of its own."""

from __future__ import annotations

import asyncio
import hmac
import os
from typing import Any

from k8s_tuning.errors import TuningError
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.web.entry import Message, Receive, Send

TOKEN_VARIABLE = "K8S_TUNING_METRICS_TOKEN"  # noqa: S105  # its name, not its value


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """What `entry` asks for /metrics: GET with `Authorization: Bearer` and the token in the environment.

    401 without the token, and while $K8S_TUNING_METRICS_TOKEN is not set; 405 for other methods; 503 where the files
    cannot be read. The history, ledger and runs are those of $K8S_TUNING_HISTORY_DIR.
    """
    # Imported on the first request: every task process loads the plugin, and only the API server answers.
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response

    request = Request(scope)
    response: Response
    if not _may_scrape(request.headers.get("authorization", "")):
        response = PlainTextResponse(
            f"a bearer token is needed: the value of ${TOKEN_VARIABLE}\n", 401, {"WWW-Authenticate": "Bearer"}
        )
    elif request.method not in ("GET", "HEAD"):
        response = PlainTextResponse("metrics are only read\n", 405, {"Allow": "GET, HEAD"})
    else:
        response = await asyncio.to_thread(_metrics)
    await response(scope, receive, send)


def _may_scrape(authorization: str) -> bool:
    token = os.environ.get(TOKEN_VARIABLE, "")
    # Without a token set there is nothing that a scraper could know.
    return bool(token) and hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def _metrics() -> Any:
    from starlette.responses import PlainTextResponse, Response

    from k8s_tuning.metrics import CONTENT_TYPE, render

    state = StateDir.default()
    try:
        body = render(state.history, state.ledger, state.runs)
    except TuningError as error:
        return PlainTextResponse(f"{error}\n", 503)
    return Response(body, media_type=CONTENT_TYPE)
