"""What a scrape says of the history, the runs and the ledger, and what it leaves out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from k8s_tuning.metrics import Metrics
from k8s_tuning.metrics.ledger_totals import cause_of
from k8s_tuning.stages.alert.incident import incident_id
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore
from k8s_tuning.storage.append_log import AppendLog

NOW = "2026-03-01T12:00:00Z"
SELECTOR = "app=arbitrage-tuning"
TARGET = {"target": "bots", "namespace": "trading-bots", "selector": SELECTOR}


class Files:
    """The three files of one installation, and their scrape."""

    def __init__(self, folder: Path) -> None:
        self.history, self.ledger, self.runs = (folder / f"{name}.jsonl" for name in ("history", "ledger", "runs"))
        self.metrics = Metrics(self.history, self.ledger, self.runs, now=lambda: NOW)

    def record(self, health: str = "OK", at: str = "2026-03-01T11:59:00Z", **more: Any) -> None:
        line = {
            "timestamp": at,
            "namespace": "trading-bots",
            "selector": SELECTOR,
            "overall_health": health,
            "jobs_ok": 2,
            "jobs_warn": 0,
            "jobs_error": 0,
            "raw_snapshot": None,
            "target": "bots",
        }
        AppendLog(self.history).append({**line, **more})

    def note(self, **more: Any) -> None:
        """One line of the ledger."""
        line = {
            **dict.fromkeys(("run_id", "namespace", "selector", "started_at", "decision", "why"), "x"),
            "at": "2026-03-01T11:00:00Z",
            "incident_id": "a",
            "target": None,
            "receiver": "team",
            "channel": "slack",
            "status": "firing",
            "severity": "WARN",
        }
        AppendLog(self.ledger).append({**line, **more})

    def scrape(self) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
        """{metric name: {labels: value}}."""
        found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
        for family in text_string_to_metric_families(self.metrics.render().decode()):
            for sample in family.samples:
                found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample with these labels among others; None where there is none."""
        wanted = set(labels.items())
        hits = [value for have, value in self.scrape().get(f"k8s_tuning_{name}", {}).items() if wanted <= have]
        assert len(hits) < 2, f"{name} {labels} is there {len(hits)} times"
        return hits[0] if hits else None


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    return Files(tmp_path)


def test_nothing_recorded_yet_is_no_series_at_all(files: Files) -> None:
    """Unknown is absent: a fresh installation does not claim 0 failing Jobs."""
    assert set(files.scrape()) == {"k8s_tuning_source_readable"}


@pytest.mark.parametrize("health", ["OK", "WARN", "ERROR"])
def test_a_targets_health_is_one_level_out_of_three(files: Files, health: str) -> None:
    """The newest record's level is 1, the others 0."""
    files.record("OK")
    files.record(health)
    levels = {level: files.value("target_health", level=level, **TARGET) for level in ("OK", "WARN", "ERROR")}
    assert levels == {level: float(level == health) for level in levels}


def test_jobs_reasons_and_the_records_time_come_from_the_newest_record(files: Files) -> None:
    """Counts by health and reason, and when they were taken."""
    files.record("OK", at="2026-03-01T11:00:00Z")
    files.record("ERROR", jobs_ok=1, jobs_warn=1, jobs_error=3, reasons={"oom_killed": 2, "image_pull": 1})
    assert {h: files.value("jobs", health=h, **TARGET) for h in ("OK", "WARN", "ERROR")} == {
        "OK": 1,
        "WARN": 1,
        "ERROR": 3,
    }
    assert files.value("job_reasons", reason="oom_killed", **TARGET) == 2
    assert files.value("job_reasons", reason="evicted", **TARGET) is None
    assert files.value("last_record_timestamp_seconds", **TARGET) == 1772366340.0


def test_counts_that_could_not_be_read_in_full_are_absent(files: Files) -> None:
    """An unreachable cluster shows as WARN and an error, never as 0 Jobs."""
    files.record("WARN", jobs_ok=0, monitor_errors=["API server did not answer"])
    assert files.value("jobs", health="OK") is None
    assert files.value("monitor_errors", **TARGET) == 1
    assert files.value("target_health", level="WARN", **TARGET) == 1


def test_counts_that_are_not_known_are_absent(files: Files) -> None:
    """The record of a check that could not list the Jobs holds none."""
    files.record("WARN", jobs_ok=None, jobs_warn=None, jobs_error=None)
    assert files.value("jobs", health="OK", **TARGET) is None
    assert files.value("target_health", level="WARN", **TARGET) == 1
    assert files.value("target_health", level="OK", **TARGET) == 0


def test_two_clusters_with_one_namespace_and_selector_have_series_of_their_own(files: Files) -> None:
    for cluster, health in (("east", "ERROR"), ("west", "OK")):
        files.record(health, target=f"bots-{cluster}", cluster=cluster)
    for cluster, failing in (("east", 1), ("west", 0)):
        assert files.value("target_health", level="ERROR", cluster=cluster, target=f"bots-{cluster}") == failing
    assert files.value("open_incident", cluster="east", severity="CRITICAL") == 1
    assert files.value("open_incident", cluster="west") is None


def test_the_ledgers_id_is_shown_for_its_own_cluster(files: Files) -> None:
    """An incident that the ledger has of another cluster with this namespace and selector is not this one."""
    files.record("ERROR", cluster="east")
    files.note(
        incident_id="of-west",
        cluster="west",
        target="bots",
        namespace="trading-bots",
        selector="app=arbitrage-tuning",
        outcome="owed",
        notice_id="n",
    )
    assert files.value("open_incident", cluster="east", incident="of-west") is None
    files.note(
        incident_id="of-east",
        cluster="east",
        target="bots",
        namespace="trading-bots",
        selector="app=arbitrage-tuning",
        outcome="owed",
        notice_id="m",
    )
    assert files.value("open_incident", cluster="east", incident="of-east") == 1


def test_an_incident_is_open_from_the_first_record_of_the_unbroken_run(files: Files) -> None:
    """It keeps its id and start while WARN turns to ERROR, and goes with the recovery."""
    for minute, health in enumerate(("ERROR", "OK", "WARN", "ERROR")):
        files.record(health, at=f"2026-03-01T11:0{minute}:00Z")
    incident = incident_id("trading-bots", SELECTOR, "2026-03-01T11:02:00Z")
    assert files.value("open_incident", incident=incident, severity="CRITICAL", **TARGET) == 1
    assert files.value("open_incident_start_timestamp_seconds", incident=incident, **TARGET) == 1772362920.0
    files.record("OK")
    assert files.value("open_incident") is None
    assert files.value("open_incident_start_timestamp_seconds") is None


def test_an_incident_goes_by_the_id_and_start_that_people_were_notified_of(files: Files) -> None:
    """What the ledger remembers of the target counts, also where health was OK for a moment in between."""
    files.record("ERROR")
    known = {"namespace": "trading-bots", "selector": SELECTOR, "started_at": "2026-03-01T09:00:00Z"}
    files.note(incident_id="known", outcome="not_sent", **known)
    own = {
        "namespace": "airflow",
        "selector": "stage_broke",
        "started_at": "2026-03-01T10:00:00Z",
        "source": "pipeline",
    }
    files.note(incident_id="own", outcome="not_sent", **own)
    assert files.value("open_incident", incident="known", severity="CRITICAL", **TARGET) == 1
    assert files.value("open_incident_start_timestamp_seconds", incident="known", **TARGET) == 1772355600.0
    assert files.value("open_incident", incident="own", namespace="airflow") == 1
    files.record("OK")
    assert files.value("open_incident", namespace="trading-bots") is None


def test_two_targets_in_one_file_stay_apart(files: Files) -> None:
    """One target's recovery is not another's."""
    files.record("ERROR")
    files.record("OK", namespace="other")
    assert files.value("target_health", level="ERROR", namespace="trading-bots") == 1
    assert files.value("target_health", level="OK", namespace="other") == 1


def test_a_target_unheard_of_for_a_week_is_no_longer_known(files: Files) -> None:
    """A target that was taken out of the configuration does not alert indefinitely."""
    files.record("ERROR", at="2026-02-22T11:59:59Z")
    assert files.value("target_health", level="ERROR") is None
    files.record("ERROR", at="2026-02-22T12:00:01Z")
    assert files.value("target_health", level="ERROR") == 1


@pytest.mark.parametrize(
    "line",
    [{}, {"timestamp": 5}, {"namespace": None}, {"overall_health": "FINE"}, {"jobs_ok": "many"}],
    ids=str,
)
def test_a_line_that_is_no_health_record_changes_nothing(files: Files, line: dict[str, Any]) -> None:
    """JSON of another kind in the history is passed over; the record before it stands."""
    files.record("WARN")
    files.record("OK", **line) if line else AppendLog(files.history).append(line)
    assert files.value("target_health", level="WARN", **TARGET) == 1


def test_runs_are_counted_by_exit_code_and_the_newest_is_shown_in_full(files: Files) -> None:
    """Counter a code; time, code and stage durations of the last run."""
    store = K8sPipelineRunStore(files.runs)
    for number, code in enumerate((0, 0, 2, 3)):
        at, seconds = f"2026-03-01T0{number}:00:00Z", {"monitor_jobs": 1.5 + number}
        store.append(K8sPipelineRunRecord(at, f"run-{number}", "apply", code, None, seconds))
    runs = {code: files.value("pipeline_runs_total", exit_code=code) for code in ("0", "1", "2", "3")}
    assert runs == {"0": 2, "1": None, "2": 1, "3": 1}
    assert files.value("pipeline_last_run_exit_code") == 3
    assert files.value("pipeline_last_run_timestamp_seconds") == 1772334000.0
    assert files.value("stage_duration_seconds", stage="monitor_jobs") == 4.5


def test_notices_are_counted_by_outcome_and_cause_and_those_pending_are_shown(files: Files) -> None:
    """A failed one is pending until it is sent; a dry run sends nothing; one of two incidents is one notice."""
    for incident in ("a", "b"):
        files.note(incident_id=incident, outcome="owed", notice_id="n1")
    assert files.value("notices_owed") == 1
    for incident in ("a", "b"):
        files.note(incident_id=incident, outcome="failed", notice_id="n1", answer="https://x: answered 503: busy")
    assert files.value("notices_total", outcome="failed", cause="http_503", channel="slack", receiver="team") == 1
    assert files.value("notices_owed") == 1
    for incident in ("a", "b"):
        files.note(incident_id=incident, outcome="sent", notice_id="n1", at="2026-03-01T11:01:00Z")
    assert files.value("notices_owed") == 0
    files.note(outcome="not_sent", decision="muted")
    files.note(outcome="dry_run", notice_id="n2", dry_run=True)
    files.note(outcome="not_sent", decision="still_firing")
    counted = {
        (labels["outcome"], labels["cause"]): value
        for key, value in files.scrape()["k8s_tuning_notices_total"].items()
        if (labels := dict(key))
    }
    assert counted == {("failed", "http_503"): 1, ("sent", ""): 1, ("muted", ""): 1}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("https://hooks.example.com: answered 404: no_service; no such webhook", "http_404"),
        ("https://hooks.example.com: no answer within 5 s", "timeout"),
        ("https://hooks.example.com: its certificate is not trusted here", "tls"),
        ("https://hooks.example.com: cannot be connected to: Connection refused", "connection"),
        ("https://hooks.example.com: closed the connection without an answer", "connection"),
        ("invalid_payload", "other"),
        ("", "other"),
    ],
)
def test_a_failures_cause_is_one_of_few_words(answer: str, cause: str) -> None:
    """A label with the receiver's own words would make a series of each."""
    assert cause_of(answer) == cause


def test_a_file_that_cannot_be_read_says_so_and_hides_no_other(files: Files) -> None:
    """The history's series are absent, the runs' are there, and one gauge tells which file it is."""
    files.history.mkdir()
    K8sPipelineRunStore(files.runs).append(K8sPipelineRunRecord(NOW, "r", "dry_run", 0))
    assert files.value("source_readable", source="history") == 0
    assert files.value("source_readable", source="runs") == 1
    assert files.value("pipeline_runs_total", exit_code="0") == 1


def test_two_processes_tell_the_same(files: Files) -> None:
    """What a worker says depends on the files alone, not on when it started."""
    files.record("WARN")
    files.scrape()
    files.record("ERROR", reasons={"evicted": 1})
    fresh = Metrics(files.history, files.ledger, files.runs, now=lambda: NOW)
    assert fresh.render() == files.metrics.render()


def test_korean_emoji_and_quotes_come_through(files: Files) -> None:
    """Label values are escaped as Prometheus reads them back."""
    files.record("OK", target='시장 "봇" \\ 🚀')
    assert files.value("target_health", target='시장 "봇" \\ 🚀', level="OK") == 1


@pytest.mark.servers
def test_promtool_finds_nothing_to_fix(files: Files) -> None:
    """Names, types and help texts are as Prometheus' linter wants them."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is missing: apt-get install prometheus")
    files.record("ERROR", reasons={"oom_killed": 1})
    K8sPipelineRunStore(files.runs).append(K8sPipelineRunRecord(NOW, "r", "apply", 2, None, {"apply_jobs": 2.5}))
    files.note(outcome="failed", answer="answered 500")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=files.metrics.render(), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
