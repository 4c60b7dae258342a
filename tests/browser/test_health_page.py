"""The health page as its readers have it: in chromium, in a running Airflow, after a run that went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from scripts.airflow_browser import DAG, health_page, installed
from tests.browser.conftest import TARGET, Desk, keep

from k8s_tuning import timestamps
from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.history.store import K8sHealthHistoryStore

pytestmark = [
    pytest.mark.browser,
    pytest.mark.airflow,
    pytest.mark.skipif(installed() is None, reason="chromium is not installed"),
]
EMBEDDED = "/plugin/k8s-tuning/k8s-tuning/"
BARE = "/k8s-tuning/"
Open = Callable[..., Page]


def run_page(desk: Desk) -> str:
    return f"/dags/{DAG}/runs/{quote(desk.run_id, safe=':')}"


def test_signed_out_there_is_airflows_login_and_no_data(open_page: Open, desk: Desk) -> None:
    page = open_page(EMBEDDED, user=None)
    page.locator("input[name=username]").wait_for()
    for path in ("", TARGET, "sessions", "alerts", "api/v1/overview", "api/v1/openapi.json"):
        assert httpx.get(f"{desk.airflow.page}/{path}").status_code == 401, path


def test_after_a_run_from_the_ui_the_incident_is_on_the_page(
    open_page: Open, desk: Desk, complaints: list[str]
) -> None:
    assert desk.run_state == "failed", "two Jobs are failing, and the run must say so"
    page = open_page("/")
    page.get_by_role("link", name="K8s Tuning").click()
    inside = health_page(page)
    row = inside.get_by_role("row").filter(has_text="app=arbitrage-tuning")
    expect(row).to_contain_text("ERROR")
    expect(row).to_contain_text("CRITICAL")
    expect(row).to_contain_text("sent")
    keep(page, "overview")
    row.locator("a.name").click()
    page.wait_for_url("**/k8s-tuning/target?**")
    expect(inside.locator("#now")).to_contain_text("OOM-killed (exit code 137)")
    expect(inside.locator("#health-chart canvas")).to_be_visible()
    expect(inside.locator("svg.lane a")).to_have_count(1)
    inside.locator("svg.lane a").focus()
    page.keyboard.press("Enter")
    expect(inside.locator("#incidents tbody tr")).to_contain_text("CRITICAL")
    keep(page, "target")
    assert complaints == []


def test_a_log_that_holds_html_is_shown_as_text(open_page: Open, complaints: list[str]) -> None:
    page = open_page(BARE + TARGET)
    page.locator("#jobs summary").first.click()
    log = page.locator("pre.log").filter(has_text="메모리 부족").first
    expect(log).to_contain_text("<img src=x onerror=document.title='ran'><script>document.title='ran'</script>")
    assert log.locator("img, script").count() == 0
    assert page.title() != "ran"
    keep(page, "hostile-log")
    assert complaints == []


def test_links_lead_from_the_page_to_the_run_and_from_run_task_and_operator_back(open_page: Open, desk: Desk) -> None:
    page = open_page(EMBEDDED + TARGET)
    link = health_page(page).locator("#records a[data-airflow]").filter(has_text=desk.run_id).first
    link.click()
    page.wait_for_url(lambda url: unquote(urlsplit(url).path) == unquote(run_page(desk)))
    page.locator("a[href*='plugin/k8s-tuning-run']").click()
    page.wait_for_url("**/plugin/k8s-tuning-run**")
    found = health_page(page).locator("#found")
    expect(found).to_contain_text("Exit code")
    expect(found.locator("section")).to_have_count(4)  # result, records, sessions, alerts
    keep(page, "dag-run-tab")
    page.goto(f"{desk.airflow.address}{run_page(desk)}/tasks/record_history")
    page.locator("a[href*='plugin/k8s-tuning-task']").click()
    expect(health_page(page).locator("h1")).to_contain_text("record_history")
    page.goto(f"{desk.airflow.address}{run_page(desk)}/tasks/record_history/details")
    page.get_by_role("link", name="Health page").click()
    page.wait_for_url(f"**{EMBEDDED}target?**")
    expect(health_page(page).locator("#now")).to_contain_text("ERROR")


def test_a_session_shows_its_jobs_parameters_and_progress(open_page: Open) -> None:
    page = open_page(EMBEDDED + "sessions")
    inside = health_page(page)
    inside.locator("table a[href*='session?']").first.click()
    page.wait_for_url("**/session?**")
    expect(inside.locator("main")).to_contain_text("worker-1")
    expect(inside.locator("main")).to_contain_text("FAILED")
    keep(page, "session")


def test_the_ledger_shows_the_message_exactly_as_it_was_sent(open_page: Open, desk: Desk) -> None:
    page = open_page(EMBEDDED + "alerts?outcome=sent")
    inside = health_page(page)
    inside.locator("table a[href*='alert?']").first.click()
    page.wait_for_url("**/alert?**")
    shown = inside.locator("main pre.message").inner_text()
    assert "K8s Alert: CRITICAL" in shown
    logs = (desk.airflow.history.parent / "logs").rglob(f"run_id={desk.run_id}/task_id=send_alerts/**/*.log")
    logged = [json.loads(line)["event"] for log in logs for line in log.read_text("utf-8").splitlines()]
    # The console's message goes to the task's log, a line at a time, behind the word for what sends it.
    assert [line for line in shown.splitlines()[1:] if line.strip() and line not in logged] == []
    keep(page, "alert")


def test_a_range_that_was_dragged_stands_in_airflows_address_and_shows_the_same_to_a_colleague(
    open_page: Open,
) -> None:
    page = open_page(EMBEDDED + TARGET + "&range=1h")
    chart = health_page(page).locator("#health-chart .u-over")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 20, steps=5)
    page.mouse.up()
    page.wait_for_url("**since=**")
    said = parse_qs(urlsplit(page.url).query)
    address = urlsplit(page.url)
    colleague = open_page(f"{address.path}?{address.query}", user="viewer")
    field = health_page(colleague).get_by_label("From (UTC)")
    expect(field).to_have_value(said["since"][0].removesuffix("Z"))


def test_the_copied_link_is_airflows_and_shows_the_same_view(open_page: Open) -> None:
    page = open_page(EMBEDDED + TARGET + "&range=7d", permissions=["clipboard-read", "clipboard-write"])
    health_page(page).get_by_role("button", name="Copy link to this view").click()
    expect(health_page(page).locator("#message")).to_have_text("Link copied")
    copied = urlsplit(page.evaluate("navigator.clipboard.readText()"))
    assert copied.path == f"{EMBEDDED}target"
    assert parse_qs(copied.query)["range"] == ["7d"]
    again = open_page(f"{copied.path}?{copied.query}", user="viewer")
    expect(health_page(again).locator("nav.ranges [aria-current=true]")).to_have_text("7 days")


def test_what_is_recorded_while_one_looks_appears_by_itself(open_page: Open, desk: Desk) -> None:
    page = open_page(BARE)
    page.clock.install()
    page.reload()
    expect(page.locator("table.overview")).not_to_contain_text("app=later")
    snapshot = K8sHealthSnapshot("trading-bots", "app=later", [], [], HealthLevel.OK, timestamps.now())
    K8sHealthHistoryStore(desk.airflow.history / "health.jsonl").append(snapshot)
    page.clock.run_for(31_000)
    expect(page.locator("table.overview")).to_contain_text("app=later")


def test_a_viewer_may_look_and_nobody_can_change_anything(open_page: Open, desk: Desk) -> None:
    page = open_page(EMBEDDED, user="viewer")
    expect(health_page(page).locator("table.overview")).to_contain_text("ERROR")
    assert health_page(page).locator("form[method=post]").count() == 0
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = page.context.request.fetch(f"{desk.airflow.page}/{TARGET}", method=method)
        assert answer.status == 405, method


def test_it_is_dark_where_airflow_is(open_page: Open) -> None:
    page = open_page(EMBEDDED)
    paper = "e => getComputedStyle(e).backgroundColor"
    health_page(page).locator("table.overview").wait_for()
    seen = {}
    for theme in ("light", "dark"):
        page.evaluate("name => { document.documentElement.className = name }", theme)
        expect(health_page(page).locator(f"html[data-theme={theme}]")).to_have_count(1)
        seen[theme] = health_page(page).locator("body").evaluate(paper)
    assert seen["light"] != seen["dark"]
    keep(page, "overview-dark")


def test_a_browser_that_asks_for_korean_gets_korean(open_page: Open) -> None:
    page = open_page(BARE, locale="ko-KR", timezone_id="Asia/Seoul")
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    expect(page.locator("h1")).to_have_text(re.compile("[가-힣]"))
    expect(page.locator("footer")).to_contain_text("UTC")
    expect(page.locator("footer")).to_contain_text("GMT+9")
    keep(page, "overview-korean")


@pytest.mark.parametrize("path", ["", TARGET, "sessions", "alerts"])
def test_on_a_phone_nothing_has_to_be_scrolled_sideways(open_page: Open, path: str) -> None:
    page = open_page(BARE + path, viewport={"width": 390, "height": 844})
    page.locator("main h1").wait_for()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    keep(page, f"phone-{path.partition('?')[0] or 'overview'}")
    assert wide <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(open_page: Open, desk: Desk, scheme: str, complaints: list[str]) -> None:
    page = open_page(BARE, color_scheme=scheme)
    links = {"alert": "alerts?outcome=sent", "session": "sessions"}
    paths = ["", TARGET, "sessions", "alerts", f"run?dag_id={DAG}&run_id={quote(desk.run_id)}", "api/v1/docs"]
    for name, path in links.items():
        page.goto(f"{desk.airflow.page}/{path}")
        found = page.locator(f"table a[href*='{name}?']").first.get_attribute("href")
        assert found is not None
        paths.append(found)
    for path in paths:
        page.goto(f"{desk.airflow.page}/{path}")
        page.locator("main").wait_for()
        result = Axe().run(page)
        assert result.violations_count == 0, f"{path}: {result.generate_report()}"
    assert complaints == []
