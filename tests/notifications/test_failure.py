"""A DAG's failure, reported through the same routes and ledger."""

import json
from types import SimpleNamespace

import pytest
from tests.airflow_runs import ROOT
from tests.servers import recording_server, status

from k8s_tuning.notifications import K8sTuningNotifier
from k8s_tuning.storage.state_dir import StateDir

CONTEXT = {
    "dag_run": SimpleNamespace(dag_id="nightly", run_id="r1"),
    "task_instance": SimpleNamespace(task_id="load"),
}

LEDGER = StateDir.of_history("history.jsonl").ledger.name


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))


def test_a_failure_is_reported_once_a_run(tmp_path, monkeypatch):
    with recording_server(status(200, "ok")) as receiver:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({"conn_type": "http", "password": receiver.url}))
        notifier = K8sTuningNotifier(channel_type="generic_webhook", channel_conn_id="hook", alerts_enabled=True)
        notifier.notify(CONTEXT)
        notifier.notify({**CONTEXT, "task_instance": SimpleNamespace(task_id="other")})
        (call,) = receiver.calls
    assert call.json()["severity"] == "CRITICAL"
    assert "nightly/r1" in call.json()["text"]


def test_a_run_past_its_time_has_a_reason_of_its_own(tmp_path):
    K8sTuningNotifier(channel_type="console").notify({"dag_run": CONTEXT["dag_run"], "reason": "timed_out"})
    first = json.loads((tmp_path / LEDGER).read_text().splitlines()[0])
    assert (first["reasons"], first["dry_run"]) == ({"run_overdue": 1}, True)


def test_nothing_leaves_unless_alerts_are_enabled(tmp_path, monkeypatch):
    with recording_server() as receiver:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({"conn_type": "http", "password": receiver.url}))
        K8sTuningNotifier(channel_type="generic_webhook", channel_conn_id="hook").notify(CONTEXT)
        assert receiver.calls == []
    assert "nightly" in (tmp_path / LEDGER).read_text()


def test_it_goes_by_the_routes_of_the_shipped_file(tmp_path):
    shipped = str(ROOT / "include/configs/alerting.yaml")
    K8sTuningNotifier(alerting_config=shipped).notify(CONTEXT)
    assert json.loads((tmp_path / LEDGER).read_text().splitlines()[0])["reasons"] == {"task_failed": 1}


def test_a_channel_that_cannot_work_is_logged_and_breaks_nothing(tmp_path, capsys):
    K8sTuningNotifier(channel_type="pigeon").notify(CONTEXT)
    assert not (tmp_path / LEDGER).exists()
    shown = "".join(capsys.readouterr())
    assert "could not be announced: unknown channel 'pigeon'" in shown
    assert "Traceback" not in shown


def test_only_the_reasons_that_were_asked_for_are_reported(tmp_path):
    notifier = K8sTuningNotifier(channel_type="console", reasons=["run_overdue"])
    notifier.notify(CONTEXT)
    assert not (tmp_path / LEDGER).exists()
    notifier.notify({"dag_run": CONTEXT["dag_run"], "reason": "timed_out", "params": {"alerts_enabled": True}})
    first = json.loads((tmp_path / LEDGER).read_text().splitlines()[0])
    assert (first["reasons"], first["dry_run"]) == ({"run_overdue": 1}, False)


def test_a_fault_that_nobody_foresaw_is_one_line_in_the_log(capsys):
    K8sTuningNotifier(channel_type="console", reasons=7).notify(CONTEXT)
    shown = "".join(capsys.readouterr())
    assert "The failure of nightly could not be announced: TypeError in " in shown
    assert "Traceback" not in shown
