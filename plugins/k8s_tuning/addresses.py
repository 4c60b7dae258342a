"""Addresses of the health page: paths that Airflow serves, without its host and its base path.

`embedded` (the default) is the page inside Airflow's UI: the route of its external view, then the path that the frame
in it shows, as the UI itself writes it. Else it is the bare page.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

PAGE = "/k8s-tuning"
VIEW = "/plugin/k8s-tuning"


def overview_address(*, embedded: bool = True) -> str:
    """Every target."""
    return _address("", {}, embedded)


def target_address(
    namespace: str,
    selector: str,
    since: str | None = None,
    until: str | None = None,
    *,
    cluster: str | None = None,
    embedded: bool = True,
) -> str:
    """One target; `since` and `until` (RFC 3339): the range of its charts."""
    where = {"namespace": namespace, "selector": selector, "cluster": cluster}
    return _address("target", {**where, "since": since, "until": until}, embedded)


def session_address(namespace: str, session_id: str, *, embedded: bool = True) -> str:
    """One tuning session."""
    return _address("session", {"namespace": namespace, "session_id": session_id}, embedded)


def alerts_address(run_id: str | None = None, incident_id: str | None = None, *, embedded: bool = True) -> str:
    """The ledger's entries: all, or those of one run (`DAG_ID/RUN_ID`) or of one incident."""
    return _address("alerts", {"run_id": run_id, "incident_id": incident_id}, embedded)


def run_address(dag_id: str, run_id: str, *, embedded: bool = True) -> str:
    """All that one DAG run left behind."""
    return _address("run", {"dag_id": dag_id, "run_id": run_id}, embedded)


def _address(page: str, params: dict[str, str | None], embedded: bool) -> str:
    given = {name: value for name, value in params.items() if value is not None}
    query = urlencode(given, quote_via=quote, safe="", errors="replace")
    return f"{VIEW if embedded else ''}{PAGE}/{page}{'?' if query else ''}{query}"
