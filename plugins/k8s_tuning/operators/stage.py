"""What all stages' tasks share: faults in one line, and a result that fits into XCom."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRuntimeError

from k8s_tuning import plain_values, unforeseen
from k8s_tuning.errors import InputError, StoreError, TuningError
from k8s_tuning.operators.bundles import Cluster
from k8s_tuning.operators.links import HealthPageLink
from k8s_tuning.operators.shared_folder import compare_folder
from k8s_tuning.printable import printable
from k8s_tuning.storage.private import make_folder, replace
from k8s_tuning.storage.state_dir import StateDir

T = TypeVar("T")

# Well under the 100 kB that a row of the XCom table should hold at most.
INLINE_BYTES = 48_000


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Faults of this package, and those that nobody foresaw, as Airflow's, without their causes; Airflow's stay."""
    try:
        with unforeseen.net(AirflowException, AirflowRuntimeError):
            yield
    except TuningError as error:
        fault = AirflowException if error.retryable else AirflowFailException
        raise fault(str(error)) from None


class StageOperator(BaseOperator):
    """A stage as a task: subclasses write `run_stage`.

    A fault that a retry may cure fails the try, any other fails the task at once. Both without their causes: a
    library's exception may hold a URL or a token, and Airflow would print it. A fault that nobody foresaw fails the
    task at once, with one sentence that says where its traceback is kept. So does a host that does not share the folder
    of $K8S_TUNING_HISTORY_DIR with the run's first task.

    `health_page`: the address of what the task reports, as soon as that is known.
    """

    operator_extra_links = (HealthPageLink(),)
    health_page: str | None = None

    def execute(self, context: Context) -> Any:
        """Run the stage, where the run's tasks share their folder."""
        with failing():
            compare_folder(self, context)
            return self.run_stage(context)

    def run_stage(self, context: Context) -> Any:
        """The stage itself; what it returns goes to XCom."""
        raise NotImplementedError(type(self).__name__)

    def report(self, text: str) -> None:
        """The stage's report in the task's log, a log line a line."""
        for line in printable(text).splitlines():
            self.log.info("%s", line)


class ClusterStageOperator(StageOperator):
    """A stage that reads a selection of Jobs on one cluster. `cluster`: the fields of `Cluster`, templated."""

    template_fields: Sequence[str] = ("cluster",)

    def __init__(self, *, cluster: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        Cluster(**cluster)  # a field that is none is an error of the DAG file
        self.cluster = dict(cluster)

    def target(self) -> Cluster:
        """What the rendered `cluster` says."""
        return Cluster(**self.cluster)


def run_of(context: Context) -> str:
    """The DAG run's name in history, ledger and journal: `DAG_ID/RUN_ID`, for run ids repeat between DAGs."""
    return f"{context['dag'].dag_id}/{context['dag_run'].run_id}"


def to_xcom(value: Any, context: Context) -> Any:
    """`value` as JSON values for XCom; what is large goes to a file beside the history, and its path to XCom."""
    data = orjson.dumps(plain_values.dump(value))
    if len(data) <= INLINE_BYTES:
        return orjson.loads(data)
    ti = context["ti"]
    folder = StateDir.default().handovers / ti.dag_id / ti.run_id
    path = folder / f"{ti.task_id}-{ti.map_index}.json"
    try:
        make_folder(folder)
        replace(path, data, durable=False)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; the shared volume must be writable") from error
    return {"file": str(path)}


def from_xcom(cls: type[T], data: Any) -> T:
    """What an earlier task returned, as an instance of `cls`; InputError where there is nothing or the file is gone."""
    if data is None:
        raise InputError(f"no {cls.__name__} came from the task before; clear that one, with its downstream tasks")
    if isinstance(data, dict) and set(data) == {"file"}:
        try:
            data = orjson.loads(Path(str(data["file"])).read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{data['file']}: cannot be read ({error}); clear the task that wrote it, with its downstream tasks. "
                "Is $K8S_TUNING_HISTORY_DIR one volume for all workers?"
            ) from error
    return plain_values.load(cls, data)
