"""Registers the plugin: Airflow runs this file, and .airflowignore keeps it out of the package beside it."""

from k8s_tuning.web.plugin import K8sTuningPlugin

__all__ = ["K8sTuningPlugin"]
