"""`k8s-tuning run` and the command line around all commands: flags, output, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clusters import Cluster
from tests.servers import recording_server

from k8s_tuning.cli import COMMANDS, main

SESSION = """
session_id: "{session}"
k8s_namespace: {namespace}
image: registry.example/arbitrage-lite:1.0.0
mode: paper
env: docker
total_iterations: 2
workers: 2
optimizer: grid
"""


@pytest.fixture
def words(cluster: Cluster, tmp_path: Path) -> list[str]:
    """A dry run's command line."""
    (tmp_path / "session.yaml").write_text(SESSION.format(session=cluster.tag, namespace=cluster.namespace))
    return [
        "run",
        f"--config={tmp_path / 'session.yaml'}",
        f"--jobs-dir={tmp_path / 'jobs'}",
        f"--history-file={tmp_path / 'history.jsonl'}",
        f"--kubeconfig={cluster.kubeconfig}",
        f"--namespace={cluster.namespace}",
        f"--label-selector=session_id={cluster.tag}",
    ]


def test_a_dry_run_reports_and_exits_with_0(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run is what comes without flags."""
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "Mode:             dry_run" in out
    assert "apply: dry run, nothing was changed" in out


def test_the_sessions_namespace_holds(
    words: list[str], tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the flag it is taken from the file; a flag that says another is refused before anything is done."""
    without = [word for word in words if not word.startswith("--namespace")]
    assert main([*without, "--json"]) == 0
    assert json.loads((tmp_path / "history.jsonl").read_text())["namespace"] == cluster.namespace
    (tmp_path / "history.jsonl").unlink()
    capsys.readouterr()
    assert main([*without, "--namespace=elsewhere"]) == 3
    said = capsys.readouterr().err
    assert (
        f"--namespace is 'elsewhere', but {tmp_path / 'session.yaml'} says k8s_namespace: {cluster.namespace}" in said
    )
    assert "leave --namespace out, or change the file" in said
    assert not (tmp_path / "history.jsonl").exists()


def test_json_is_alone_on_standard_output(
    cluster: Cluster, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the console channel prints goes beside it."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "oom"}])
    assert main([*words, "--json", "--apply", "--wait=60", "--alerts"]) == 2
    captured = capsys.readouterr()
    shown = json.loads(captured.out)
    assert shown["mode"] == "full_alerts"
    assert (shown["applied_jobs"], shown["health_status"], shown["incidents_sent"]) == (2, "ERROR", 1)
    assert "K8s Alert: CRITICAL" in captured.err


@pytest.mark.parametrize("more", [[], ["--strict"]], ids=["lenient", "strict"])
def test_jobs_that_could_not_be_listed_are_3(cluster: Cluster, words: list[str], more: list[str]) -> None:
    """An account that may not look knows nothing of the Jobs."""
    assert main([*words, f"--kubeconfig={cluster.nobody_kubeconfig}", *more]) == 3


@pytest.mark.parametrize(
    "flags",
    [
        ["--label-selector=a in ("],
        ["--history-limit=0"],
        ["--wait=-1"],
        ["--channel=pigeon"],
        ["--alerts", "--channel=slack_webhook"],
        ["--config=없다.yaml"],
        ["--health-policy=없다.yaml"],
        ["--apply-policy=없다.yaml"],
        ["--context=없다"],
    ],
    ids=lambda flags: flags[-1].partition("=")[0].strip("-"),
)
def test_what_cannot_be_used_is_3_and_says_which_step(
    flags: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """And no traceback."""
    assert main([*words, *flags]) == 3
    captured = capsys.readouterr()
    assert "failed: " in captured.out
    assert "Health:           not known" in captured.out
    assert "Traceback" not in captured.out + captured.err


def test_the_webhook_comes_from_the_environment_and_shows_nowhere(
    cluster: Cluster, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flag would show it to everybody who may list processes."""
    cluster.scenario([{"match": f"*{cluster.tag}*", "outcome": "fail"}])
    with recording_server() as server:
        monkeypatch.setenv("OPS_HOOK", f"{server.url}/services/T0/B0/geheim-geheim")
        more = ["--apply", "--wait=60", "--alerts", "--channel=slack_webhook", "--webhook-url-env=OPS_HOOK"]
        assert main([*words, *more]) == 2
    assert [call.path for call in server.calls] == ["/services/T0/B0/geheim-geheim"]
    captured = capsys.readouterr()
    assert "geheim" not in captured.out + captured.err


@pytest.mark.parametrize("words", [[], ["fly"], ["run"], ["run", "--fly"], ["history", "--limit"]], ids=str)
def test_a_wrong_command_line_is_3_in_two_lines(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """argparse's own 2 would mean "health is ERROR"."""
    with pytest.raises(SystemExit) as exited:
        main(words)
    assert exited.value.code == 3
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone, as it is loaded; the list of all has it too."""
    for words in ([command, "--help"], ["--help"]):
        with pytest.raises(SystemExit) as exited:
            main(words)
        assert exited.value.code == 0
    assert f"    {command} " in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """`k8s-tuning … | head -1`: as other commands end at a closed pipe."""
    code = "import sys; from k8s_tuning.cli import main; sys.exit(main(['history', '--history-file', 'none.jsonl']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 141
