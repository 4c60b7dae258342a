"""The public classes as the stage guides' scripts and tests make them: plain strings for enums, None for nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.servers import recording_server, status

import k8s_tuning as k
from k8s_tuning.alerts import AlertChannelConfig, K8sAlertManager
from k8s_tuning.errors import InputError
from k8s_tuning.stages.apply.plan import count
from k8s_tuning.stages.events.snapshot import K8sEvent, K8sEventSnapshot, generate_events_report_text
from k8s_tuning.stages.history.store import generate_history_text, generate_record_text
from k8s_tuning.stages.pipeline.result import generate_pipeline_report_text, health_exit_code

NAMESPACE, SELECTOR, AT = "trading-bots", "app=arbitrage-tuning", "2025-11-16T10:00:00Z"
NO_EVENT: Any = K8sEvent(None, None, None, None, None, None, None, None, None, None)  # type: ignore[arg-type]
EVENTS = [K8sEvent("Warning", "BackoffLimitExceeded", "m", None, None, None), NO_EVENT]  # type: ignore[arg-type]


def record(health: Any, **counts: Any) -> k.K8sHealthHistoryRecord:
    """As the guides write one: seven values and no snapshot."""
    return k.K8sHealthHistoryRecord(AT, NAMESPACE, SELECTOR, health, *(counts or {"a": 1, "b": 0, "c": 1}).values())


def payload(severity: Any = "CRITICAL", **more: Any) -> k.K8sAlertPayload:
    return k.K8sAlertPayload("title", "text", severity, NAMESPACE, SELECTOR, "ERROR", **more)


@pytest.mark.parametrize("channel", ["console", "slack_webhook", "generic_webhook"])
@pytest.mark.parametrize(("health", "severity"), [("ERROR", "CRITICAL"), ("WARN", "WARN"), ("OK", None)])
def test_an_alert_from_plain_strings(channel: str, health: Any, severity: str | None) -> None:
    shown: list[str] = []
    manager = K8sAlertManager(AlertChannelConfig(channel_type=channel), out=shown.append)
    incident = manager.build_incident_from_history([record("OK"), record(health)], EVENTS)
    assert (incident and incident.severity) == severity
    if incident is not None:
        assert manager.dispatch(manager.build_alert_payload(incident)) is True
        assert NAMESPACE in shown[0]


def test_an_incident_by_hand_is_sent() -> None:
    by_hand: Any = ("i-1", "CRITICAL", NAMESPACE, SELECTOR, "ERROR", None, AT, AT, "summary", {"ERROR": 1}, EVENTS)
    incident = k.K8sIncident(*by_hand)
    payload = K8sAlertManager().build_alert_payload(incident)
    assert payload.severity == "CRITICAL"
    assert payload.metadata["incident_id"] == "i-1"
    assert json.loads(json.dumps(payload.raw_incident))["current_health"] == "ERROR"
    assert K8sAlertManager(out=lambda _: None).dispatch(payload) is True


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"metadata": {}, "raw_incident": {}},
        {"metadata": None, "raw_incident": None},
        {"raw_incident": {"reasons": ["a"], "job_counts": [1], "target": 7}},
        {"metadata": {"incident_id": None, "started_at": 5, "x": {1, 2}, 3: object(), "big": 2**70, "half": "\ud800"}},
        {"raw_incident": "not a mapping"},
    ],
    ids=["nothing", "empty", "None", "other shapes", "odd values", "a text"],
)
@pytest.mark.parametrize("channel", ["console", "slack_webhook", "generic_webhook"])
def test_dispatch_is_a_bool_whatever_the_payload_lacks(channel: str, more: dict[str, Any]) -> None:
    with recording_server(status(200, "ok")) as server:
        for dry_run in (True, False):
            config = AlertChannelConfig(channel, f"{server.url}/hook", 5, dry_run)
            manager = K8sAlertManager(config, out=lambda _: None, sleep=lambda _: None)
            sent = manager.dispatch(payload(**more))
            assert sent is (more.get("raw_incident") != "not a mapping")
            assert manager.last_outcome is not None
            assert manager.last_outcome.ok is sent
        assert len(server.calls) == (sent and channel != "console")


def test_two_payloads_without_an_identity_are_one_incident_where_they_are_of_one_target() -> None:
    with recording_server(status(200, "ok")) as server:
        manager = K8sAlertManager(AlertChannelConfig("generic_webhook", f"{server.url}/hook", 5, False))
        assert manager.dispatch(payload("WARN", metadata={"started_at": AT}))
        assert manager.dispatch(payload("INFO", metadata={"started_at": AT}))
        assert [call.json()["severity"] for call in server.calls] == ["WARN", "INFO"]


@pytest.mark.parametrize("timeout", [None, "5", "x", float("nan")])
def test_a_timeout_that_is_no_number_is_refused(timeout: Any) -> None:
    with pytest.raises(InputError, match="timeout"):
        AlertChannelConfig(timeout_seconds=timeout)


def test_health_of_jobs_whose_counts_are_none() -> None:
    nothing: Any = None
    jobs = [
        k.K8sJobStatus("j1", NAMESPACE, {}, 1, nothing, nothing, 1, "RUNNING", AT, None),
        k.K8sJobStatus("j2", NAMESPACE, nothing, None, nothing, 1, nothing, "FAILED"),
        k.K8sJobStatus("j3", NAMESPACE, {}, 1, nothing, nothing, nothing, "PENDING", None, None),
        k.K8sJobStatus("j4", NAMESPACE, {}, 1, 1, nothing, nothing, "SUCCEEDED", AT, AT),
        k.K8sJobStatus("j5", NAMESPACE, {}, 1, nothing, nothing, nothing, "Unheard-of"),
    ]
    snapshot = k.K8sMonitorSnapshot(NAMESPACE, SELECTOR, jobs, nothing, AT, nothing)
    assert "j2" in k.generate_monitor_report_text(snapshot)
    health = k.K8sHealthEvaluator().evaluate(snapshot)
    assert [job.health for job in health.jobs_health] == ["OK", "ERROR", "WARN", "OK", "WARN"]
    assert "j2" in k.generate_health_report_text(health)


def test_a_health_snapshot_by_hand_is_recorded_and_shown(tmp_path: Any) -> None:
    nothing: Any = None
    levels: Any = ["OK", "WARN", "ERROR"]
    jobs = [k.K8sJobHealth(f"j-{level}", NAMESPACE, "FAILED", nothing, 1, nothing, level, nothing) for level in levels]
    health: Any = k.K8sHealthSnapshot(NAMESPACE, SELECTOR, jobs, nothing, "ERROR", AT)  # type: ignore[arg-type]
    store = k.K8sHealthHistoryStore(tmp_path / "health.jsonl")
    kept = store.append(health, keep_snapshot=True)
    assert (kept.jobs_ok, kept.jobs_warn, kept.jobs_error, kept.overall_health) == (1, 1, 1, "ERROR")
    assert store.summarize()["error_count"] == 1
    assert "j-ERROR" in k.generate_health_report_text(health)
    assert "ERROR" in generate_record_text(kept, "x")
    assert "ERROR" in generate_history_text([record("ERROR")])


def test_a_pipelines_and_an_applys_results_by_hand() -> None:
    strings: Any = ("dry_run", 2, 2, 0, "WARN", 0, True, 0, ["generate: x"])
    result = k.K8sTuningPipelineResult(*strings)
    assert "WARN" in generate_pipeline_report_text(result)
    one: Any = ("j", NAMESPACE, "j.yaml", ["kubectl"], 0, "created", "", "SUCCESS", AT)
    failed: Any = ("k", NAMESPACE, "k.yaml", ["kubectl"], 1, None, "no", "FAILED", AT)
    whole = count([k.K8sApplyJobResult(*one), k.K8sApplyJobResult(*failed)])
    assert (whole.successful_jobs, whole.failed_jobs) == (1, 1)
    assert "✓ SUCCESS" in k.generate_apply_report_text(whole)


@pytest.mark.parametrize(("health", "code"), [("OK", 0), ("WARN", 0), ("ERROR", 2), (None, 3)])
def test_an_exit_code_of_a_plain_string(health: Any, code: int) -> None:
    assert health_exit_code(health) == code


def test_events_of_which_little_is_known_are_shown() -> None:
    assert "Warning" in generate_events_report_text(K8sEventSnapshot(NAMESPACE, SELECTOR, EVENTS, AT))


@pytest.mark.parametrize(
    "make",
    [
        lambda: record("BAD"),
        lambda: record(None),
        lambda: payload("URGENT"),
        lambda: k.K8sHealthSnapshot(NAMESPACE, SELECTOR, [], [], "GREEN", AT),  # type: ignore[arg-type]
        lambda: k.K8sTuningPipelineResult("dry_run", health_status="FINE"),  # type: ignore[arg-type]
        lambda: health_exit_code("FINE"),  # type: ignore[arg-type]
    ],
)
def test_a_string_that_is_no_level_is_refused_with_those_that_there_are(make: Any) -> None:
    with pytest.raises(InputError, match=r"there are (OK, WARN, ERROR|INFO, WARN, CRITICAL)"):
        make()
