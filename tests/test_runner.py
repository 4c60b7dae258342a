"""D36 without Airflow: whole runs on a cluster, and what becomes of one whose stage fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.clusters import Cluster
from tests.servers import RecordingServer, recording_server, status

from k8s_tuning import HealthLevel, K8sHealthHistoryStore, K8sTuningPipelineConfig, K8sTuningPipelineRunner
from k8s_tuning.cluster.writer import ClusterWriter
from k8s_tuning.errors import Throttled
from k8s_tuning.stages.history.latest import LatestStore
from k8s_tuning.stages.pipeline.result import K8sTuningPipelineResult, generate_pipeline_report_text
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunStore
from k8s_tuning.stages.sessions.store import SessionStore

pytestmark = pytest.mark.slow

LEDGER, RUNS = "alerts-ledger.jsonl", "runs.jsonl"
STAGES = ["generate", "validate", "apply", "wait", "monitor", "health", "events", "history", "alerts"]
SESSION = """
session_id: "{session}"
k8s_namespace: {namespace}
image: registry.example/arbitrage-lite:1.0.0
mode: paper
env: docker
total_iterations: 6
workers: 2
optimizer: bayesian
resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{cpu: 100m, memory: 32Mi}}}}
{more}
"""


def write_session(path: Path, cluster: Cluster, session: str | None = None, more: str = "") -> str:
    path.write_text(SESSION.format(session=session or cluster.tag, namespace=cluster.namespace, more=more))
    return str(path)


def test_a_fault_that_nobody_foresaw_is_exit_code_3_and_a_step(tmp_path, monkeypatch):
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    config = K8sTuningPipelineConfig(jobs_dir=3, namespace="n", label_selector="a=b", history_file=str(tmp_path / "h"))
    result = K8sTuningPipelineRunner(config).run()
    assert result.exit_code == 3
    assert result.steps[-1].startswith("generate: failed: TypeError in ")
    assert K8sPipelineRunStore(tmp_path / RUNS).recent(1)[0].exit_code == 3


@pytest.fixture
def config(cluster: Cluster, tmp_path: Path) -> K8sTuningPipelineConfig:
    """A dry run of a session of two workers in the test's namespace."""
    return K8sTuningPipelineConfig(
        jobs_dir=str(tmp_path / "jobs"),
        namespace=cluster.namespace,
        label_selector=f"app=arbitrage-tuning,session_id={cluster.tag}",
        history_file=str(tmp_path / "history" / "history.jsonl"),
        kubeconfig=str(cluster.kubeconfig),
        session_config=write_session(tmp_path / "session.yaml", cluster),
        wait_seconds=60,
    )


def run(config: K8sTuningPipelineConfig, **options: Any) -> K8sTuningPipelineResult:
    return K8sTuningPipelineRunner(config, **options).run()


def jobs_in(cluster: Cluster) -> list[str]:
    with cluster.client() as http:
        items = http.get(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs").json()["items"]
    return sorted(item["metadata"]["name"] for item in items)


def steps(result: K8sTuningPipelineResult) -> dict[str, str]:
    """The outcome of each stage, by the stage's name."""
    return dict(step.split(": ", 1) for step in result.steps)


def records(config: K8sTuningPipelineConfig) -> int:
    return len(K8sHealthHistoryStore(config.history_file).load_recent(50))


def test_a_dry_run_goes_through_all_stages_and_changes_nothing(
    cluster: Cluster, config: K8sTuningPipelineConfig
) -> None:
    """Jobs that were only asked about are not counted as applied."""
    result = run(config)
    assert (result.mode, result.exit_code, result.health_status) == ("dry_run", 0, HealthLevel.OK)
    assert (result.generated_jobs, result.validated_jobs, result.applied_jobs) == (2, 2, 0)
    assert (result.history_appended, result.incidents_sent) == (True, 0)
    assert list(steps(result)) == STAGES
    assert "was asked" in steps(result)["apply"]
    assert steps(result)["wait"].startswith("skipped")
    assert steps(result)["alerts"] == "suppressed: health is OK"
    assert jobs_in(cluster) == []
    assert records(config) == 1


def test_a_run_is_judged_by_its_own_sessions_jobs(
    cluster: Cluster, config: K8sTuningPipelineConfig, tmp_path: Path
) -> None:
    """Another session's failed Job is the target's: in its history and its alerts, not in this run's end."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "fail"}])
    assert run(replace(config, apply_enabled=True)).exit_code == 2
    target = replace(config, label_selector="app=arbitrage-tuning", jobs_dir=str(tmp_path / "other"))
    later = write_session(tmp_path / "later.yaml", cluster, f"{cluster.tag}-later")
    result = run(replace(target, session_config=later))
    assert (result.exit_code, result.health_status, result.idle) == (0, HealthLevel.OK, True), result.steps
    assert "idle: there are no Jobs of this run" in steps(result)["health"]
    assert "idle" in generate_pipeline_report_text(result)
    newest = K8sHealthHistoryStore(config.history_file).load_recent(1)[0]
    assert (newest.selector, newest.overall_health) == ("app=arbitrage-tuning", HealthLevel.ERROR)


def test_an_apply_waits_for_the_jobs_and_then_tells_the_truth(
    cluster: Cluster, config: K8sTuningPipelineConfig
) -> None:
    """Monitoring comes when the Jobs have ended, not while they are pending."""
    result = run(replace(config, apply_enabled=True))
    assert (result.mode, result.exit_code, result.health_status) == ("apply", 0, HealthLevel.OK), result.steps
    assert result.applied_jobs == len(jobs_in(cluster)) == 2
    assert steps(result)["wait"] == "2 succeeded, 0 failed"
    assert "2 SUCCEEDED" in steps(result)["monitor"]
    again = run(replace(config, apply_enabled=True))
    assert (again.exit_code, again.applied_jobs) == (0, 0), again.steps
    assert "0 created, 2 unchanged" in steps(again)["apply"]


def test_a_wait_that_is_over_is_no_failure(cluster: Cluster, config: K8sTuningPipelineConfig) -> None:
    """What has not ended is named, and the run goes on to look at it."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "hang"}])
    result = run(replace(config, apply_enabled=True, wait_seconds=0.2))
    assert result.exit_code == 0, result.steps
    assert "not ended" in steps(result)["wait"]
    assert "worker-1" in steps(result)["wait"]


def test_a_job_that_succeeded_and_was_cleaned_up_is_not_missing(
    cluster: Cluster, config: K8sTuningPipelineConfig, tmp_path: Path
) -> None:
    """ttlSecondsAfterFinished removes what has ended well; the wait has seen it."""
    write_session(tmp_path / "session.yaml", cluster, more="ttl_seconds_after_finished: 1")
    result = run(replace(config, apply_enabled=True))
    assert (result.exit_code, result.health_status) == (0, HealthLevel.OK), result.steps
    assert result.applied_jobs == 2
    session = SessionStore(Path(config.history_file).parent / "sessions").read(cluster.namespace, cluster.tag)
    assert session is not None
    assert [(job.phase, job.ended_at is not None) for job in session.jobs] == [("SUCCEEDED", True)] * 2


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_job_that_failed_and_was_cleaned_up_has_failed(
    ttl: int, cluster: Cluster, config: K8sTuningPipelineConfig, tmp_path: Path
) -> None:
    """With the reasons of when it was seen: its pods are gone as well."""
    cluster.scenario([{"match": f"*{cluster.tag}*worker-2*", "outcome": "oom"}])
    write_session(tmp_path / "session.yaml", cluster, more=f"ttl_seconds_after_finished: {ttl}")
    result = run(replace(config, apply_enabled=True))
    assert (result.exit_code, result.health_status) == (2, HealthLevel.ERROR), result.steps
    (record,) = K8sHealthHistoryStore(config.history_file).load_recent(5)
    assert (record.jobs_ok, record.jobs_error) == (1, 1)
    if ttl:
        assert "oom_killed" in record.reasons, record


def test_the_look_and_the_session_are_kept_beside_the_history(
    cluster: Cluster, config: K8sTuningPipelineConfig
) -> None:
    """As the DAG keeps them, but without logs; a dry run applies no session."""
    folder = Path(config.history_file).parent
    run(config)
    assert SessionStore(folder / "sessions").list() == []
    cluster.scenario([{"match": f"*{cluster.tag}*worker-2*", "outcome": "oom"}])
    run(replace(config, apply_enabled=True), run_id="ci-7")
    (session,) = SessionStore(folder / "sessions").list()
    assert (session.run_id, [job.phase for job in session.jobs]) == ("ci-7", ["SUCCEEDED", "FAILED"])
    look = LatestStore(folder / "looks").read(config.namespace, config.label_selector)
    assert look is not None
    assert look.run_id == "ci-7"
    assert {job.exit_code for job in look.jobs} == {None, 137}
    assert all(job.events for job in look.jobs)


def test_failing_jobs_are_reported_once_and_end_the_run_with_2(
    cluster: Cluster, config: K8sTuningPipelineConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same incident in the next run is not sent again, and not counted."""
    cluster.scenario([{"match": f"*{cluster.tag}*worker-2*", "outcome": "oom"}])
    config = replace(config, apply_enabled=True, alerts_enabled=True)
    first = run(config)
    assert (first.mode, first.exit_code, first.health_status) == ("full_alerts", 2, HealthLevel.ERROR), first.steps
    assert first.incidents_sent == 1
    assert "oom_killed 1" in steps(first)["health"]
    assert f"K8s Alert: CRITICAL – {cluster.namespace}" in capsys.readouterr().out
    second = run(config)
    assert (second.exit_code, second.incidents_sent) == (2, 0), second.steps
    assert "nothing new to say" in steps(second)["alerts"]
    assert "K8s Alert" not in capsys.readouterr().out
    assert records(config) == 2


def test_with_alerts_off_the_alert_is_shown_and_nothing_is_sent(
    cluster: Cluster, config: K8sTuningPipelineConfig, webhook: RecordingServer
) -> None:
    """The bytes that would go, and no request."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "fail"}])
    shown: list[str] = []
    url = f"{webhook.url}/services/T0/B0/geheim-geheim"
    config = replace(config, apply_enabled=True, channel_type="slack_webhook", webhook_url=url)
    result = run(config, show=shown.append)
    assert (result.exit_code, result.incidents_sent) == (2, 0), result.steps
    assert steps(result)["alerts"].startswith("dry run, nothing was sent: 🚨")
    assert "CRITICAL" in "".join(shown)
    assert "geheim" not in "".join(shown)
    assert webhook.calls == []


@pytest.fixture
def webhook() -> Any:
    with recording_server() as server:
        yield server


def test_a_webhook_gets_the_incident(
    cluster: Cluster, config: K8sTuningPipelineConfig, webhook: RecordingServer
) -> None:
    """Once, with the id that the ledger keeps."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "fail", "exit_code": 3}])
    config = replace(config, apply_enabled=True, alerts_enabled=True, channel_type="generic_webhook")
    result = run(replace(config, webhook_url=f"{webhook.url}/hook"))
    assert result.incidents_sent == 1, result.steps
    [call] = webhook.calls
    assert call.json()["severity"] == "CRITICAL"
    assert call.json()["namespace"] == cluster.namespace


def test_an_alert_that_is_not_delivered_fails_the_run_and_hides_no_health(
    cluster: Cluster, config: K8sTuningPipelineConfig
) -> None:
    """Nobody was notified of it: that is not the exit code of one who did. The next run makes it good."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "fail"}])
    with recording_server(status(400, "no_team")) as server:
        config = replace(
            config,
            apply_enabled=True,
            alerts_enabled=True,
            channel_type="slack_webhook",
            webhook_url=f"{server.url}/services/T0/B0/geheim-geheim",
        )
        failed = run(config)
        assert (failed.exit_code, failed.incidents_sent) == (3, 0)
        assert (failed.health_status, failed.history_appended) == (HealthLevel.ERROR, True)
        assert steps(failed)["alerts"].startswith("failed: ")
        assert "geheim" not in repr((failed, config))
        server.otherwise = status(200)
        fixed = run(config)
    assert (fixed.exit_code, fixed.incidents_sent) == (2, 1), fixed.steps


@pytest.mark.parametrize("strict", [False, True])
def test_jobs_that_cannot_be_listed_are_warn_recorded_and_exit_code_3(
    cluster: Cluster, config: K8sTuningPipelineConfig, strict: bool
) -> None:
    """Health comes from the evaluator: it is WARN, and nothing is known."""
    result = run(replace(config, kubeconfig=str(cluster.nobody_kubeconfig), strict_health=strict))
    assert (result.exit_code, result.health_status, result.jobs_listed) == (3, HealthLevel.WARN, False), result.steps
    assert steps(result)["health"] == "WARN, not known: the Jobs could not be listed"
    assert "Health:           WARN, not known" in generate_pipeline_report_text(result)
    assert "NOT whole" in steps(result)["monitor"]
    assert "2 of 2 would fail" in steps(result)["apply"]
    assert K8sHealthHistoryStore(config.history_file).load_recent(1)[0].overall_health == HealthLevel.WARN


def test_a_run_of_the_same_id_records_once(config: K8sTuningPipelineConfig) -> None:
    """What a retry in a CI system does."""
    assert [run(config, run_id="build-7").exit_code for _ in range(2)] == [0, 0]
    assert records(config) == 1
    runs = K8sPipelineRunStore(Path(config.history_file).with_name(RUNS)).recent()
    assert [(one.run_id, one.exit_code, one.mode) for one in runs] == [("build-7", 0, "dry_run")]


def test_the_journal_tells_how_long_each_stage_took(config: K8sTuningPipelineConfig) -> None:
    """By the clock that was given; a stage that did not run is not in it."""
    ticks = iter(range(100))
    run(config, run_id="well", clock=lambda: float(next(ticks)))
    run(replace(config, label_selector="a in ("), run_id="failing")
    well, failing = K8sPipelineRunStore(Path(config.history_file).with_name(RUNS)).recent()
    assert well.stage_seconds == dict.fromkeys(STAGES, 1.0)
    assert (failing.stage_seconds, failing.exit_code, failing.health_status) == ({}, 3, None)


Change = Callable[[K8sTuningPipelineConfig, Path], K8sTuningPipelineConfig]


def _broken_manifest(config: K8sTuningPipelineConfig, folder: Path) -> K8sTuningPipelineConfig:
    (folder / "jobs").mkdir()
    (folder / "jobs" / "a.yaml").write_text("kind: Pod")
    return replace(config, session_config=None)


def _foreign_session(config: K8sTuningPipelineConfig, folder: Path) -> K8sTuningPipelineConfig:
    path = folder / "session.yaml"
    path.write_text(SESSION.format(session="another-session", namespace=config.namespace, more=""))
    return config


def _sessions_other_namespace(config: K8sTuningPipelineConfig, folder: Path) -> K8sTuningPipelineConfig:
    (folder / "session.yaml").write_text(SESSION.format(session="s", namespace="elsewhere", more=""))
    return config


def _unwritable_history(config: K8sTuningPipelineConfig, folder: Path) -> K8sTuningPipelineConfig:
    Path(config.history_file).mkdir(parents=True)
    return config


def _foreign_history(config: K8sTuningPipelineConfig, folder: Path) -> K8sTuningPipelineConfig:
    (folder / "x.py").write_text("import os\n")
    return replace(config, history_file=str(folder / "x.py"))


def _allow_list(config: K8sTuningPipelineConfig, folder: Path) -> K8sTuningPipelineConfig:
    (folder / "apply.yaml").write_text("allowed_namespaces: [dev-*]")
    return replace(config, apply_policy=str(folder / "apply.yaml"))


FAILURES: dict[str, tuple[Change, str, str]] = {
    "selector": (lambda config, _: replace(config, label_selector="a in ("), "config", "label selector"),
    "namespace": (lambda config, _: replace(config, namespace="No Namespace"), "config", "No Namespace"),
    "another namespace than the session's": (_sessions_other_namespace, "generate", "says k8s_namespace: elsewhere"),
    "channel": (lambda config, _: replace(config, channel_type="pigeon"), "config", "pigeon"),
    "no url": (
        lambda config, _: replace(config, channel_type="slack_webhook", alerts_enabled=True),
        "config",
        "webhook URL",
    ),
    "history limit": (lambda config, _: replace(config, history_limit=0), "config", "history_limit"),
    "events limit": (lambda config, _: replace(config, events_limit=-1), "config", "limit of events"),
    "wait": (lambda config, _: replace(config, wait_seconds=float("nan")), "config", "wait_seconds"),
    "no session": (lambda config, _: replace(config, session_config="없다.yaml"), "generate", "없다.yaml"),
    "no directory": (lambda config, _: replace(config, session_config=None), "generate", "No such file"),
    "manifest": (_broken_manifest, "validate", "1 of 1 invalid: a.yaml"),
    "not watched": (_foreign_session, "validate", "would not watch them"),
    "context": (lambda config, _: replace(config, context="없다"), "apply", "없다"),
    "allow-list": (_allow_list, "apply", "not on the allow-list (dev-*)"),
    "another file for the history": (_foreign_history, "config", "x.py: is no history"),
    "history": (_unwritable_history, "history", "name a file, not a folder"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_stage_that_fails_ends_the_run_with_3(
    name: str, cluster: Cluster, config: K8sTuningPipelineConfig, tmp_path: Path
) -> None:
    """Its step says why; nothing after it pretends to have run; a broken setting changes no cluster."""
    change, step, words = FAILURES[name]
    result = run(change(replace(config, apply_enabled=True), tmp_path))
    assert result.exit_code == 3
    assert steps(result)[step].startswith("failed: ")
    assert words in steps(result)[step]
    assert list(steps(result)) == [*(STAGES[: STAGES.index(step)] if step in STAGES else []), step]
    if step != "history":
        assert result.health_status is None
        assert jobs_in(cluster) == []
    assert not result.history_appended


def test_where_one_job_is_not_applied_the_others_are_watched_and_recorded_and_the_run_fails(
    cluster: Cluster, config: K8sTuningPipelineConfig, tmp_path: Path
) -> None:
    """A Job of that name with another spec is never replaced; the rest is in the cluster, and somebody must look."""
    apply = replace(config, apply_enabled=True)
    run(apply)
    with cluster.client() as http:
        name = next(name for name in jobs_in(cluster) if "worker-1" in name)
        path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs/{name}"
        http.delete(path, params={"propagationPolicy": "Background"}).raise_for_status()
    cluster.wait(lambda: len(jobs_in(cluster)) == 1)
    write_session(tmp_path / "session.yaml", cluster, more="active_deadline_seconds: 600")
    cluster.scenario([{"match": f"{name}*", "outcome": "oom", "seconds": 1}])
    (other,) = jobs_in(cluster)
    result = run(apply)
    assert (result.exit_code, result.applied_jobs, result.health_status) == (3, 1, HealthLevel.ERROR), result.steps
    assert list(steps(result)) == STAGES
    assert steps(result)["apply"].startswith("failed: 1 of 2 Job(s) were not applied; first, ")
    assert "has another spec" in steps(result)["apply"]
    assert f"not applied: {other}; the others are watched" in steps(result)["apply"]
    assert steps(result)["wait"] == "0 succeeded, 1 failed"
    assert (result.history_appended, records(config)) == (True, 2)


def test_a_run_that_is_repeated_counts_the_jobs_of_all_its_tries(
    cluster: Cluster, config: K8sTuningPipelineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try met a passing fault of one Job, watched the other, and failed; the second does the rest."""
    write_one = ClusterWriter.apply

    async def busy(self: ClusterWriter, job: Any, **more: Any) -> Any:
        if "worker-2" in job["metadata"]["name"]:
            raise Throttled("the server asks to slow down", 429)
        return await write_one(self, job, **more)

    monkeypatch.setattr(ClusterWriter, "apply", busy)
    apply = replace(config, apply_enabled=True)
    first = run(apply, run_id="nightly")
    assert (first.exit_code, first.applied_jobs, first.health_status) == (3, 1, HealthLevel.OK), first.steps
    monkeypatch.undo()
    second = run(apply, run_id="nightly")
    assert (second.exit_code, second.applied_jobs) == (0, 2), second.steps


def test_files_are_kept_beside_the_history_and_hold_no_secret(
    cluster: Cluster, config: K8sTuningPipelineConfig, webhook: RecordingServer
) -> None:
    """History, ledger and journal; Korean stays readable; neither token nor URL is in any of them."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "fail", "last_log": "메모리 부족 🔥"}])
    url = f"{webhook.url}/services/T0/B0/geheim-geheim"
    run(
        replace(config, apply_enabled=True, alerts_enabled=True, channel_type="slack_webhook", webhook_url=url),
        run_id="밤-🌙",
    )
    folder = Path(config.history_file).parent
    texts = {name: (folder / name).read_text() for name in ("history.jsonl", LEDGER, RUNS)}
    assert all("밤-🌙" in text for text in texts.values())
    assert all(json.loads(line) for text in texts.values() for line in text.splitlines())
    assert not any("geheim" in path.read_text() for path in folder.rglob("*") if path.is_file())
