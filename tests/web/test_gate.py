"""Who may look, asked of a real Airflow with its own logins; and what every answer carries."""

import json
import os
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from starlette.routing import Mount
from tests.airflow_runs import ROOT
from tests.airflow_server import METRICS_TOKEN, airflow_server
from tests.web.recordings import NAMESPACE, RUN, SESSION, TARGET, record_a_run

from k8s_tuning.web.app import create_app
from k8s_tuning.web.gate import DAG_IDS

pytestmark = pytest.mark.airflow

# What the routes need, together: none minds the others' parameters.
PARAMS = urlencode(TARGET | RUN | {"namespace": NAMESPACE, "session_id": SESSION, "ref": "no"})
ROUTES = [
    f"{route.path}/{'icon.svg' if route.path == '/static' else ''}" if isinstance(route, Mount) else route.path
    for route in create_app(Path("nowhere"), Path("nowhere")).app.routes
]
NOT_THERE = ["/nowhere", "/api/v1/nowhere", "/static/nowhere.js", "/docs", "/openapi.json"]


@pytest.fixture(scope="module")
def server(airflow_api):
    """Airflow's API server over what one run left behind."""
    record_a_run(airflow_api.history)
    return airflow_api


def ask(address, path, headers=None, method="GET"):
    return httpx.request(method, f"{address}{path}?{PARAMS}", headers=headers, timeout=60)


def test_every_kind_of_route_is_walked():
    """The walk below is of the application's own list, so that a new route is in it."""
    assert {"/", "/target", "/run", "/static/icon.svg", "/api/v1/openapi.json", "/api/v1/jobs"} <= set(ROUTES)


@pytest.mark.parametrize("path", ROUTES + NOT_THERE)
def test_without_a_login_there_is_nothing(server, path):
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        assert ask(server.page, path, method=method).status_code == 401


@pytest.mark.parametrize("path", ROUTES + NOT_THERE)
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer garbage"},
        {"Cookie": f"{COOKIE_NAME_JWT_TOKEN}=garbage"},
        {"Authorization": f"Bearer {METRICS_TOKEN}"},
    ],
    ids=["token", "cookie", "the metrics' token"],
)
def test_a_bad_token_is_refused(server, path, headers):
    assert ask(server.page, path, headers).status_code == 403


@pytest.mark.parametrize("path", ROUTES)
def test_a_viewer_may_look_with_a_token_or_with_the_cookie_of_the_ui(server, viewer, path):
    wanted = 404 if path.endswith("/alert") else 200
    assert ask(server.page, path, viewer).status_code == wanted
    cookie = {"Cookie": f"{COOKIE_NAME_JWT_TOKEN}={viewer['Authorization'].removeprefix('Bearer ')}"}
    assert ask(server.page, path, cookie).status_code == wanted


@pytest.fixture(scope="module")
def viewer(server):
    return server.login("viewer")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_there_is_nothing_but_reading_even_for_an_admin(server, admin, path, method):
    answer = ask(server.page, path, admin, method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.fixture(scope="module")
def admin(server):
    return server.login("admin")


@pytest.mark.parametrize("path", ["/", "/api/v1/overview", "/static/icon.svg"])
def test_head_is_get_without_the_body(server, viewer, path):
    head = ask(server.page, path, viewer, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == ask(server.page, path, viewer).headers["content-type"]


@pytest.mark.parametrize("path", [*ROUTES, "/nowhere"])
def test_every_answer_carries_the_headers_of_a_page_that_runs_nothing_foreign(server, viewer, path):
    for answer in (ask(server.page, path), ask(server.page, path, viewer), ask(server.page, path, viewer, "POST")):
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy.pop("default-src") == "'none'"
        assert policy.pop("base-uri") == "'none'"
        assert set(policy.values()) == {"'self'"}
        assert {"script-src", "style-src", "connect-src", "form-action", "frame-ancestors"} <= set(policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "x-frame-options" not in answer.headers
        is_file = path.startswith("/static") and answer.status_code == 200
        assert answer.headers["cache-control"] == ("private, no-cache" if is_file else "no-store")


def test_somebody_who_is_signed_out_is_shown_the_way_in(server):
    """A link that a colleague sent leads to Airflow's login, and from there back."""
    answer = ask(server.page, "/target", {"Accept": "text/html,*/*"})
    assert answer.status_code == 401
    assert 'href="/auth/login?next=http' in answer.text
    assert "k8s-tuning%2Ftarget%3Fnamespace%3D" in answer.text


def test_the_metrics_keep_their_own_token(server, viewer):
    assert ask(server.page, "/metrics").status_code == 401
    assert ask(server.page, "/metrics", viewer).status_code == 401
    answer = ask(server.page, "/metrics", {"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert "k8s_tuning_target_health" in answer.text


def test_the_right_is_asked_of_every_dag_of_this_package():
    assert set(DAG_IDS) == {path.stem for path in (ROOT / "dags").glob("*.py")}


PER_DAG = """
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class PerDag(SimpleAuthManager):
    '''As FAB's: rights are a DAG's own, and where no DAG is named the right to any will do.'''

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        named = details.id if details else None
        return user.role == "admin" or named in (None, "k8s_tuning_pipeline", "k8s_health_monitor")
"""


@pytest.fixture(scope="module")
def fussy(tmp_path_factory):
    """Airflow under a base path, with rights a DAG; its viewer may read two of the package's DAGs."""
    folder = tmp_path_factory.mktemp("fussy")
    (folder / "per_dag.py").write_text(PER_DAG)
    search = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    env = {"PYTHONPATH": search, "AIRFLOW__CORE__AUTH_MANAGER": "per_dag.PerDag"}
    with airflow_server(folder / "home", str(folder / "no-kubeconfig"), path="/team/airflow", env=env) as server:
        yield server


def test_the_right_to_some_of_the_dags_is_not_enough_whichever_the_address_names(fussy):
    viewer = fussy.login("viewer")
    for path in ("/", "/run", "/api/v1/run", "/api/v1/overview", "/static/icon.svg"):
        answer = ask(fussy.page, path, viewer)
        assert answer.status_code == 403
        assert "task logs of k8s_tuning_pipeline" in answer.text
    one = httpx.get(f"{fussy.page}/api/v1/run?dag_id=k8s_tuning_pipeline&run_id=x", headers=viewer)
    assert one.status_code == 403


def test_under_a_base_path_the_page_and_airflows_links_to_it_are_there(fussy):
    admin = fussy.login("admin")
    plugins = httpx.get(f"{fussy.address}/api/v2/plugins", headers=admin).json()["plugins"]
    [mine] = [plugin for plugin in plugins if plugin["name"] == "k8s_tuning"]
    views = {view["destination"]: view for view in mine["external_views"]}
    assert set(views) == {"nav", "dag_run", "task_instance"}
    assert len({view["url_route"] for view in views.values()}) == 3
    assert views["nav"]["url_route"] == "k8s-tuning"
    assert views["nav"]["nav_top_level"] is True
    origin = fussy.address.removesuffix("/team/airflow")
    names = {"{DAG_ID}": "a", "{RUN_ID}": "b", "{TASK_ID}": "c"}
    for view in views.values():
        for address in (view["href"], view["icon"]):
            assert address.startswith("/team/airflow/k8s-tuning/")
            for name, value in names.items():
                address = address.replace(name, value)
            assert httpx.get(origin + address, headers=admin).status_code == 200
    assert httpx.get(f"{origin}{views['nav']['href']}api/v1/overview", headers=admin).json()["rows"] is not None


def test_no_route_of_another_plugin_or_of_airflows_is_taken(fussy):
    """Airflow's own pages answer beside ours."""
    assert httpx.get(f"{fussy.address}/api/v2/monitor/health").status_code == 200
    assert json.loads(httpx.get(f"{fussy.address}/api/v2/version").text)["version"].startswith("3.")
