"""A chromium, two people who are signed in with it, and a pipeline run that one of them triggered in Airflow's UI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from scripts.airflow_browser import chromium, sign_in, trigger_pipeline, wait_for_run
from tests.airflow_server import AirflowServer

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
TARGET = "target?namespace=trading-bots&selector=app%3Darbitrage-tuning"


@dataclass(frozen=True)
class Desk:
    """Where a test sits: Airflow, the cookies of its two users, and the run that is there to look at."""

    airflow: AirflowServer
    cookies: dict[str, Any]
    run_id: str
    run_state: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One a module: while it is open, nothing else in this thread may run an event loop."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def desk(browser: Browser, airflow_standalone: AirflowServer) -> Desk:
    """The pipeline has been triggered from the UI with params, and has ended."""
    cookies: dict[str, Any] = {}
    run: tuple[str, str] | None = None
    for user in ("admin", "viewer"):
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        page = context.new_page()
        sign_in(page, airflow_standalone.address, user, airflow_standalone.passwords[user])
        if user == "admin":
            run_id = trigger_pipeline(page, airflow_standalone.address)
            run = run_id, wait_for_run(context, airflow_standalone.address, run_id)["state"]
            page.get_by_text("Failed", exact=True).first.wait_for()
            keep(page, "dag-run")
        cookies[user] = context.storage_state()
        context.close()
    assert run is not None
    return Desk(airflow_standalone, cookies, *run)


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said of errors, on any page of the test: a breach of the CSP is one."""
    return []


@pytest.fixture
def open_page(browser: Browser, desk: Desk, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """A page at an address below Airflow's, as `user` (None: signed out); further words are the browser's settings."""
    opened: list[BrowserContext] = []

    def note(message: ConsoleMessage) -> None:
        # Chromium's own words for an answer 401 and 404; which of them are right is asserted where they are asked for.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def open_at(address: str, user: str | None = "admin", **settings: Any) -> Page:
        settings = {"viewport": {"width": 1400, "height": 900}} | settings
        context = browser.new_context(storage_state=desk.cookies[user] if user else None, **settings)
        opened.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{desk.airflow.address}{address}")
        return page

    yield open_at
    for context in opened:
        context.close()


def keep(page: Page, name: str) -> None:
    """A screenshot for whoever reads the test's results."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
