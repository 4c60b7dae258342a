"""What Airflow registers of this package. Airflow runs this file; .airflowignore keeps it out of the package."""

from airflow.plugins_manager import AirflowPlugin

from k8s_tuning.web.metrics import app


class K8sTuningPlugin(AirflowPlugin):
    """The metrics for Prometheus, inside Airflow's API server."""

    name = "k8s_tuning"
    fastapi_apps = [{"app": app, "url_prefix": "/k8s-tuning", "name": "K8s Tuning"}]  # noqa: RUF012  # as Airflow has it
