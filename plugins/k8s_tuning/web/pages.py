"""The pages: each a GET whose address says all that it shows, so that it can be sent to a colleague."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response  # noqa: TID253  # imported with the app, on its first request
from starlette.responses import HTMLResponse

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.queries.job_models import Jobs
from k8s_tuning.queries.jobs import jobs_of
from k8s_tuning.queries.overview import STATUSES
from k8s_tuning.queries.target import TargetQueries
from k8s_tuning.web import drawing, ranges, rendering, wording
from k8s_tuning.web.api import queries_of
from k8s_tuning.web.ranges import Range

LIMIT = 25
_TABLE_POINTS = 48
_LANE_LIMIT = 500
_FILTERS = ("target", "channel", "decision", "outcome", "q", "run_id", "incident_id", "namespace", "cluster")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def overview(request: Request) -> Response:
    """Every target, the worst first."""
    name = request.query_params.get("range") or ranges.DEFAULT
    found = queries_of(request).overview(ranges.named_seconds(name))
    counts: Counter[str] = Counter(row.status for row in found.rows)
    return rendering.answer(
        request,
        "overview.html",
        overview=found,
        now=found.now,
        range=name,
        sums={status: counts[status] for status in STATUSES},
        folder=queries_of(request).folder,
    )


@router.get("/target")
def target(request: Request) -> Response:
    """One target: its health over time, incidents, Jobs and records."""
    cluster = request.query_params.get("cluster") or None
    asked = {"namespace": _needed(request, "namespace"), "selector": _needed(request, "selector")}
    asked |= {"cluster": cluster} if cluster else {}
    found = queries_of(request).target(**asked)
    notes: list[str] = []
    row = found.row(ranges.named_seconds(None), timestamps.now(), notes)
    span = _range(request, found)
    since, until = wording.timestamp(span.since), wording.timestamp(span.until)
    asked |= {"range": span.name} if span.name in ranges.NAMED else {"since": since}
    asked |= {"until": until} if span.name is None else {}
    return rendering.answer(
        request,
        "target.html",
        row=row,
        notes=notes,
        since=since,
        until=until,
        range=span.name,
        wider=_wider(span),
        series=found.series(span.since, span.until, _TABLE_POINTS),
        series_address=f"api/v1/series?{urlencode(asked, errors='replace')}",
        lane=drawing.lane(found.incidents(span.since, span.until, _LANE_LIMIT).items, since, until),
        incidents=found.incidents(span.since, span.until, LIMIT, _offset(request, "incidents_page")),
        jobs=_jobs(request, found),
        records=found.records(span.since, span.until, LIMIT, _offset(request, "records_page")),
        limit=LIMIT,
    )


@router.get("/sessions")
def sessions(request: Request) -> Response:
    """Every tuning session, newest first."""
    found = queries_of(request).sessions(request.query_params.get("q"), LIMIT, _offset(request, "page"))
    return rendering.answer(request, "sessions.html", sessions=found, limit=LIMIT)


@router.get("/session")
def session(request: Request) -> Response:
    """One tuning session: its progress, and its Jobs with their parameters."""
    query = request.query_params
    namespace, session_id = _needed(request, "namespace"), _needed(request, "session_id")
    found = queries_of(request).session(
        namespace,
        session_id,
        q=query.get("q"),
        sort=query.get("sort") or "name",
        order=query.get("order") or "asc",
        limit=LIMIT,
        offset=_offset(request, "page"),
    )
    if found is None:
        return rendering.problem(request, 404, f"{namespace}/{session_id}")
    names = list(dict.fromkeys(name for job in found.jobs for name in job.parameters))
    return rendering.answer(request, "session.html", session=found, parameters=names, limit=LIMIT)


@router.get("/alerts")
def alerts(request: Request) -> Response:
    """The ledger, by any of its filters."""
    query = request.query_params
    chosen: dict[str, Any] = {name: query.get(name) or None for name in _FILTERS} | {"selector": query.get("selector")}
    name = query.get("range") or (None if query.get("since") or query.get("until") else "all")
    span = None if name == "all" else _range(request, None)
    found = queries_of(request).ledger.alerts(
        **chosen,
        quiet=query.get("quiet") == "true",
        since=span.since if span else None,
        until=span.until if span else None,
        limit=LIMIT,
        offset=_offset(request, "page"),
    )
    return rendering.answer(
        request,
        "alerts.html",
        alerts=found,
        range=name,
        limit=LIMIT,
        is_filtered=any(value is not None for value in chosen.values()) or name != "all",
        folder=queries_of(request).folder,
    )


@router.get("/alert")
def alert(request: Request) -> Response:
    """One entry of the ledger whole, with its message as sent."""
    ref = _needed(request, "ref")
    found = queries_of(request).ledger.alert(ref)
    if found is None:
        return rendering.problem(request, 404, ref)
    incident = json.dumps(found.incident, ensure_ascii=False, indent=2) if found.incident else None
    return rendering.answer(request, "alert.html", alert=found, incident_json=incident)


@router.get("/run")
def run(request: Request) -> Response:
    """What one DAG run recorded: the page in Airflow's tab of a run or of a task."""
    found = queries_of(request).run(_needed(request, "dag_id"), _needed(request, "run_id"))
    return rendering.answer(request, "run.html", found=found)


def _jobs(request: Request, target: TargetQueries) -> Jobs:
    """The newest snapshot's Jobs as the address asks for them; none where it is damaged, as the row's notes say."""
    query = request.query_params
    try:
        return target.jobs(
            q=query.get("q"),
            health=query.get("health") or None,
            phase=query.get("phase") or None,
            sort=query.get("sort") or "health",
            order=query.get("order") or "desc",
            limit=LIMIT,
            offset=_offset(request, "jobs_page"),
        )
    except StoreError:
        return jobs_of(None)


def _needed(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    # An empty selector is one: every Job of the namespace.
    if value is None or (value == "" and name != "selector"):
        raise InputError(f"{name}: the address does not say it; add ?{name}=…")
    return value


def _offset(request: Request, name: str) -> int:
    return (rendering.page_number(request.query_params.get(name)) - 1) * LIMIT


def _range(request: Request, target: TargetQueries | None) -> Range:
    """The range that the address names; `all` is from the target's first record on."""
    query = request.query_params
    now = time.time()
    if query.get("range") == "all" and target:
        total = target.records(-math.inf, math.inf, 1).total
        first = target.records(-math.inf, math.inf, 1, max(0, total - 1)).items
        begin = timestamps.to_datetime(first[0].at).timestamp() if first else now - ranges.named_seconds(None)
        return Range(min(begin, now - 60), now, "all")
    return ranges.parse(query.get("range"), _in_utc(query.get("since")), _in_utc(query.get("until")), now)


def _in_utc(text: str | None) -> str | None:
    """A form's field knows no zone; it is labelled UTC."""
    is_bare = text and "T" in text and not text.endswith("Z") and "+" not in text and text.count("-") == 2
    return f"{text}Z" if is_bare else text


def _wider(span: Range) -> dict[str, str] | None:
    """Twice the range, around its middle, but not beyond now."""
    if span.name == "all":
        return None
    until = min(span.until + span.seconds / 2, time.time())
    return {"since": wording.timestamp(until - 2 * span.seconds), "until": wording.timestamp(until)}
