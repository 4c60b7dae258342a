"""The pages' templates: their words, filters and links, and how an answer is made of one.

Everything that a template writes is escaped, and `wording.finalized`: what stands in a log is text, whatever it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from k8s_tuning import timestamps
from k8s_tuning.printable import log_line
from k8s_tuning.queries.view_models import RunRef
from k8s_tuning.web import assets, drawing, language, wording

_FOLDER = Path(__file__).parent
_HOUR = 3600


def answer(request: Request, template: str, code: int = 200, **context: Any) -> HTMLResponse:
    """One page in the reader's language. Its links are relative, so that they hold under any base path."""
    spoken = language.chosen(request.headers.get("accept-language", ""))
    environment = _environment(spoken)
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    # From /alert the pages' root is ./, from /a/b ../
    root = "../" * (path.count("/") - 1) or "./"
    query = dict(request.query_params)
    here = path.strip("/") or "./"

    def link(page: str, /, **params: Any) -> str:
        return (page if page == root else root + page.removeprefix("./")) + _question(params)

    def here_with(changes: Mapping[str, Any], drop: tuple[str, ...] = ()) -> str:
        return link(here, **({name: value for name, value in query.items() if name not in drop} | dict(changes)))

    def airflow_run(run: RunRef) -> str:
        return f"{root}../dags/{quote(run.dag_id, safe='')}/runs/{quote(run.run_id, safe='')}"

    whole: dict[str, Any] = {
        "language": spoken,
        "root": root,
        "query": query,
        "section": {"session": "sessions", "alert": "alerts", "target": "./"}.get(here, here),
        "now": timestamps.now(),
        "link": link,
        "here": here_with,
        "airflow_run": airflow_run,
        "asset": lambda name: f"{root}static/{name}?v={assets.version(name)}",
        "page_of": lambda name: page_number(query.get(name)),
        **_words(language.translations(spoken).gettext),
        **context,
    }
    whole["parts"] = environment.get_template("parts.html").make_module(whole)
    body = environment.get_template(template).render(whole)
    return HTMLResponse(body, code, {"Content-Language": spoken, "Vary": "Accept-Language, Cookie"})


def problem(request: Request, status: int, detail: str) -> HTMLResponse:
    """A page that says why there is no other: with 404 `detail` is what was asked for, else what was wrong."""
    return answer(request, "problem.html", status, detail=detail, status=status)


def page_number(text: str | None) -> int:
    """The number of a list's page, from 1; what is no such number is the first page."""
    return max(1, int(text)) if text and text.isascii() and text.isdecimal() and len(text) < 10 else 1


@cache
def _environment(spoken: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=wording.finalized,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(language.translations(spoken), newstyle=True)  # type: ignore[attr-defined]

    def length_of(seconds: float) -> str:
        return wording.length(seconds, spoken)

    environment.filters |= {
        "stamp": wording.stamp,
        "log_line": log_line,
        "parameter": wording.parameter,
        "number": lambda value: wording.number(value, spoken),
        "length_of": length_of,
        "ago": lambda seconds: wording.length(seconds, spoken, most=1 if seconds < _HOUR else 2),
        "since": lambda later, earlier: length_of(timestamps.seconds_between(earlier, later)),
        "timestamp": wording.timestamp,
        "field": lambda text: text.removesuffix("Z"),
        "strip": drawing.strip,
        "strip_counts": drawing.strip_counts,
        "progress": drawing.progress,
        "sum_lines": lambda logs: sum(len(log.lines) for log in logs),
    }
    return environment


def _words(_: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """What the files' words are called on the pages; what is not here is shown as it stands."""
    return {
        "range_words": {
            "1h": _("1 hour"),
            "24h": _("24 hours"),
            "7d": _("7 days"),
            "30d": _("30 days"),
            "all": _("all"),
        },
        "level_words": {"STALE": _("STALE"), "NEVER": _("NO RECORD"), "IDLE": _("idle, no Jobs")},
        "outcome_words": {
            "owed": _("pending"),
            "sent": _("sent"),
            "failed": _("failed, still pending"),
            "dry_run": _("dry run, only shown"),
            "superseded": _("superseded"),
            "already_sent": _("already sent"),
            "not_sent": _("not to be sent"),
        },
        "session_words": {
            "succeeded": _("succeeded"),
            "failed": _("failed"),
            "gone": _("gone, their end unseen"),
            "running": _("running"),
            "pending": _("pending"),
            "unseen": _("not seen yet"),
        },
        "phase_words": {"GONE": _("GONE, its end unseen"), "UNSEEN": _("not seen yet")},
    }


def _question(params: Mapping[str, Any]) -> str:
    # An empty selector selects every Job; whatever else is empty says nothing.
    given = {
        name: str(value) for name, value in params.items() if value is not None and (str(value) or name == "selector")
    }
    return f"?{urlencode(given, errors='replace')}" if given else ""
