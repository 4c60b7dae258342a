"""What every page keeps to, whatever the text of the answers that it shows."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from tests.web.filled_models import HOSTILE
from tests.web.html_page import TARGET, Page

import k8s_tuning.web

WEB = Path(k8s_tuning.web.__file__).parent
EVERY_PAGE = {
    "overview": "",
    "target": TARGET,
    "a week of it": f"{TARGET}&range=7d&q=worker&health=ERROR&sort=name&order=asc&records_page=2",
    "sessions": "sessions?q=demo",
    "session": "session?namespace=n&session_id=s&sort=param.lr",
    "alerts": "alerts?channel=slack&range=30d&quiet=true",
    "alert": "alert?ref=1",
    "run": "run?dag_id=k8s_health_monitor&run_id=x&task_id=record_history",
}


@pytest.mark.parametrize("path", EVERY_PAGE.values(), ids=EVERY_PAGE)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_strangers_text_is_text_on_every_page(filled_queries, get, path, language):
    """Nothing of it becomes an element, an attribute, a template or an unseen character."""
    html = get(path, language).text
    page = Page(html)
    ours = {"airflow.js", "times.js", "page.js", "charts.js", "uPlot.iife.min.js"}
    assert {urlsplit(one["src"]).path.rsplit("/", 1)[1] for one in page.all("script")} <= ours
    assert not page.all("img")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", html)
    assert "zzz" not in page.text
    assert "<script>alert" in page.text or path == ""


@pytest.mark.parametrize("path", EVERY_PAGE.values(), ids=EVERY_PAGE)
def test_every_page_keeps_to_the_content_security_policy(filled_queries, get, path):
    """No inline script, no inline style, no handler in an attribute, nothing from elsewhere."""
    for tag, attributes in Page(get(path).text).elements:
        assert tag not in ("style", "base", "object", "iframe")
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            assert not urlsplit(attributes.get(name, "")).scheme, attributes


def test_no_template_steps_out_of_escaping():
    for template in (WEB / "templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|<style|\sstyle=|\son\w+=|javascript:", text), template.name


@pytest.mark.parametrize("path", EVERY_PAGE.values(), ids=EVERY_PAGE)
def test_every_link_of_a_page_stays_below_its_base_path(filled_queries, server, get, path):
    """To a page of ours, to a file of ours, or into Airflow beside us: also behind a proxy that adds a path."""
    here = server.address + path
    for tag, attributes in Page(get(path).text).elements:
        for name in ("href", "src", "action"):
            goal = urlsplit(urljoin(here, attributes.get(name, "")))
            assert goal.path.startswith("/base/"), (tag, attributes)
            assert goal.path.startswith("/base/k8s-tuning/") or "data-airflow" in attributes


@pytest.mark.slow
@pytest.mark.parametrize("path", EVERY_PAGE.values(), ids=EVERY_PAGE)
def test_the_files_that_a_page_asks_for_are_there(filled_queries, server, get, path):
    page = Page(get(path).text)
    for address in [one["src"] for one in page.all("script")] + [one["href"] for one in page.all("link")]:
        answer = httpx.get(urljoin(server.address + path, address))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_a_target_is_found_again_by_its_link_whatever_its_name(filled_queries, server, get):
    links = [one["href"] for one in Page(get("").text).all("a") if one.get("class") == "name"]
    assert parse_qs(urlsplit(links[0]).query)["selector"] == [HOSTILE]


@pytest.mark.parametrize("path", EVERY_PAGE.values(), ids=EVERY_PAGE)
def test_every_id_of_a_page_is_given_once_and_every_live_region_has_one(filled_queries, get, path):
    page = Page(get(path).text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all("id" in attributes for _, attributes in page.elements if "data-live" in attributes)
