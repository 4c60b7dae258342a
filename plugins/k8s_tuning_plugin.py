"""What Airflow registers of this package. Airflow runs this file; plugins/.airflowignore keeps it out of the package."""

from airflow.plugins_manager import AirflowPlugin


class K8sTuningPlugin(AirflowPlugin):
    """K8s Tuning."""

    name = "k8s_tuning"
