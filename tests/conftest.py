"""Fixtures that every suite may use."""

import atexit
import os
import shutil
import tempfile

from tests import profiles
from tests.airflow_runs import local_airflow
from tests.airflow_server import airflow_api, airflow_standalone
from tests.clusters import cluster, older_sandbox, sandbox, shared_sandbox

profiles.load()

# Before anything imports Airflow, which would otherwise write into ~/airflow. One a process: tests that run side by
# side must not share a SQLite database.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="k8s-tuning-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

__all__ = [
    "airflow_api",
    "airflow_standalone",
    "cluster",
    "local_airflow",
    "older_sandbox",
    "sandbox",
    "shared_sandbox",
]
