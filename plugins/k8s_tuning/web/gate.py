"""Who may see the health page: whom Airflow lets read the task logs of every DAG of this package.

The page shows pods' log lines and messages as sent, as these DAGs' task logs do; so it asks for that right, of every
DAG that writes what the page reads, by name. A view mixes the records of all of them, so that a request's `dag_id`
(which Airflow's own routes go by) decides nothing: it would be the caller who chooses what is checked. And without a
name, some auth managers (FAB's) are content with the right to any DAG at all.
"""

from __future__ import annotations

from html import escape
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from airflow.models.dag import DagModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from k8s_tuning.web.entry import Asgi, Message, Receive, Send

DAG_IDS = ("k8s_tuning_pipeline", "k8s_health_monitor", "k8s_history_report", "k8s_alert_smoke_test")
# https://www.w3.org/TR/CSP3/: nothing inline, nothing from elsewhere; embedded by the same origin (Airflow's UI) alone.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Gate:
    """ASGI middleware around a whole application, so that no route of it can be forgotten.

    Without a login 401, with a bad token or without the right 403, then 405 for anything but GET and HEAD. Every
    answer, a refusal too, carries HEADERS, and `Cache-Control: no-store` where it names no other.
    """

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        try:
            user = await get_user(request, None, await bearer_scheme(request))
            await run_in_threadpool(require_rights, user)
            if request.method not in ("GET", "HEAD"):
                raise HTTPException(405, "the health page is only read", {"Allow": "GET, HEAD"})
        except HTTPException as error:
            await _refusal(request, error)(scope, receive, send_with_headers)
            return
        # FastAPI's routes know no HEAD; the server leaves a HEAD's body out.
        inner: Any = {**scope, "method": "GET"}
        await self.app(inner, receive, send_with_headers)


def require_rights(user: BaseUser) -> None:
    """HTTPException 403 for a user who may not read the task logs of every one of DAG_IDS."""
    teams = DagModel.get_dag_id_to_team_name_mapping(list(DAG_IDS))
    may_read = get_auth_manager().batch_is_authorized_dag(
        [
            {
                "method": "GET",
                "access_entity": DagAccessEntity.TASK_LOGS,
                "details": DagDetails(id=dag_id, team_name=teams.get(dag_id)),
            }
            for dag_id in DAG_IDS
        ],
        user=user,
    )
    if not may_read:
        raise HTTPException(403, f"the health page needs the right to read the task logs of {', '.join(DAG_IDS)}")


def _refusal(request: Request, error: HTTPException) -> Response:
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        login = escape(get_auth_manager().get_url_login(next_url=str(request.url)))
        body = f'The health page needs Airflow\'s login: <a href="{login}">sign in</a>.'
        return HTMLResponse(f"<!doctype html><title>401</title><p>{body}", 401)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
