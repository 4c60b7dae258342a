"""Whole runs of the DAGs through Airflow, on the sandbox and on a real control plane."""

import json

import pytest
import yaml
from tests.airflow_runs import ROOT, kubernetes
from tests.servers import recording_server, status

from k8s_tuning.stages.history import K8sHealthHistoryStore

pytestmark = pytest.mark.airflow

PIPELINE = "k8s_tuning_pipeline"


@pytest.fixture
def where(cluster, tmp_path):
    """Params that name a cluster's namespace and a session of this test's own."""
    cluster.kubectl("create", "namespace", f"trading-bots-{cluster.tag}")
    yield {
        "namespace": f"trading-bots-{cluster.tag}",
        "session_config": str(ROOT / "include/configs/d29-k8s-demo-session.yaml"),
        "session_id": f"e2e-{cluster.tag}",
        "label_selector": f"app=arbitrage-tuning,session_id=e2e-{cluster.tag}",
    }
    cluster.kubectl("delete", "namespace", f"trading-bots-{cluster.tag}", "--wait=false")


def records(history):
    return K8sHealthHistoryStore(history / "health.jsonl").load_recent()


def test_a_dry_run_succeeds_and_changes_nothing(local_airflow, cluster, where, tmp_path):
    run = local_airflow.run(PIPELINE, where, tmp_path, kubernetes(cluster.kubeconfig))
    assert run.code == 0, run.log[-3000:]
    assert run.result["mode"] == "dry_run"
    assert (run.result["generated_jobs"], run.result["validated_jobs"], run.result["applied_jobs"]) == (2, 2, 0)
    assert run.result["steps"]["wait_for_jobs"] == "skipped"
    assert run.result["steps"]["suppress_alerts"] == "success"
    assert "the server at" in run.log  # the dry run asked it
    assert not json.loads(cluster.kubectl("get", "jobs", "-n", where["namespace"], "-o", "json").stdout)["items"]
    assert [record.overall_health for record in records(tmp_path)] == ["OK"]


def test_jobs_that_die_are_waited_for_recorded_and_told_once(local_airflow, cluster, where, tmp_path):
    cluster.scenario(
        [
            {"match": f"*{cluster.tag}*worker-1*", "outcome": "oom", "seconds": 1, "last_log": "메모리 부족 💥"},
            {"match": f"*{cluster.tag}*worker-2*", "outcome": "succeed", "seconds": 1},
            {"match": f"*{cluster.tag}*worker-3*", "outcome": "image-pull"},
        ]
    )
    session = yaml.safe_load((ROOT / "include/configs/d29-k8s-demo-session.yaml").read_text())
    (tmp_path / "session.yaml").write_text(yaml.safe_dump({**session, "workers": 3}))
    conf = {**where, "session_config": str(tmp_path / "session.yaml")}
    conf |= {"apply_enabled": True, "alerts_enabled": True, "wait_seconds": 6}
    run = local_airflow.run(PIPELINE, conf, tmp_path, kubernetes(cluster.kubeconfig))
    assert run.code == 1, run.log[-3000:]
    assert "exit code 2: the pipeline ran, and health is ERROR" in run.log
    assert run.result["exit_code"] == 2
    assert (run.result["applied_jobs"], run.result["incidents_sent"]) == (3, 1)
    assert run.result["health_status"] == "ERROR"
    waited = run.xcoms["wait_for_jobs", "return_value"]
    assert [len(waited[name]) for name in ("succeeded", "failed", "waiting")] == [1, 1, 1]
    (record,) = records(tmp_path)
    assert (record.jobs_ok, record.jobs_warn, record.jobs_error) == (1, 1, 1)  # a pull may take a minute
    assert (record.reasons["oom_killed"], record.reasons["image_pull"]) == (1, 1)
    assert record.run_id.startswith(f"{PIPELINE}/")
    assert "메모리 부족 💥" in run.log
    ledger = [json.loads(line) for line in (tmp_path / "alerts-ledger.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in ledger if line["source"] == "health"] == ["owed", "sent"]
    job = json.loads(cluster.kubectl("get", "jobs", "-n", where["namespace"], "-o", "json").stdout)["items"][0]
    assert job["metadata"]["annotations"]["k8s-tuning.io/run-id"] in record.run_id
    assert all(len(json.dumps(value).encode()) < 100_000 for value in run.xcoms.values())


def test_a_cluster_that_cannot_be_read_is_never_ok(local_airflow, tmp_path):
    away = {"kind": "Config", "apiVersion": "v1", "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "x", "user": {"token": "s3cr3t-token"}}]}  # fmt: skip
    (tmp_path / "away.yaml").write_text(yaml.safe_dump(away))
    run = local_airflow.run(PIPELINE, {"strict_health": True}, tmp_path, kubernetes(tmp_path / "away.yaml"))
    assert (run.code, run.result["exit_code"], run.result["health_status"]) == (1, 1, "WARN")
    (record,) = records(tmp_path)
    assert record.monitor_errors
    assert "s3cr3t-token" not in run.log + run.stored


def test_a_stage_that_breaks_is_told_apart_from_ill_jobs(local_airflow, tmp_path):
    (tmp_path / "session.yaml").write_text("session_id: x\nworkerz: 2\n")
    run = local_airflow.run(PIPELINE, {"session_config": str(tmp_path / "session.yaml")}, tmp_path)
    assert (run.code, run.result["exit_code"], run.result["health_status"]) == (1, 3, None)
    assert "workerz" in run.log
    assert run.result["steps"] == {
        "generate_jobs": "failed",
        **dict.fromkeys(list(run.result["steps"])[1:], "upstream_failed"),
    }
    assert not (tmp_path / "health.jsonl").exists()
    assert "stage generate_jobs broke" in run.log  # what would be sent of it
    assert "up_for_retry" not in run.log


def test_a_webhooks_url_reaches_its_receiver_and_no_log_or_store(local_airflow, sandbox, tmp_path):
    sandbox.set_scenario([{"match": "*", "outcome": "fail", "exit_code": 3}])
    with recording_server(status(200, "ok")) as slack:
        host = slack.url.removeprefix("http://").rstrip("/")
        hook = {
            "conn_type": "slackwebhook",
            "schema": "http",
            "host": f"{host}/services",
            "password": "T0/B0/s3cr3t-hook",
        }
        env = kubernetes(sandbox.kubeconfig) | {"AIRFLOW_CONN_SLACK_TUNING": json.dumps(hook)}
        conf = {
            "apply_enabled": True, "alerts_enabled": True, "wait_seconds": 30,
            "channel_type": "slack_webhook", "channel_conn_id": "slack_tuning",
        }  # fmt: skip
        run = local_airflow.run(PIPELINE, conf, tmp_path, env)
        (call,) = slack.calls
    assert run.result["incidents_sent"] == 1
    assert call.path == "/services/T0/B0/s3cr3t-hook"
    assert call.json()["text"] == "🚨 K8s Alert: CRITICAL – trading-bots"
    kept = "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))
    assert "s3cr3t-hook" not in run.log + run.stored + kept


def test_an_alert_that_nobody_took_is_a_failure_of_the_pipeline(local_airflow, sandbox, tmp_path):
    """As in the runner: exit code 3, though health is known; and no second alert about it for the same channel."""
    sandbox.set_scenario([{"match": "*", "outcome": "fail", "exit_code": 3}])
    with recording_server(status(404, "no_service")) as slack:
        hook = {"conn_type": "slackwebhook", "schema": "http", "host": slack.url.removeprefix("http://").rstrip("/"),
                "password": "T0/B0/x"}  # fmt: skip
        env = kubernetes(sandbox.kubeconfig) | {"AIRFLOW_CONN_SLACK_TUNING": json.dumps(hook)}
        conf = {
            "apply_enabled": True, "alerts_enabled": True, "wait_seconds": 30, "session_id": "nobody-hears",
            "channel_type": "slack_webhook", "channel_conn_id": "slack_tuning",
        }  # fmt: skip
        run = local_airflow.run(PIPELINE, conf, tmp_path, env)
    assert (run.code, run.result["exit_code"], run.result["health_status"]) == (1, 3, "ERROR")
    assert "exit code 3: the pipeline itself failed (send_alerts); health is ERROR" in run.log
    # Tried again with what `report` says, for it is owed; but nothing is said of the channel through the channel.
    assert {call.json()["text"] for call in slack.calls} == {"🚨 K8s Alert: CRITICAL – trading-bots"}


def test_one_unreachable_cluster_does_not_hide_the_other_targets(local_airflow, sandbox, tmp_path):
    targets = [
        {"name": name, "namespace": "trading-bots", "label_selector": f"app={name}", "kubernetes_conn_id": conn}
        | {"channel_type": "console"}
        for name, conn in (("well", "kubernetes_default"), ("away", "kubernetes_away"))
    ]
    (tmp_path / "targets.yaml").write_text(yaml.safe_dump({"targets": targets}))
    nowhere = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(tmp_path / "missing")}}
    env = kubernetes(sandbox.kubeconfig) | {"AIRFLOW_CONN_KUBERNETES_AWAY": json.dumps(nowhere)}
    conf = {"targets_file": str(tmp_path / "targets.yaml")}
    run = local_airflow.run("k8s_health_monitor", conf, tmp_path, env)
    assert {record.target: record.overall_health for record in records(tmp_path)}.get("well") == "OK"
    assert "Target away: nothing was ever recorded" in run.log
    report = local_airflow.run("k8s_history_report", conf, tmp_path, env)
    assert report.code == 0
    (summary,) = report.xcoms["report_history", "return_value"]["targets"]
    assert (summary["ok_count"], summary["last_overall_health"]) == (1, "OK")


def test_a_smoke_test_shows_each_channels_bytes_and_sends_nothing(local_airflow, tmp_path):
    run = local_airflow.run("k8s_alert_smoke_test", {"receiver": "console", "message": "여보세요 👋"}, tmp_path)
    assert run.code == 0, run.log[-3000:]
    assert "여보세요 👋" in run.log
    assert "nothing is sent" in run.log
    assert run.xcoms["report_outcomes", "return_value"] == {"dry_run": 1}


def test_a_smoke_test_of_an_unknown_receiver_names_those_there_are(local_airflow, tmp_path):
    run = local_airflow.run("k8s_alert_smoke_test", {"receiver": "nobody"}, tmp_path)
    assert run.code == 1
    assert "unknown receiver 'nobody'" in run.log
