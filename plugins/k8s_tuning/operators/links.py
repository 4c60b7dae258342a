"""The way from a task's page in Airflow to the health page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

from k8s_tuning.addresses import VIEW, run_address


class HealthPageLink(BaseOperatorLink):
    """Leads to what the task reports: the operator's `health_page`, or all that its DAG run left behind.

    Airflow asks for it in the task's process when a try ends, well or not, and keeps the answer in XCom.
    """

    name = "Health page"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """A path on Airflow's own host, below the path of [api] base_url as the worker has it."""
        below = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        page: str = operator.health_page or run_address(ti_key.dag_id, ti_key.run_id)
        # What the frame shows is below that path, too, and Airflow has the frame's whole path behind its own.
        return f"{below}{VIEW}{below}{page.removeprefix(VIEW)}"

    def show_already(self, operator: Any, ti: Any) -> None:
        """Offer the link now, to those who open the task while it waits."""
        ti.xcom_push(key=self.xcom_key, value=self.get_link(operator, ti_key=ti))
