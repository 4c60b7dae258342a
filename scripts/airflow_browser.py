"""Debian's chromium at Airflow's UI, as a user has it: for screenshots.py and the browser tests."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, sync_playwright

DAG = "k8s_tuning_pipeline"
RUN_SECONDS = 180
# No sandbox for root; and nothing that chromium would ask the internet for by itself.
ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def installed() -> str | None:
    """Where the system's chromium is; None where it has none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The chromium that the system has; SystemExit where it has none."""
    path = installed()
    if path is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGS))
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, address: str, user: str, password: str) -> None:
    """Log in at Airflow's own form, which any of its pages leads to, and stay on its first page."""
    page.goto(f"{address}/")
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="K8s Tuning").wait_for()


def health_page(page: Page) -> FrameLocator:
    """What the frame of the health page shows."""
    return page.frame_locator("iframe")


def trigger_pipeline(page: Page, address: str, *, wait_seconds: int = 20) -> str:
    """Trigger the pipeline in the form that Airflow makes of its params, Jobs applied and alerts sent: the run's id."""
    page.goto(f"{address}/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog").filter(has_text="Trigger Dag")
    form.get_by_role("button", name="What may happen").click()
    for name in ("apply_enabled", "alerts_enabled"):
        form.locator(f"label[data-scope=switch]:has(input[name=element_{name}])").click()
    form.get_by_role("button", name="Cluster").click()
    form.locator("input[name=element_wait_seconds]").fill(str(wait_seconds))
    form.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url("**/runs/manual__*")
    run_id: str = page.url.rpartition("/runs/")[2].partition("?")[0]
    return run_id


def wait_for_run(context: BrowserContext, address: str, run_id: str) -> dict[str, Any]:
    """Airflow's own account of the run, once it has ended; TimeoutError where it does not."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = context.request.get(
            f"{address}/api/v2/dags/{DAG}/dagRuns/{quote(run_id, safe=':')}"
        ).json()
        if found["state"] in ("success", "failed"):
            return found
        time.sleep(1)
    raise TimeoutError(f"{run_id} did not end within {RUN_SECONDS} s")
