"""Waiting as a task: for what the apply left in the cluster, also where it failed in part."""

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from tests.operators.test_stage import CONTEXT

from k8s_tuning.operators.links import HealthPageLink
from k8s_tuning.operators.wait import WaitForJobsOperator


@pytest.fixture
def wait(monkeypatch):
    """Runs the task with what the apply left."""
    monkeypatch.setattr(HealthPageLink, "show_already", lambda *_: None)
    return lambda applied: task(applied).execute(CONTEXT)


def task(applied):
    return WaitForJobsOperator(
        task_id="w", cluster={"namespace": "n"}, session_id="s", applied=applied, wait_seconds=60
    )


def test_of_an_apply_that_failed_in_part_the_jobs_that_are_there_are_waited_for(wait):
    with pytest.raises(TaskDeferred) as deferred:
        wait({"job_names": ["a"], "not_applied": ["b"], "dry_run": False})
    assert deferred.value.trigger.job_names == ["a"]


def test_a_dry_run_has_nothing_to_wait_for(wait):
    with pytest.raises(AirflowSkipException):
        wait({"job_names": [], "dry_run": True})


@pytest.mark.parametrize(
    "left", [None, {"job_names": [], "not_applied": ["a", "b"], "dry_run": True}], ids=["broke", "refused"]
)
def test_an_apply_that_failed_with_nothing_applied_ends_the_run_here(wait, left):
    with pytest.raises(AirflowFailException, match="nothing applied"):
        wait(left)


def test_it_hands_on_the_names_of_all_that_were_applied():
    progress = {"succeeded": ["a"], "failed": [], "waiting": []}
    done = task({"job_names": ["a", "gone"]}).ended(CONTEXT, {"progress": progress})
    assert done == {"job_names": ["a", "gone"], **progress}
