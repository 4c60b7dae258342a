"""Answers of the dashboard with every field set, and every free text a stranger's: for what the pages make of them."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from k8s_tuning.queries import shapes

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


class FilledBoard:
    """A Dashboard whose every answer is `filled`."""

    folder = HOSTILE

    def overview(self, *_: Any) -> shapes.Overview:
        return filled(shapes.Overview)

    def target(self, *_: Any) -> shapes.OverviewRow:
        return filled(shapes.OverviewRow)

    def series(self, *_: Any) -> shapes.Series:
        return filled(shapes.Series)

    def incidents(self, *_: Any) -> shapes.Incidents:
        return filled(shapes.Incidents)

    def records(self, *_: Any) -> shapes.Records:
        return filled(shapes.Records)

    def jobs(self, *_: Any, **__: Any) -> shapes.Jobs:
        return filled(shapes.Jobs)

    def sessions(self, *_: Any) -> shapes.Sessions:
        return filled(shapes.Sessions)

    def session(self, *_: Any, **__: Any) -> shapes.Session:
        return filled(shapes.Session)

    def alerts(self, **_: Any) -> shapes.Alerts:
        return filled(shapes.Alerts)

    def alert(self, *_: Any) -> shapes.Alert:
        return filled(shapes.Alert)

    def run(self, *_: Any) -> shapes.Run:
        return filled(shapes.Run)
