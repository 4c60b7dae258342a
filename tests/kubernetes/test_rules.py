"""Every alert fires when it should and is silent when it should be, by promtool; and says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "staging", "production")
TARGET = 'target="bots",namespace="trading-bots-dev",selector="app=arbitrage-tuning",instance="a"'
JOB = 'namespace="trading-bots-dev",job_name="arb-tuning-a"'
POD = 'namespace="trading-bots-dev",pod="arb-tuning-a-x"'
HOME, BOTS = "monitoring-dev", "trading-bots-dev"


def groups(environment: str) -> list[dict[str, Any]]:
    """The rule groups of an environment's PrometheusRule."""
    file = ROOT / "include/kubernetes/overlays" / environment / "generated/prometheus-rules.yaml"
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text())["spec"]["groups"]
    return found


RULES = [rule for group in groups("dev") for rule in group["rules"]]

# alert, severity, namespace, the series that make it fire, when; and the series that do not, at the same time.
# A sample a minute (every ten minutes where the time is over an hour); time() is 0 at the first.
CASES: list[tuple[str, str, str, dict[str, str], str, dict[str, str]]] = [
    (
        "K8sTuningTargetUnhealthy",
        "critical",
        BOTS,
        {f'k8s_tuning_target_health{{level="ERROR",{TARGET}}}': "1x20"},
        "1m",
        {f'k8s_tuning_target_health{{level="ERROR",{TARGET}}}': "0x20"},
    ),
    (
        "K8sTuningTargetUnhealthy",
        "warning",
        BOTS,
        {f'k8s_tuning_target_health{{level="WARN",{TARGET}}}': "1x20"},
        "11m",
        # Less than ten minutes at a time.
        {f'k8s_tuning_target_health{{level="WARN",{TARGET}}}': "1x8 0 1x11"},
    ),
    (
        "K8sTuningIncidentOpenTooLong",
        "warning",
        BOTS,
        {f'k8s_tuning_open_incident_start_timestamp_seconds{{incident="i",{TARGET}}}': "0x250"},
        "250m",
        {f'k8s_tuning_open_incident_start_timestamp_seconds{{incident="i",{TARGET}}}': "900x250"},
    ),
    (
        "K8sTuningIncidentOpenTooLong",
        "critical",
        BOTS,
        {f'k8s_tuning_open_incident_start_timestamp_seconds{{incident="i",{TARGET}}}': "0x1450"},
        "1450m",
        {f'k8s_tuning_open_incident_start_timestamp_seconds{{incident="i",{TARGET}}}': "900x1450"},
    ),
    (
        "K8sTuningHistoryStale",
        "warning",
        BOTS,
        {f"k8s_tuning_last_record_timestamp_seconds{{{TARGET}}}": "0x40"},
        "31m",
        {f"k8s_tuning_last_record_timestamp_seconds{{{TARGET}}}": "0+60x40"},
    ),
    (
        "K8sTuningHistoryStale",
        "warning",
        BOTS,
        # Dated ahead by a clock that is wrong.
        {f"k8s_tuning_last_record_timestamp_seconds{{{TARGET}}}": "3600x40"},
        "5m",
        {f"k8s_tuning_last_record_timestamp_seconds{{{TARGET}}}": "900x40"},
    ),
    (
        "K8sTuningHistoryStale",
        "critical",
        BOTS,
        {f"k8s_tuning_last_record_timestamp_seconds{{{TARGET}}}": "0x130"},
        "130m",
        {f"k8s_tuning_last_record_timestamp_seconds{{{TARGET}}}": "900x130"},
    ),
    (
        "K8sTuningMetricsAbsent",
        "critical",
        HOME,
        {"up": "1x20"},
        "16m",
        {f"k8s_tuning_last_record_timestamp_seconds{{{TARGET}}}": "0+60x20"},
    ),
    (
        "K8sTuningSourceUnreadable",
        "warning",
        HOME,
        {'k8s_tuning_source_readable{source="ledger"}': "0x20"},
        "11m",
        {'k8s_tuning_source_readable{source="ledger"}': "1x20"},
    ),
    (
        "K8sTuningPipelineFailing",
        "critical",
        HOME,
        {"k8s_tuning_pipeline_last_run_exit_code": "3x5"},
        "1m",
        # 2: the Jobs are failing, which is the target's alert.
        {"k8s_tuning_pipeline_last_run_exit_code": "2x5"},
    ),
    (
        "K8sTuningPipelineOverdue",
        "warning",
        HOME,
        {"k8s_tuning_pipeline_last_run_timestamp_seconds": "0x1570"},
        "1570m",
        {"k8s_tuning_pipeline_last_run_timestamp_seconds": "900x1570"},
    ),
    (
        "K8sTuningStageSlow",
        "info",
        HOME,
        {'k8s_tuning_stage_duration_seconds{stage="monitor_jobs"}': "901x5"},
        "1m",
        {
            'k8s_tuning_stage_duration_seconds{stage="monitor_jobs"}': "900x5",
            # Waiting for the Jobs may take hours.
            'k8s_tuning_stage_duration_seconds{stage="wait_for_jobs"}': "9000x5",
        },
    ),
    (
        "K8sTuningDeliveryFailing",
        "warning",
        HOME,
        {'k8s_tuning_notices_total{channel="slack",receiver="team",outcome="failed",cause="timeout"}': "3x10 4x10"},
        "12m",
        {
            'k8s_tuning_notices_total{channel="slack",receiver="team",outcome="sent",cause=""}': "3x10 9x10",
            # A rotated ledger: fewer than before is no failure.
            'k8s_tuning_notices_total{channel="slack",receiver="team",outcome="failed",cause="timeout"}': "9x10 4x10",
        },
    ),
    (
        "K8sTuningNoticesOwed",
        "warning",
        HOME,
        {"k8s_tuning_notices_owed": "2x40"},
        "31m",
        {"k8s_tuning_notices_owed": "2x20 0x20"},
    ),
    (
        "K8sTuningAlertmanagerFailing",
        "critical",
        HOME,
        {'alertmanager_notifications_failed_total{integration="slack"}': "0x4 1x10"},
        "7m",
        {
            'alertmanager_notifications_failed_total{integration="slack"}': "5x14",
            'alertmanager_notifications_failed_total{integration="pagerduty"}': "0x4 1x10",
        },
    ),
    (
        "K8sTuningPagingFailing",
        "warning",
        HOME,
        {'alertmanager_notifications_failed_total{integration="pagerduty"}': "0x4 1x10"},
        "7m",
        {'alertmanager_notifications_failed_total{integration="slack"}': "0x4 1x10"},
    ),
    (
        "K8sTuningJobFailed",
        "warning",
        BOTS,
        {f'kube_job_failed{{{JOB},condition="true"}}': "1x5"},
        "1m",
        {
            f'kube_job_failed{{{JOB},condition="true"}}': "0x5",
            'kube_job_failed{namespace="trading-bots-dev",job_name="backup",condition="true"}': "1x5",
        },
    ),
    (
        "K8sTuningJobNotCompleted",
        "warning",
        BOTS,
        {f"kube_job_status_start_time{{{JOB}}}": "0x730", f"kube_job_status_active{{{JOB}}}": "1x730"},
        "730m",
        {f"kube_job_status_start_time{{{JOB}}}": "0x730", f"kube_job_status_active{{{JOB}}}": "0x730"},
    ),
    (
        "K8sTuningPodNotStarting",
        "warning",
        BOTS,
        {
            f'kube_pod_status_phase{{{POD},phase="Pending"}}': "1x20",
            f'kube_pod_owner{{{POD},owner_kind="Job"}}': "1x20",
        },
        "16m",
        {
            f'kube_pod_status_phase{{{POD},phase="Pending"}}': "1x20",
            f'kube_pod_owner{{{POD},owner_kind="ReplicaSet"}}': "1x20",
        },
    ),
    ("Watchdog", "info", HOME, {"up": "1x5"}, "1m", {}),
]

PENDING_POD = {
    f'kube_pod_status_phase{{{POD},phase="Pending"}}': "1x20",
    f'kube_pod_owner{{{POD},owner_kind="Job"}}': "1x20",
}
# What else kube-state-metrics says of a Pending pod, and whether its alert fires: held on purpose is not stuck.
PENDING_PODS: list[tuple[str, dict[str, str], bool]] = [
    ("gated, by its reason", {f'kube_pod_status_reason{{{POD},reason="SchedulingGated"}}': "1x20"}, False),
    ("another reason", {f'kube_pod_status_reason{{{POD},reason="SchedulingGated"}}': "0x20"}, True),
    ("gated, on an older kube-state-metrics", {f'kube_pod_status_scheduled{{{POD},condition="false"}}': "1x20"}, False),
    (
        "unschedulable",
        {
            f'kube_pod_status_scheduled{{{POD},condition="false"}}': "1x20",
            f"kube_pod_status_unschedulable{{{POD}}}": "1x20",
        },
        True,
    ),
    (
        "on a node, its image is not there",
        {
            f'kube_pod_status_scheduled{{{POD},condition="false"}}': "0x20",
            f'kube_pod_status_scheduled{{{POD},condition="true"}}': "1x20",
        },
        True,
    ),
    ("gated until just now", {f'kube_pod_status_reason{{{POD},reason="SchedulingGated"}}': "1x10 0x10"}, False),
]


def _promtool(*arguments: str, cwd: Path) -> str:
    if not shutil.which("promtool"):
        pytest.skip("promtool is missing: apt-get install prometheus")
    done = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _interval(at: str) -> str:
    """Alerts on hours need no sample a minute, which promtool takes its time for."""
    return "10m" if int(at.removesuffix("m")) > 60 else "1m"


def _unit_test(
    series: dict[str, str], at: str, alert: str, expected: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    expr = f'max by (alertname, severity, namespace, service) (ALERTS{{alertstate="firing",alertname="{alert}"}}) == 1'
    return {
        "interval": _interval(at),
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expr, "eval_time": at, "exp_samples": expected}],
        **more,
    }


def _run(folder: Path, tests: list[dict[str, Any]], interval: str = "1m") -> None:
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups("dev")}))
    (folder / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": tests})
    )
    _promtool("test", "rules", "test.yaml", cwd=folder)


@pytest.mark.servers
def test_every_alert_fires_and_stays_silent_as_its_case_says(tmp_path: Path) -> None:
    """One run of promtool over a firing and a silent case of every rule."""
    tests: dict[str, list[dict[str, Any]]] = {"1m": [], "10m": []}
    for alert, severity, namespace, firing, at, silent in CASES:
        service = (
            "alertmanager" if alert in ("K8sTuningAlertmanagerFailing", "K8sTuningPagingFailing") else "k8s-tuning"
        )
        labels = f'{{alertname="{alert}",namespace="{namespace}",service="{service}",severity="{severity}"}}'
        # The warning of an alert that has two severities fires along with its critical; inhibition mutes it.
        lesser = f'{{alertname="{alert}",namespace="{namespace}",service="{service}",severity="warning"}}'
        both = severity == "critical" and alert in ("K8sTuningIncidentOpenTooLong", "K8sTuningHistoryStale")
        fired = [{"labels": labels, "value": 1}, *([{"labels": lesser, "value": 1}] if both else [])]
        tests[_interval(at)].append(_unit_test(firing, at, alert, fired))
        if silent:
            quiet = [{"labels": lesser, "value": 1}] if both else []
            tests[_interval(at)].append(_unit_test(silent, at, alert, quiet))
    for interval, some in tests.items():
        _run(tmp_path, some, interval)


@pytest.mark.servers
@pytest.mark.parametrize(("more", "fires"), [case[1:] for case in PENDING_PODS], ids=[case[0] for case in PENDING_PODS])
def test_a_pod_that_is_held_on_purpose_is_not_called_stuck(tmp_path: Path, more: dict[str, str], fires: bool) -> None:
    labels = (
        '{alertname="K8sTuningPodNotStarting",namespace="trading-bots-dev",service="k8s-tuning",severity="warning"}'
    )
    expected = [{"labels": labels, "value": 1}] if fires else []
    _run(tmp_path, [_unit_test({**PENDING_POD, **more}, "16m", "K8sTuningPodNotStarting", expected)])


@pytest.mark.servers
def test_a_suspended_job_raises_nothing(tmp_path: Path) -> None:
    """It has no pods and no start time; kube-state-metrics has its counts."""
    series = {
        f"kube_job_status_active{{{JOB}}}": "0x730",
        f"kube_job_status_suspended{{{JOB}}}": "1x730",
        f"kube_job_created{{{JOB}}}": "0x730",
    }
    alerts = ("K8sTuningPodNotStarting", "K8sTuningJobNotCompleted", "K8sTuningJobFailed")
    _run(tmp_path, [_unit_test(series, "730m", alert, []) for alert in alerts], "10m")


def test_every_rule_has_a_case() -> None:
    """A new alert needs its firing and silent case."""
    assert {(case[0], case[1]) for case in CASES} == {(rule["alert"], rule["labels"]["severity"]) for rule in RULES}


@pytest.mark.servers
def test_two_replicas_of_the_api_server_raise_one_alert_that_names_the_reasons(tmp_path: Path) -> None:
    """The alert a person reads: aggregated over instances, with the reasons and their counts."""
    twin = TARGET.replace('instance="a"', 'instance="b"')
    series = {
        f'k8s_tuning_target_health{{level="ERROR",{TARGET}}}': "1x5",
        f'k8s_tuning_target_health{{level="ERROR",{twin}}}': "1x5",
        f'k8s_tuning_job_reasons{{reason="oom_killed",{TARGET}}}': "2x5",
        f'k8s_tuning_job_reasons{{reason="oom_killed",{twin}}}': "2x5",
    }
    alert = {
        "eval_time": "1m",
        "alertname": "K8sTuningTargetUnhealthy",
        "exp_alerts": [
            {
                "exp_labels": {
                    "severity": "critical",
                    "service": "k8s-tuning",
                    "namespace": "trading-bots-dev",
                    "target": "bots",
                    "selector": "app=arbitrage-tuning",
                },
                "exp_annotations": {
                    "summary": "Tuning Jobs in trading-bots-dev are in ERROR",
                    "description": "The newest health record of app=arbitrage-tuning in trading-bots-dev is ERROR: "
                    "oom_killed (2).",
                    "runbook_url": RULES[0]["annotations"]["runbook_url"],
                },
            }
        ],
    }
    test = {"interval": "1m", "input_series": [{"series": name, "values": value} for name, value in series.items()]}
    _run(tmp_path, [{**test, "alert_rule_test": [alert]}])


@pytest.mark.servers
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_promtool_accepts_every_environments_rules(tmp_path: Path, environment: str) -> None:
    """The rules and the smoke rule of each environment, and those that Compose mounts."""
    smoke = ROOT / "include/kubernetes/overlays" / environment / "generated/smoke-rule.yaml"
    every = groups(environment) + yaml.safe_load(smoke.read_text())["spec"]["groups"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": every}))
    _promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yaml", cwd=tmp_path)
    _promtool("check", "rules", str(ROOT / "include/compose/prometheus/k8s-tuning.rules.yaml"), cwd=tmp_path)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_a_rule_says_whose_it_is_how_urgent_and_what_to_do(rule: dict[str, Any]) -> None:
    """Service, severity and namespace; a summary, a description, and a runbook page that is there."""
    assert set(rule["labels"]) == {"service", "severity", "namespace"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page = rule["annotations"]["runbook_url"].split("/docs/")[1]
    text = (ROOT / "docs" / page).read_text()
    for heading in ("## What it means", "## How to check", "## What to do"):
        assert heading in text, f"docs/{page} lacks {heading!r}"


def test_every_metric_of_a_rule_is_one_that_is_exported() -> None:
    """A rule on a metric that nobody exports would never fire, and nobody would notice."""
    source = "".join(path.read_text() for path in (ROOT / "plugins/k8s_tuning/metrics").glob("*.py"))
    for name in set(re.findall(r"k8s_tuning_(\w+)", " ".join(rule["expr"] for rule in RULES))):
        assert f'"{name.removesuffix("_total")}"' in source or f'k8s_tuning_{name.removesuffix("_total")}"' in source, (
            name
        )
