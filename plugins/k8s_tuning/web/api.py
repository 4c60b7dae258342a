"""The JSON API: the same answers as the pages', from the same HealthQueries. Its schema is /api/v1/openapi.json."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from fastapi import APIRouter, Depends, HTTPException, Query, Request  # noqa: TID253  # `entry` loads this when it is asked
from fastapi.security import APIKeyCookie, HTTPBearer  # noqa: TID253
from pydantic import BaseModel, Field

from k8s_tuning.queries import job_models, view_models
from k8s_tuning.queries.jobs import SORTS as JOB_SORTS
from k8s_tuning.queries.overview import HealthQueries
from k8s_tuning.queries.target import TargetQueries
from k8s_tuning.web import ranges
from k8s_tuning.web.ranges import Range

MOST_ITEMS = 500


class Problem(BaseModel):
    """What every answer that is not 200 holds."""

    detail: str = Field(description="What is wrong, with its place, and what to do.")


def queries_of(request: Request) -> HealthQueries:
    """The one HealthQueries of this process."""
    queries: HealthQueries = request.app.state.queries
    return queries


def _range(
    name: Annotated[
        str | None,
        Query(
            alias="range", description="The last 1h, 24h, 7d or 30d.", json_schema_extra={"enum": list(ranges.NAMED)}
        ),
    ] = None,
    since: Annotated[str | None, Query(description="RFC 3339, as 2025-11-16T10:00:00Z; instead of `range`.")] = None,
    until: Annotated[str | None, Query(description="RFC 3339; now where it is not given.")] = None,
) -> Range:
    return ranges.parse(name, since, until, time.time())


def _range_if_asked(
    request: Request,
    asked: Annotated[Range, Depends(_range)],
) -> Range | None:
    return asked if request.query_params.keys() & {"range", "since", "until"} else None


QueriesDep = Annotated[HealthQueries, Depends(queries_of)]
RangeDep = Annotated[Range, Depends(_range)]
Namespace = Annotated[str, Query(description="The target's namespace.")]
Selector = Annotated[str, Query(description="The target's label selector, as it is recorded.")]
ClusterName = Annotated[
    str | None, Query(description="The target's cluster; needed where several have this namespace and selector.")
]
Words = Annotated[str | None, Query(description="Words that all must occur, in any case.")]
Order = Annotated[Literal["asc", "desc"], Query()]
Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="How many items at most.")]
Offset = Annotated[int, Query(ge=0, description="How many items to pass over.")]


def _target(
    queries: QueriesDep, namespace: Namespace, selector: Selector, cluster: ClusterName = None
) -> TargetQueries:
    found = queries.target(namespace, selector, cluster)
    if not found.is_known:
        where = f" on cluster {cluster!r}" if cluster else ""
        raise HTTPException(
            404, f"targets.yaml names no target {namespace} {selector!r}{where}, and the history has no record of it"
        )
    return found


TargetDep = Annotated[TargetQueries, Depends(_target)]

router = APIRouter(
    prefix="/api/v1",
    # `Gate` is what refuses; these say it to the schema's readers.
    dependencies=[
        Depends(
            HTTPBearer(auto_error=False, scheme_name="token", description="A token of Airflow's POST /auth/token.")
        ),
        Depends(
            APIKeyCookie(
                name=COOKIE_NAME_JWT_TOKEN,
                auto_error=False,
                scheme_name="cookie",
                description="The login of Airflow's UI.",
            )
        ),
    ],
    responses={
        401: {"model": Problem, "description": "Nobody is signed in."},
        403: {"model": Problem, "description": "The token is not valid, or the user lacks the right."},
        422: {"model": Problem, "description": "A parameter is missing or wrong."},
        503: {"model": Problem, "description": "The history, the ledger or another file cannot be read."},
    },
)
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "Nothing is known by that name."}}


@router.get("/overview", tags=["targets"])
def overview(
    queries: QueriesDep,
    name: Annotated[
        str,
        Query(alias="range", description="How far the strips go back.", json_schema_extra={"enum": list(ranges.NAMED)}),
    ] = ranges.DEFAULT,
) -> view_models.Overview:
    """Every target with its present health, the worst first."""
    return queries.overview(ranges.named_seconds(name))


@router.get("/series", tags=["targets"], responses=_UNKNOWN)
def series(
    target: TargetDep,
    asked: RangeDep,
    points: Annotated[int, Query(ge=1, le=5000, description="At most so many periods.")] = 600,
) -> view_models.Series:
    """A target's health and Job counts over time."""
    return target.series(asked.since, asked.until, points)


@router.get("/incidents", tags=["targets"], responses=_UNKNOWN)
def incidents(target: TargetDep, asked: RangeDep, limit: Limit = 50, offset: Offset = 0) -> view_models.Incidents:
    """A target's incidents that touch the range, newest first."""
    return target.incidents(asked.since, asked.until, limit, offset)


@router.get("/records", tags=["targets"], responses=_UNKNOWN)
def records(target: TargetDep, asked: RangeDep, limit: Limit = 50, offset: Offset = 0) -> view_models.Records:
    """A target's health records of the range, newest first."""
    return target.records(asked.since, asked.until, limit, offset)


@router.get("/jobs", tags=["targets"], responses=_UNKNOWN)
def jobs(
    target: TargetDep,
    q: Words = None,
    health: Annotated[Literal["OK", "WARN", "ERROR"] | None, Query()] = None,
    phase: Annotated[Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN", "MISSING"] | None, Query()] = None,
    session_id: Annotated[str | None, Query(description="Only the Jobs of this tuning session.")] = None,
    sort: Annotated[str, Query(json_schema_extra={"enum": list(JOB_SORTS)})] = "health",
    order: Order = "desc",
    limit: Limit = 50,
    offset: Offset = 0,
) -> job_models.Jobs:
    """The Jobs of a target's newest snapshot, with their last log lines and events."""
    return target.jobs(
        q=q, health=health, phase=phase, session_id=session_id, sort=sort, order=order, limit=limit, offset=offset
    )


@router.get("/sessions", tags=["sessions"])
def sessions(queries: QueriesDep, q: Words = None, limit: Limit = 50, offset: Offset = 0) -> job_models.Sessions:
    """Tuning sessions with their progress, newest first."""
    return queries.sessions(q, limit, offset)


@router.get("/session", tags=["sessions"], responses=_UNKNOWN)
def session(
    queries: QueriesDep,
    namespace: Annotated[str, Query(description="Where its Jobs are.")],
    session_id: Annotated[str, Query()],
    q: Words = None,
    sort: Annotated[str, Query(description="name, worker, phase, started_at, seconds, or param.NAME.")] = "name",
    order: Order = "asc",
    limit: Limit = 50,
    offset: Offset = 0,
) -> job_models.Session:
    """One tuning session: its Jobs with their parameters."""
    found = queries.session(namespace, session_id, limit, offset, q=q, sort=sort, order=order)
    if found is None:
        raise HTTPException(
            404, f"no session {session_id!r} was applied in namespace {namespace!r}, or it is forgotten"
        )
    return found


@router.get("/alerts", tags=["alerts"])
def alerts(
    queries: QueriesDep,
    asked: Annotated[Range | None, Depends(_range_if_asked)],
    target: Annotated[str | None, Query(description="One of the answer's `targets`.")] = None,
    channel: Annotated[str | None, Query(description="One of the answer's `channels`.")] = None,
    decision: Annotated[str | None, Query(description="One of the answer's `decisions`.")] = None,
    outcome: Annotated[str | None, Query(description="One of the answer's `outcomes`.")] = None,
    namespace: Annotated[str | None, Query()] = None,
    selector: Annotated[str | None, Query()] = None,
    cluster: Annotated[str | None, Query()] = None,
    q: Words = None,
    run_id: Annotated[str | None, Query(description="DAG_ID/RUN_ID of the DAG run that decided it.")] = None,
    incident_id: Annotated[str | None, Query()] = None,
    quiet: Annotated[bool, Query(description="Also the decisions against a message.")] = False,
    limit: Limit = 50,
    offset: Offset = 0,
) -> view_models.Alerts:
    """Entries of the alerts' ledger, newest first: what was decided for which channel, why, and when it was sent."""
    return queries.ledger.alerts(
        since=asked.since if asked else None, until=asked.until if asked else None, target=target, channel=channel,
        decision=decision, outcome=outcome, namespace=namespace, selector=selector, cluster=cluster, q=q, run_id=run_id,
        incident_id=incident_id, quiet=quiet, limit=limit, offset=offset,
    )  # fmt: skip


@router.get("/alert", tags=["alerts"], responses=_UNKNOWN)
def alert(queries: QueriesDep, ref: Annotated[str, Query(description="An entry's `ref`.")]) -> view_models.Alert:
    """One entry of the ledger whole: every attempt, and the message as it was sent."""
    found = queries.ledger.alert(ref)
    if found is None:
        raise HTTPException(404, f"the ledger has no entry {ref!r} (any more); /alerts lists what it has")
    return found


@router.get("/run", tags=["runs"])
def run(queries: QueriesDep, dag_id: Annotated[str, Query()], run_id: Annotated[str, Query()]) -> job_models.Run:
    """Everything that one DAG run left behind; empty lists for a run that left nothing."""
    return queries.run(dag_id, run_id)
