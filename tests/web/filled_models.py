"""Answers of the queries with every field set, and every free text a stranger's: for what the pages make of them."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from k8s_tuning.queries import job_models, view_models

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=y>\u202egnp\x00\x1b[31m {{ 'z' * 9 }} %(x)s 한글"
AT = "2025-11-16T10:00:00Z"


def filled(model: type[BaseModel]) -> Any:
    """An instance whose texts are all HOSTILE, whose instants are AT, and whose lists have one item."""
    return model(**{name: _value(name, field.annotation) for name, field in model.model_fields.items()})


def _value(name: str, kind: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return inner[-1]
    if origin in (Union, types.UnionType):
        return _value(name, inner[0])
    if origin is list:
        return [_value(name, inner[0])]
    if origin is dict:
        return {HOSTILE: _value(name, inner[1])}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return filled(kind)
    if kind is str:
        return AT if name in ("at", "now", "since", "until") or name.endswith("_at") else HOSTILE
    return {bool: True, int: 1, float: 61.0, Any: HOSTILE}[kind]


class FilledTarget:
    """A TargetQueries whose every answer is `filled`."""

    def row(self, *_: Any) -> view_models.OverviewRow:
        return filled(view_models.OverviewRow)

    def series(self, *_: Any) -> view_models.Series:
        return filled(view_models.Series)

    def incidents(self, *_: Any) -> view_models.Incidents:
        return filled(view_models.Incidents)

    def records(self, *_: Any) -> view_models.Records:
        return filled(view_models.Records)

    def jobs(self, **_: Any) -> job_models.Jobs:
        return filled(job_models.Jobs)


class FilledLedger:
    """A LedgerIndex whose every answer is `filled`."""

    def alerts(self, **_: Any) -> view_models.Alerts:
        return filled(view_models.Alerts)

    def alert(self, *_: Any) -> view_models.Alert:
        return filled(view_models.Alert)


class FilledQueries:
    """A HealthQueries whose every answer is `filled`."""

    folder = HOSTILE
    ledger = FilledLedger()

    def overview(self, *_: Any) -> view_models.Overview:
        return filled(view_models.Overview)

    def target(self, *_: Any, **__: Any) -> FilledTarget:
        return FilledTarget()

    def sessions(self, *_: Any) -> job_models.Sessions:
        return filled(job_models.Sessions)

    def session(self, *_: Any, **__: Any) -> job_models.Session:
        return filled(job_models.Session)

    def run(self, *_: Any) -> job_models.Run:
        return filled(job_models.Run)
