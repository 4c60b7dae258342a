"""The link from a task's page in Airflow to the health page."""

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.serialization.definitions.operatorlink import XComOperatorLink
from airflow.serialization.serialized_objects import DagSerialization
from tests.airflow_runs import ROOT
from tests.dags.test_dags import load

from k8s_tuning.operators.links import HealthPageLink
from k8s_tuning.operators.monitor import MonitorJobsOperator
from k8s_tuning.operators.wait import WaitForJobsOperator

TI = SimpleNamespace(dag_id="k8s_tuning_pipeline", run_id="manual__2025-11-16T10:00:00+00:00")
RUN = "run?dag_id=k8s_tuning_pipeline&run_id=manual__2025-11-16T10%3A00%3A00%2B00%3A00"


def link_of(operator):
    return HealthPageLink().get_link(operator, ti_key=TI)


def test_a_task_that_knows_no_page_of_its_own_leads_to_its_runs(monkeypatch):
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    operator = MonitorJobsOperator(task_id="monitor_jobs", cluster={"namespace": "n", "label_selector": "a=b"})
    assert link_of(operator) == f"/plugin/k8s-tuning/k8s-tuning/{RUN}"


@pytest.mark.parametrize(
    ("base_url", "below"),
    [
        ("https://airflow.example/team/a/", "/team/a"),
        ("http://127.0.0.1:8080", ""),
        ("/airflow", "/airflow"),
        ("", ""),
    ],
)
def test_it_stays_below_the_path_that_airflow_is_served_under(monkeypatch, base_url, below):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    operator = SimpleNamespace(health_page="/plugin/k8s-tuning/k8s-tuning/")
    assert link_of(operator) == f"{below}/plugin/k8s-tuning{below}/k8s-tuning/"


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "dags").glob("*.py")))
def test_airflows_server_knows_the_link_of_every_stage_without_its_code(name):
    """The server has the DAG as JSON; of a link it keeps the name and the XCom with the address, mapped or not."""
    dag = DagSerialization.from_dict(DagSerialization.to_dict(load(name)))
    kinds = {task.task_id: task.task_type for task in dag.tasks}
    linked = {task.task_id for task in dag.tasks if task.operator_extra_link_dict}
    assert linked == {task for task, kind in kinds.items() if kind != "ChooseAlertsOperator"}
    for task in linked:
        (link,) = dag.get_task(task).operator_extra_link_dict.values()
        assert link == XComOperatorLink(name="Health page", xcom_key=HealthPageLink().xcom_key)


def test_a_session_can_be_followed_from_the_task_while_it_waits(tmp_path, monkeypatch):
    """Airflow itself writes links when a try ends, which a deferred one has not."""
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    pushed = {}
    operator = WaitForJobsOperator(
        task_id="wait_for_jobs",
        cluster={"namespace": "trading-bots"},
        session_id="s-1",
        applied={"job_names": ["a"]},
        wait_seconds=9,
    )
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({"ti": SimpleNamespace(**vars(TI), xcom_push=lambda key, value: pushed.update({key: value}))})
    page = "/plugin/k8s-tuning/k8s-tuning/session?namespace=trading-bots&session_id=s-1"
    assert pushed == {HealthPageLink().xcom_key: page}
    assert deferred.value.trigger.sessions_dir == str(tmp_path / "sessions")
