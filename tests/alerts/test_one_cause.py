"""One OOM kill is one cause, from the cluster's objects to the message and the metric."""

from __future__ import annotations

from pathlib import Path

from tests.stages.api_objects import FAILED, LATER, RUNNING, ended, job, pod

from k8s_tuning.alerts.words import firing_payload
from k8s_tuning.metrics import Metrics
from k8s_tuning.stages.alert.incident import build_incident
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator, K8sHealthSnapshot, generate_health_report_text
from k8s_tuning.stages.history.store import K8sHealthHistoryStore, generate_record_text
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot


def check() -> K8sHealthSnapshot:
    """Of two Jobs one reached its limit by two OOM kills, its mesh's proxy was killed behind each; the other runs."""
    killed = [
        pod("Failed", {"tuning": ended(137, "OOMKilled"), "istio-proxy": ended(137, at=LATER)}, name=name)
        for name in ("first", "second")
    ]
    jobs = [
        job(FAILED | {"failed": 2}, *killed, name="killed"),
        job({"active": 1}, pod("Running", {"tuning": RUNNING}), name="well"),
    ]
    snapshot = K8sMonitorSnapshot("trading-bots", "app=arbitrage-tuning", jobs, [], LATER, jobs_listed=True)
    return K8sHealthEvaluator().evaluate(snapshot)


def test_one_oom_kill_is_one_cause_in_report_history_alert_and_metrics(tmp_path: Path) -> None:
    health = check()
    report = generate_health_report_text(health)
    assert "ERROR  killed  FAILED  oom_killed\n" in report

    store = K8sHealthHistoryStore(tmp_path / "health.jsonl")
    record = store.append(health, target="bots")
    assert record.reasons == {"oom_killed": 1}
    assert "Reasons: oom_killed 1\n" in generate_record_text(record, store.path)

    incident = build_incident([record], [], LATER)
    assert incident is not None
    assert "Reasons: oom_killed (1)." in incident.summary
    assert firing_payload(incident).text.endswith("**Causes:** 1 of 2: oom_killed")

    metrics = Metrics(store.path, tmp_path / "ledger", tmp_path / "runs", now=lambda: LATER).render().decode()
    samples = [line for line in metrics.splitlines() if line.startswith("k8s_tuning_job_reasons{")]
    assert len(samples) == 1
    assert 'reason="oom_killed"' in samples[0]
    assert samples[0].endswith(" 1.0")
