"""The JSON API over real files and real HTTP, behind the gate (test_gate.py has the gate)."""

import json
import re
import socket
import threading
import time
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.web.recordings import CAUSE, DAG_ID, NAMESPACE, RUN, RUN_ID, SELECTOR, SESSION, TARGET, ago, record_a_run

from k8s_tuning.queries import job_models, view_models
from k8s_tuning.queries.overview import HealthQueries
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot, K8sJobHealth
from k8s_tuning.stages.history.latest import LatestJob, LatestSnapshot, LatestStore
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.web.app import create_app


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "history"
    folder.mkdir()
    return folder


@pytest.fixture
def get(folder, tmp_path):
    """Ask the application, mounted as Airflow does it under a base path; its answer, with the status expected."""
    targets = tmp_path / "targets.yaml"
    watched = {"name": "quiet", "namespace": NAMESPACE, "label_selector": "app=quiet"}
    targets.write_text(json.dumps({"targets": [watched]}), encoding="utf-8")
    app = Starlette(routes=[Mount("/base/k8s-tuning", create_app(folder, targets).app)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/base/k8s-tuning"

    def ask(path, status=200, **params):
        answer = httpx.get(f"{address}{path}?{urlencode(params)}")
        assert answer.status_code == status, answer.text
        return answer

    yield ask
    server.should_exit = True
    thread.join()


ROUTES = {
    "overview": (view_models.Overview, {}),
    "series": (view_models.Series, TARGET),
    "incidents": (view_models.Incidents, TARGET),
    "records": (view_models.Records, TARGET),
    "jobs": (job_models.Jobs, TARGET),
    "sessions": (job_models.Sessions, {}),
    "session": (job_models.Session, {"namespace": NAMESPACE, "session_id": SESSION}),
    "alerts": (view_models.Alerts, {}),
    "run": (job_models.Run, RUN),
}


@pytest.mark.parametrize(("route", "shape", "params"), [(name, *rest) for name, rest in ROUTES.items()], ids=ROUTES)
def test_every_route_answers_in_its_shape_with_korean_as_it_is(folder, get, route, shape, params):
    record_a_run(folder)
    answer = get(f"/api/v1/{route}", **params)
    assert answer.headers["content-type"] == "application/json"
    shape.model_validate_json(answer.content)
    assert route in ("sessions", "session") or re.search("[가-힣]", answer.text)


def test_the_overview_has_the_worst_first_and_what_was_never_recorded(folder, get):
    record_a_run(folder)
    rows = get("/api/v1/overview", range="7d").json()["rows"]
    assert [(row["name"], row["status"], row["watched"]) for row in rows] == [
        ("차익", "ERROR", False),
        ("quiet", "NEVER", True),
    ]
    assert rows[0]["cause"] == CAUSE


def test_the_cause_on_the_overview_is_that_of_a_job_that_is_not_ok(folder, get):
    """One that was evicted and runs again is OK, and says so on its own line."""
    at = ago(1)
    waits = K8sJobHealth("b", NAMESPACE, "PENDING", 0, 0, 0, HealthLevel.WARN, reasons=["pending"])
    K8sHealthHistoryStore(folder / "health.jsonl").append(
        K8sHealthSnapshot(NAMESPACE, SELECTOR, [waits], [], HealthLevel.WARN, at), target="차익"
    )
    jobs = [
        LatestJob("a", HealthLevel.OK, "RUNNING", reasons=["evicted"], cause="pod a was evicted; the Job goes on"),
        LatestJob("b", HealthLevel.WARN, "PENDING", reasons=["pending"], cause="the Job is suspended"),
    ]
    LatestStore(folder / "looks").keep(LatestSnapshot(NAMESPACE, SELECTOR, at, None, "차익", jobs))
    causes = {row["name"]: row["cause"] for row in get("/api/v1/overview", range="7d").json()["rows"]}
    assert causes["차익"] == "the Job is suspended"


def test_an_entry_of_the_ledger_is_asked_for_by_the_ref_that_the_list_gives(folder, get):
    record_a_run(folder)
    [channel] = get("/api/v1/alerts").json()["channels"]
    [row] = get("/api/v1/alerts", channel=channel, range="1h").json()["items"]
    assert row["outcome"] == "sent"
    assert get("/api/v1/alert", ref=row["ref"]).json()["row"] == row


def test_filters_and_pages_leave_what_they_name(folder, get):
    record_a_run(folder)
    names = [job["name"] for job in get("/api/v1/jobs", **TARGET, sort="name", order="asc").json()["items"]]
    assert names == ["demo-worker-1", "demo-worker-2", "demo-worker-10"]
    second = get("/api/v1/jobs", **TARGET, sort="name", order="asc", limit=1, offset=1).json()
    assert ([job["name"] for job in second["items"]], second["matching"]) == (["demo-worker-2"], 3)
    assert get("/api/v1/jobs", **TARGET, health="ERROR", phase="FAILED", session_id=SESSION).json()["matching"] == 1
    assert get("/api/v1/jobs", **TARGET, q="메모리").json()["matching"] == 1
    assert get("/api/v1/alerts", channel="slack").json()["items"] == []
    assert get("/api/v1/alerts", until=ago(30)).json()["items"] == []
    assert get("/api/v1/alerts", **TARGET).json()["total"] == 1
    assert get("/api/v1/alerts", **TARGET | {"namespace": "other"}).json()["total"] == 0


@pytest.mark.slow
def test_asking_writes_nothing(folder, get):
    """The API server may have the shared volume read-only."""
    record_a_run(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    for route, (_, params) in ROUTES.items():
        get(f"/api/v1/{route}", **params)
    get("/")
    get("/target", **TARGET)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_range_is_asked_for_by_name_or_by_its_ends(folder, get):
    record_a_run(folder)
    assert get("/api/v1/records", **TARGET, range="30d").json()["total"] == 2
    assert get("/api/v1/records", **TARGET, since=ago(30)).json()["total"] == 1
    assert get("/api/v1/records", **TARGET, since=ago(90), until=ago(30)).json()["total"] == 1


@pytest.mark.parametrize(
    ("route", "params", "said"),
    [
        ("overview", {"range": "2w"}, "range: '2w' is not one of 1h, 24h, 7d, 30d"),
        ("series", TARGET | {"since": "soon"}, "since: 'soon' is not a timestamp; write one as"),
        ("series", TARGET | {"points": "many"}, "points: 'many' is wrong: input should be a valid integer"),
        ("records", TARGET | {"limit": 501}, "limit: '501' is wrong: input should be less than or equal to 500"),
        ("records", TARGET | {"limit": 0}, "limit: '0' is wrong: input should be greater than or equal to 1"),
        ("records", TARGET | {"offset": -1}, "offset: '-1' is wrong"),
        ("records", {"namespace": NAMESPACE}, "selector: is missing"),
        ("jobs", TARGET | {"health": "BAD"}, "health: 'BAD' is wrong: input should be 'OK', 'WARN' or 'ERROR'"),
        ("jobs", TARGET | {"sort": "age"}, "sort: 'age' is not one of health, name,"),
        ("session", {"namespace": NAMESPACE, "session_id": SESSION, "sort": "param.nope"}, "sort: 'param.nope'"),
        ("session", {"namespace": NAMESPACE, "session_id": SESSION, "order": "up"}, "order: 'up' is wrong"),
        ("alerts", {"quiet": "perhaps"}, "quiet: 'perhaps' is wrong"),
        ("run", {"dag_id": DAG_ID}, "run_id: is missing"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_would_be_right(folder, get, route, params, said):
    record_a_run(folder)
    answer = get(f"/api/v1/{route}", 422, **params).json()
    assert list(answer) == ["detail"]
    assert answer["detail"].startswith(said)


@pytest.mark.parametrize(
    ("path", "params", "said"),
    [
        ("/api/v1/series", {"namespace": NAMESPACE, "selector": "app=no"}, "no target trading-bots 'app=no'"),
        ("/api/v1/jobs", {"namespace": "no", "selector": SELECTOR}, "no target no"),
        ("/api/v1/session", {"namespace": NAMESPACE, "session_id": "no"}, "no session 'no'"),
        ("/api/v1/alert", {"ref": "no"}, "no entry 'no'"),
        ("/api/v1/nothing", {}, "Not Found"),
        ("/api/v2", {}, "Not Found"),
    ],
)
def test_what_is_not_known_is_said_in_a_sentence(folder, get, path, params, said):
    record_a_run(folder)
    assert said in get(path, 404, **params).json()["detail"]


def test_a_target_that_was_never_recorded_has_empty_lists(get):
    asked = {"namespace": NAMESPACE, "selector": "app=quiet"}
    assert get("/api/v1/records", **asked).json() == {"total": 0, "items": []}
    assert get("/api/v1/jobs", **asked).json()["at"] is None


def test_a_run_of_another_dag_left_nothing(folder, get):
    record_a_run(folder)
    answer = get("/api/v1/run", dag_id="others", run_id=RUN_ID).json()
    assert [answer[name] for name in ("records", "sessions", "alerts", "result")] == [[], [], [], None]


def test_files_that_cannot_be_read_are_503_with_their_place(folder, get):
    (folder / "health.jsonl").mkdir()
    for path in ("/api/v1/overview", "/api/v1/records"):
        assert "health.jsonl" in get(path, 503, **TARGET).json()["detail"]
    page = get("/", 503)
    assert page.headers["content-type"].startswith("text/html")
    assert "health.jsonl" in page.text


def test_a_fault_that_nobody_foresaw_is_500_in_a_sentence(get, monkeypatch):
    def broken(self, *asked):
        raise ZeroDivisionError("https://user:s3cr3t@host/")

    monkeypatch.setattr(HealthQueries, "overview", broken)
    for path in ("/api/v1/overview", "/"):
        answer = get(path, 500)
        assert "s3cr3t" not in answer.text
        assert "ZeroDivisionError" not in answer.text
        assert "log says how" in answer.text


def test_an_unknown_page_is_a_page(get):
    answer = get("/nowhere", 404)
    assert answer.headers["content-type"].startswith("text/html")


def test_the_schema_says_what_every_route_takes_and_gives(get):
    schema = get("/api/v1/openapi.json").json()
    assert schema["servers"] == [{"url": "/base/k8s-tuning"}]
    assert {path.removeprefix("/api/v1/") for path in schema["paths"]} == {*ROUTES, "alert"}
    for path, methods in schema["paths"].items():
        assert list(methods) == ["get"], path
        route = methods["get"]
        assert route["tags"]
        assert route["description"]
        assert {"200", "401", "403", "422", "503"} <= set(route["responses"])
        assert route["security"] == [{"token": []}, {"cookie": []}]
    assert "HTTPValidationError" not in schema["components"]["schemas"]


def test_the_schema_is_there_to_read_and_loads_nothing_from_elsewhere(get):
    page = get("/api/v1/docs").text
    assert "GET /api/v1/incidents" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_a_static_file_is_kept_for_good_only_by_its_present_version(get):
    page = get("/").text
    [icon] = {part.split('"')[0] for part in page.split('href="') if "icon.svg" in part}
    assert (
        "immutable" in get(f"/{icon.split('?')[0].removeprefix('./')}", v=icon.split("v=")[1]).headers["cache-control"]
    )
    for params in ({}, {"v": "0123456789"}):
        assert get("/static/icon.svg", **params).headers["cache-control"] == "private, no-cache"
    get("/static/../app.py", 404)
    get("/static/nothing.js", 404)
