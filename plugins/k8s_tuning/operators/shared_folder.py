"""Whether a DAG run's tasks, each on a host of its own, find one folder at $K8S_TUNING_HISTORY_DIR."""

from __future__ import annotations

import contextlib
import platform
from typing import Any

from airflow.sdk import BaseOperator, Context

from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.storage.volume import found_identity, identity

# The XCom of a run's first task.
KEY = "shared_folder"


def compare_folder(task: BaseOperator, context: Context) -> None:
    """Hand on the folder's identity where `task` is its DAG's first, else compare it with what that one handed on.

    InputError where they differ: what the tasks write for each other would not arrive. A run whose first task handed
    nothing on (of an earlier version, or not one of this package's) is not checked.
    """
    dag = task.get_dag()
    if dag is None:
        return
    ti: Any = context["ti"]
    folder, host = StateDir.default().root, platform.node()
    if not task.upstream_task_ids:
        with contextlib.suppress(StoreError):  # who writes there says it better
            ti.xcom_push(key=KEY, value={"folder": str(folder), "identity": identity(folder), "host": host})
        return
    for first in dag.roots:
        known = ti.xcom_pull(task_ids=first.task_id, key=KEY, map_indexes=-1)
        if known is None:
            continue
        found = found_identity(folder)
        if found != known["identity"]:
            raise InputError(
                f"{folder} on this host ({host}) is not the folder {known['folder']} that {first.task_id} had on host "
                f"{known['host']}: {'it is another one' if found else 'it holds nothing of it'}; mount one "
                "ReadWriteMany volume at $K8S_TUNING_HISTORY_DIR in all components, and check it on each host with "
                f"`k8s-tuning doctor volume` (if the volume was replaced since, clear {first.task_id} too)"
            )
