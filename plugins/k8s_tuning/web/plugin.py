"""What Airflow registers of this package: by the entry point of an installed wheel, or by a file in plugins/."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from k8s_tuning import addresses
from k8s_tuning.web.entry import app

# Airflow's UI takes these addresses as they stand, so that they need the path that Airflow is served under.
PAGE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + addresses.PAGE
ENTRY = {"name": "K8s Tuning", "icon": f"{PAGE}/static/icon.svg"}
RUN = f"{PAGE}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}"


class K8sTuningPlugin(AirflowPlugin):
    """The health page in Airflow's UI, its JSON API, and the metrics for Prometheus, inside Airflow's API server."""

    name = "k8s_tuning"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - as Airflow's class has it
        {"app": app, "url_prefix": addresses.PAGE, "name": "K8s Tuning"}
    ]
    # Airflow drops a second view with the same url_route. `k8s-tuning` is the one in addresses that people send on.
    external_views: list[Any] = [  # noqa: RUF012 - as Airflow's class has it
        ENTRY | {"destination": "nav", "url_route": "k8s-tuning", "href": f"{PAGE}/", "nav_top_level": True},
        ENTRY | {"destination": "dag_run", "url_route": "k8s-tuning-run", "href": RUN},
        ENTRY | {"destination": "task_instance", "url_route": "k8s-tuning-task", "href": f"{RUN}&task_id={{TASK_ID}}"},
    ]


def __getattr__(name: str) -> Any:
    """`installed` is what the entry point names: the plugin, or None where Airflow has it from its plugins folder.

    Airflow runs that folder first. A second plugin of the same name would make it warn, list an import error, and leave
    out the plugins of other packages in task processes; None it passes over.
    """
    if name == "installed":
        return None if "k8s_tuning_plugin" in sys.modules else K8sTuningPlugin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
