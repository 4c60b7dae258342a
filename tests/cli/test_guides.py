"""The stage guides' command lines, flag by flag: each does here what the guide says it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.clusters import Cluster
from tests.servers import recording_server

from k8s_tuning.cli import main, parser

SESSION = """
session_id: d29-guide
k8s_namespace: trading-bots
image: registry.example/arbitrage-lite:1.0.0
mode: paper
env: docker
total_iterations: 6
workers: 2
optimizer: bayesian
resources: {requests: {cpu: 500m, memory: 512Mi}, limits: {cpu: "1", memory: 1Gi}}
extra_env: {APP_ENV: docker}
"""

RECORD = (
    '{"timestamp": "2025-11-16T10:00:00Z", "namespace": "trading-bots", "selector": "app=arbitrage-tuning", '
    '"overall_health": "ERROR", "jobs_ok": 1, "jobs_warn": 0, "jobs_error": 1, "raw_snapshot": null}\n'
)
TARGET = ["--namespace", "trading-bots", "--label-selector", "app=arbitrage-tuning"]

# The guides' own lines, with their script as our command.
LINES = {
    "D29": "generate --orchestrator-config a.yaml --k8s-config b.yaml --output-dir outputs/d29_k8s_jobs",
    "D29 one file": "generate --orchestrator-config a.yaml --output-dir outputs/d29_k8s_jobs",
    "D30": "validate --jobs-dir outputs/d29_k8s_jobs --strict --output-plan outputs/d30_execution_plan.txt",
    "D31": "apply --jobs-dir jobs --kubeconfig k --context c --apply --output-report outputs/d31_apply_report.txt",
    "D32 one-shot": f"watch {' '.join(TARGET)} --one-shot",
    "D32": f"watch {' '.join(TARGET)} --kubeconfig k --context c --max-log-lines 50 --interval 5",
    "D33": f"health {' '.join(TARGET)} --kubeconfig k --context c --output-json health_report.json --strict",
    "D34 record": f"record {' '.join(TARGET)} --history-file h.jsonl --kubeconfig k --strict --max-log-lines 100",
    "D34 show": "history --history-file h.jsonl --limit 50",
    "D34 summary": "history --history-file h.jsonl --summary-only",
    "D35": (
        f"alert --history-file h.jsonl {' '.join(TARGET)} --channel-type slack_webhook "
        "--webhook-url https://example.org/x --no-dry-run --events-limit 10 --history-limit 20 --kubeconfig k "
        "--context c"
    ),
    "D35 dry": f"alert --history-file h.jsonl {' '.join(TARGET)} --dry-run",
    "D36": (
        f"run --jobs-dir jobs {' '.join(TARGET)} --history-file h.jsonl --kubeconfig k --context c --enable-apply "
        "--enable-alerts --strict-health --channel-type slack_webhook --webhook-url https://example.org/x "
        "--events-limit 20 --history-limit 20"
    ),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_guides_line_is_understood(line: str) -> None:
    """Whole, as it stands."""
    args = parser().parse_args(line.split())
    assert args.run is not None


def test_the_guides_flags_mean_what_they_say() -> None:
    """Each is the same setting as our own flag of another name."""
    guide = parser().parse_args(LINES["D36"].split())
    named = (guide.apply_enabled, guide.alerts_enabled, guide.strict_health, guide.channel_type)
    assert named == (True, True, True, "slack_webhook")
    assert parser().parse_args(LINES["D35"].split()).send is True
    assert parser().parse_args(LINES["D35 dry"].split()).send is False
    assert parser().parse_args(LINES["D34 summary"].split()).summary is True


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.yaml"
    path.write_text(SESSION)
    return path


def test_generate_takes_the_guides_two_files_where_they_agree(session: Path, tmp_path: Path) -> None:
    """What only the other one says concerns the local orchestrator."""
    other = tmp_path / "orchestrator.yaml"
    other.write_text("session_id: d29-guide\nworkers: 2\nstate_manager: redis\n")
    words = [
        "generate",
        f"--orchestrator-config={other}",
        f"--k8s-config={session}",
        f"--output-dir={tmp_path / 'jobs'}",
    ]
    assert main(words) == 0
    assert len(list((tmp_path / "jobs").glob("job-*.yaml"))) == 2


def test_generate_refuses_two_files_that_differ_and_names_the_key(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of the two would be ignored silently."""
    other = tmp_path / "orchestrator.yaml"
    other.write_text("session_id: d29-guide\nworkers: 5\n")
    words = [
        "generate",
        f"--orchestrator-config={other}",
        f"--k8s-config={session}",
        f"--output-dir={tmp_path / 'jobs'}",
    ]
    assert main(words) == 3
    assert "workers is 5, but 2 in" in capsys.readouterr().err
    assert not (tmp_path / "jobs").exists()


def test_generate_without_a_session_says_which_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Either name of it would do."""
    assert main(["generate", f"--output-dir={tmp_path}"]) == 3
    assert "--config is missing" in capsys.readouterr().err


def test_the_plan_and_the_report_are_written_as_they_are_printed(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--output-plan and --output-report; --output-json beside them."""
    jobs, plan, report, data = (tmp_path / name for name in ("jobs", "plan.txt", "report.txt", "report.json"))
    main(["generate", f"--config={session}", f"--output-dir={jobs}"])
    capsys.readouterr()
    assert main(["validate", f"--jobs-dir={jobs}", f"--output-plan={plan}"]) == 0
    assert plan.read_text() == capsys.readouterr().out
    # No cluster answers there; a dry run says so.
    (tmp_path / "kubeconfig").write_text(
        yaml.safe_dump(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "x", "user": {}}],
            }
        )
    )
    words = ["apply", f"--jobs-dir={jobs}", f"--kubeconfig={tmp_path / 'kubeconfig'}"]
    assert main([*words, f"--output-report={report}", f"--output-json={data}"]) == 0
    assert report.read_text() == capsys.readouterr().out
    assert json.loads(data.read_text())["dry_run"] is True


def test_a_file_that_cannot_be_written_is_named(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3: the report was printed, and is not where it was wanted."""
    main(["generate", f"--config={session}", f"--output-dir={tmp_path / 'jobs'}"])
    missing = tmp_path / "nowhere" / "plan.txt"
    assert main(["validate", f"--jobs-dir={tmp_path / 'jobs'}", f"--output-plan={missing}"]) == 3
    assert str(missing) in capsys.readouterr().err


def test_health_writes_the_guides_json(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is printed as ever."""
    report = tmp_path / "health_report.json"
    words = ["health", f"--namespace={cluster.namespace}", f"--label-selector=session_id={cluster.tag}"]
    assert main([*words, f"--kubeconfig={cluster.kubeconfig}", f"--output-json={report}"]) == 0
    written = json.loads(report.read_text())
    assert (written["overall_health"], written["jobs_health"]) == ("OK", [])
    assert {"namespace", "selector", "timestamp", "errors"} <= written.keys()
    assert not capsys.readouterr().out.startswith("{")


def test_watch_with_an_interval_keeps_the_newest_snapshot_in_the_file(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written again with every snapshot, until Ctrl-C."""
    report = tmp_path / "snapshot.json"
    words = ["watch", f"--namespace={cluster.namespace}", f"--kubeconfig={cluster.kubeconfig}", "--interval=0.01"]
    seen: list[str] = []

    def write(_: str) -> None:
        seen.append(report.read_text() if report.exists() else "")
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdout.write", write)
    assert main([*words, f"--output-json={report}", "--json"]) == 130
    assert seen[0] == ""
    assert json.loads(seen[1])["timestamp"] <= json.loads(seen[2])["timestamp"]


@pytest.mark.parametrize(
    "line",
    [
        "watch --one-shot --interval 5",
        "alert --send --dry-run --history-file h",
        "apply --apply --dry-run --jobs-dir j",
    ],
)
def test_two_flags_that_contradict_each_other_are_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither wins silently."""
    with pytest.raises(SystemExit) as exited:
        main(line.split())
    assert exited.value.code == 3
    assert "not allowed with" in capsys.readouterr().err


def test_the_webhooks_url_works_as_a_flag_and_is_printed_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a note on what is safer."""
    history = tmp_path / "h.jsonl"
    history.write_text(RECORD)
    words = ["alert", f"--history-file={history}", *TARGET, "--events-limit=0", "--channel-type=slack_webhook"]
    with recording_server() as server:
        url = f"--webhook-url={server.url}/services/T0/B0/geheim-geheim"
        assert main([*words, url]) == 0
        assert server.calls == []
        assert main([*words, url, "--no-dry-run"]) == 0
    assert [call.path for call in server.calls] == ["/services/T0/B0/geheim-geheim"]
    captured = capsys.readouterr()
    assert "geheim" not in captured.out + captured.err
    assert "$K8S_TUNING_WEBHOOK_URL is safer" in captured.err


SECRET = "https://hooks.example/services/T0/geheim"


@pytest.mark.parametrize(
    "words",
    [
        ["alert", "--history-file=h", "--webhook-ur", SECRET],
        ["alert", "--history-file=h", f"--webhook={SECRET}"],
        ["alert", SECRET],
        ["alert", "--history-file=h", "--channel", SECRET],
        ["alert", "--history-file=h", "--timeout", SECRET],
        ["run", "--jobs-dir=j", "--history-file=h", "--webhook-ur", SECRET],
        ["run", "--jobs-dir=j", "--history-file=h", SECRET],
        [SECRET],
    ],
    ids=lambda words: " ".join(word.partition("=")[0] for word in words).replace(SECRET, "URL"),
)
def test_a_word_that_is_not_understood_is_not_repeated(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It may be the webhook's URL; and no flag is taken for another that it is the beginning of."""
    with pytest.raises(SystemExit) as exited:
        main(words)
    assert exited.value.code == 3
    captured = capsys.readouterr()
    assert "geheim" not in captured.out + captured.err


@pytest.mark.parametrize("flag", ["--jobs", "--strict-h", "--conf", "--webhook-url-en", "--hist"])
def test_a_flag_is_never_abbreviated(flag: str) -> None:
    """What is short for one flag today is short for two tomorrow."""
    with pytest.raises(SystemExit) as exited:
        parser().parse_args(["run", "--jobs-dir=j", "--history-file=h", flag, "x"])
    assert exited.value.code == 3
