"""The health page and its JSON API as one FastAPI application, behind the gate."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request  # noqa: TID253  # `entry` loads this when it is asked
from fastapi.exceptions import RequestValidationError  # noqa: TID253
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.queries.overview import HealthQueries
from k8s_tuning.web import api, pages, rendering
from k8s_tuning.web.assets import Assets
from k8s_tuning.web.gate import Gate

_ABOUT = """What was recorded of the tuning Jobs: each target's health and incidents, tuning sessions, alerts.

Nothing here changes anything: there is only GET (and HEAD). Times are RFC 3339 in UTC. What is not known is null.
"""
_STATUS: dict[type[Exception], int] = {InputError: 422, RequestValidationError: 422, StoreError: 503}


def create_app(folder: str | Path, targets_file: str | Path) -> Gate:
    """The application over the files of one folder; keep one a process.

    Whoever it answers has passed `Gate`. What goes wrong is answered in a sentence: as JSON below /api, else as a page.
    """
    app = FastAPI(
        title="k8s_tuning health page",
        version="1",
        description=_ABOUT,
        openapi_url="/api/v1/openapi.json",
        # FastAPI's would load their scripts from elsewhere; /api/v1/docs is ours.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.queries = HealthQueries(folder, targets_file)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.add_api_route("/api/v1/docs", _documentation, include_in_schema=False)
    app.mount("/static", Assets())
    for kind in (InputError, RequestValidationError, StoreError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer_to)
    return Gate(app)


def _documentation(request: Request) -> Response:
    """The schema, to read."""
    app: FastAPI = request.app
    return rendering.answer(request, "api.html", schema=app.openapi())


def _answer_to(request: Request, error: Exception) -> Response:
    headers = None
    if isinstance(error, HTTPException):
        status, text, headers = error.status_code, error.detail, error.headers
    elif not isinstance(error, tuple(_STATUS)):
        # Starlette raises it again once this is sent, so that the server's log has it.
        status, text = 500, "this page broke; the server's log says how"
    else:
        status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
        text = _faults(error) if isinstance(error, RequestValidationError) else str(error)
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if path.startswith(("/api/", "/static/")):
        return JSONResponse({"detail": text}, status, headers)
    return rendering.problem(request, status, path if status == 404 else text)


def _faults(error: RequestValidationError) -> str:
    """Every parameter at fault: its name, what was given, what would be right."""
    return "; ".join(
        f"{one['loc'][-1]}: is missing"
        if one["type"] == "missing"
        else f"{one['loc'][-1]}: {one['input']!r} is wrong: {one['msg'][0].lower()}{one['msg'][1:]}"
        for one in error.errors()
    )
