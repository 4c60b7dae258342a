"""K8sTuningNotifier: any DAG's failure through this system's routes and ledger."""

from k8s_tuning.notifications.failure import K8sTuningNotifier

__all__ = ["K8sTuningNotifier"]
