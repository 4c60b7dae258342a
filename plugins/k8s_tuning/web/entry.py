"""What Airflow mounts at /k8s-tuning: the metrics for Prometheus, and the health page with its JSON API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """An ASGI application: /metrics has a token of its own (`metrics`), all else Airflow's login (`gate`)."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    elif scope["type"] == "http":
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        chosen = _metrics() if path.rstrip("/") == "/metrics" else _page()
        await chosen(scope, receive, send)


# Imported on the first request: every task process loads the plugin, and only the API server answers.
def _metrics() -> Asgi:
    from k8s_tuning.web import metrics

    return metrics.app


@cache
def _page() -> Asgi:
    from k8s_tuning.storage.state_dir import StateDir, targets_file
    from k8s_tuning.web.app import create_app

    return create_app(StateDir.default().root, targets_file())
