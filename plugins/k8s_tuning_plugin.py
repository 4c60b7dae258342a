"""What Airflow registers of this package. Airflow runs this file; .airflowignore keeps it out of the package."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from k8s_tuning import addresses
from k8s_tuning.web.entry import app

# Airflow's UI takes these addresses as they stand, so that they need the path that Airflow is served under.
PAGE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + addresses.PAGE
LOOKS = {"name": "K8s Tuning", "icon": f"{PAGE}/static/icon.svg"}
RUN = f"{PAGE}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}"


class K8sTuningPlugin(AirflowPlugin):
    """The health page in Airflow's UI, its JSON API, and the metrics for Prometheus, inside Airflow's API server."""

    name = "k8s_tuning"
    fastapi_apps: ClassVar[list[Any]] = [{"app": app, "url_prefix": addresses.PAGE, "name": "K8s Tuning"}]
    # Airflow drops a second view with the same url_route. `k8s-tuning` is the one in addresses that people send on.
    external_views: ClassVar[list[Any]] = [
        LOOKS | {"destination": "nav", "url_route": "k8s-tuning", "href": f"{PAGE}/", "nav_top_level": True},
        LOOKS | {"destination": "dag_run", "url_route": "k8s-tuning-run", "href": RUN},
        LOOKS | {"destination": "task_instance", "url_route": "k8s-tuning-task", "href": f"{RUN}&task_id={{TASK_ID}}"},
    ]
