"""The pipeline's health as Prometheus metrics, read from the history, the runs' journal and the ledger at scrape time.

Names and units follow Prometheus' conventions (prometheus.io/docs/practices/naming). What is not known is absent:
no series at all rather than a 0. `Metrics.render` is what the Airflow plugin and `k8s-tuning metrics` serve.
"""

from k8s_tuning.metrics.collector import CONTENT_TYPE, Metrics, render

__all__ = ["CONTENT_TYPE", "Metrics", "render"]
