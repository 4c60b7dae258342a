"""The docs as a site: whole, without a dead link, and without a request to anybody else's server."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SITE = ("docs", "mkdocs.yml", "scripts/docs_site.py", "README.md", "CONTRIBUTING.md", "CHANGELOG.md")


@pytest.fixture
def checkout(tmp_path):
    """What the site is made of, in a folder of the test's own."""
    for name in SITE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    return tmp_path


def build(checkout):
    command = [sys.executable, "-m", "mkdocs", "build"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120, check=False)


class Requests(HTMLParser):
    """The addresses that a browser asks for by itself when it shows a page."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video", "audio"):
            self.found.append(given.get("src") or "")
        if tag == "link" and given.get("rel") != "canonical":
            self.found.append(given.get("href") or "")


def test_the_site_is_built_with_every_page_and_asks_no_other_server(checkout):
    done = build(checkout)
    assert done.returncode == 0, done.stderr
    site = checkout / "build/site"
    pages = {path.relative_to(checkout / "docs").with_suffix(".html") for path in (checkout / "docs").rglob("*.md")}
    assert [page for page in [*pages, Path("index.html")] if not (site / page).exists()] == []
    asked = {one for page in site.rglob("*.html") for one in Requests(page.read_text(encoding="utf-8")).found}
    assert len(asked) > 5
    assert [one for one in asked if re.match(r"(https?:)?//", one)] == []


@pytest.mark.parametrize(
    ("page", "link", "named"),
    [
        ("docs/health.md", "gone.md", "gone.md"),
        ("docs/health.md", "history.md#no-such-part", "no-such-part"),
        ("docs/health.md", "../include/configs/health.yaml", "health.yaml"),
        ("docs/health.md", "/history.md", "/history.md"),
        ("README.md", "docs/gone.md", "gone.md"),
    ],
    ids=["page", "anchor", "file outside docs", "absolute", "of the first page"],
)
def test_a_dead_link_fails(checkout, page, link, named):
    with (checkout / page).open("a", encoding="utf-8") as file:
        file.write(f"\n[dead]({link})\n")
    done = build(checkout)
    assert done.returncode == 1
    assert named in done.stdout + done.stderr


def test_a_page_that_the_menu_lacks_fails(checkout):
    (checkout / "docs/forgotten.md").write_text("# Forgotten\n")
    done = build(checkout)
    assert done.returncode == 1
    assert "forgotten.md" in done.stdout + done.stderr


def test_what_stands_at_the_top_of_the_checkout_has_its_links_from_docs():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from docs_site import in_docs
    finally:
        sys.path.pop(0)
    text = '[a](docs/a.md#x) ![b](docs/images/b.png) <img src="docs/images/c.png"> [examples/](examples) [d](README.md)'
    assert in_docs(text) == '[a](a.md#x) ![b](images/b.png) <img src="images/c.png"> `examples/` [d](index.md)'
