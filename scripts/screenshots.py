"""`make screenshots`: the pictures of docs/, of a real run: the pipeline, triggered in Airflow's UI, on the sandbox."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

from airflow_browser import chromium, health_page, sign_in, trigger_pipeline, wait_for_run
from local_airflow import ROOT, SCENARIO, environment, serve
from playwright.sync_api import Page

from k8s_tuning_sandbox import Sandbox

HOME = ROOT / ".airflow" / "screenshots"
PICTURES = ROOT / "docs" / "images"


def main() -> int:
    """Write every picture anew; 0."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    print("Starting Airflow and the sandbox …", flush=True)
    with (
        Sandbox(SCENARIO) as sandbox,
        serve(HOME, environment(HOME, str(sandbox.kubeconfig)), port) as airflow,
        chromium() as browser,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        page = context.new_page()
        sign_in(page, airflow.address, "admin", airflow.passwords["admin"])
        print("Running the pipeline …", flush=True)
        wait_for_run(context, airflow.address, trigger_pipeline(page, airflow.address))
        page.get_by_role("link", name="K8s Tuning").first.click()
        inside = health_page(page)
        inside.locator("table.overview").wait_for()
        write(page, "health-page-overview")
        inside.locator("table.overview a.name").first.click()
        page.wait_for_url("**/target?**")
        inside.get_by_role("link", name="1 hour").click()
        page.wait_for_url("**range=1h**")
        inside.locator("#health-chart canvas").wait_for()
        write(page, "health-page-target")
        inside.get_by_role("link", name="Alerts", exact=True).click()
        inside.locator("table a[href*='alert?']").first.click()
        inside.locator("pre.message").wait_for()
        write(page, "health-page-alert")
        inside.get_by_role("link", name="Sessions", exact=True).click()
        inside.locator("table a[href*='session?']").first.click()
        page.wait_for_url("**/session?**")
        write(page, "health-page-session")
        phone = context.new_page()
        phone.set_viewport_size({"width": 390, "height": 844})
        phone.emulate_media(color_scheme="dark")
        phone.goto(f"{airflow.address}/k8s-tuning/")
        write(phone, "health-page-phone")
    return 0


def write(page: Page, name: str) -> None:
    """One picture, once the page is at rest."""
    page.wait_for_load_state("networkidle")
    path: Path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    print(f"  {path.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
