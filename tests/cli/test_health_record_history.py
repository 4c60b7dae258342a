"""`k8s-tuning health`, `record` and `history`: flags, what they print, exit codes; against an HTTP server."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from k8s_tuning.cli import health, history, record
from k8s_tuning.errors import ConfigError, InputError, StoreError
from k8s_tuning.stages.history.latest import LatestStore

Answers = dict[str, list[dict[str, Any]] | int]


def job(name: str, **status: object) -> dict[str, Any]:
    labels = {"app": "arbitrage-tuning"}
    metadata = {"name": name, "namespace": "trading-bots", "uid": f"uid-{name}", "labels": labels}
    return {"metadata": metadata, "spec": {"completions": 1, "backoffLimit": 0}, "status": status}


PENDING = job("arb-tuning-a-1-0")
RUNNING = job("arb-tuning-a-1-1", startTime="2025-11-16T10:00:00Z", active=1)
FAILED = job(
    "arb-tuning-a-1-2",
    startTime="2025-11-16T10:00:00Z",
    failed=1,
    conditions=[{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "너무 오래"}],
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Path, Answers]]:
    """A kubeconfig, and the lists that the server behind it gives: {"jobs": [...], "pods": [...]}, or a status."""
    answers: Answers = {"jobs": [], "pods": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0].rsplit("/", 1)[-1], 404)
            status = answer if isinstance(answer, int) else 200
            body: dict[str, Any] = {"items": answer, "metadata": {"resourceVersion": "1"}}
            if status != 200:
                body = {"kind": "Status", "code": status, "message": "no"}
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    config = tmp_path / "kubeconfig"
    config.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{server.server_port}"}}}}]
users: [{{name: me, user: {{token: a-token}}}}]
"""
    )
    yield config, answers
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(command_line: Callable[..., int], cluster: tuple[Path, Answers]) -> Callable[..., int]:
    return lambda command, *flags: command_line(command, "--kubeconfig", cluster[0], *flags)


@pytest.fixture
def command_line() -> Callable[..., int]:
    import argparse

    def run(*words: object) -> int:
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers()
        for module in (health, record, history):
            module.register(commands)
        args = parser.parse_args([str(word) for word in words])
        return int(args.run(args))

    return run


@pytest.mark.slow
@pytest.mark.parametrize("command", ["health", "record"])
@pytest.mark.parametrize(
    ("jobs", "flags", "code", "health_is"),
    [
        ([], [], 0, "OK"),
        ([RUNNING], ["--strict"], 0, "OK"),
        ([RUNNING, PENDING], [], 0, "WARN"),
        ([RUNNING, PENDING], ["--strict"], 1, "WARN"),
        ([RUNNING, PENDING], ["--strict", "--no-warn-on-pending"], 0, "OK"),
        ([RUNNING, FAILED], [], 2, "ERROR"),
        ([RUNNING], ["--expect", "arb-tuning-a-1-1", "--expect", "arb-tuning-a-1-9"], 2, "ERROR"),
        (401, [], 3, "WARN"),
        (403, [], 3, "WARN"),
        (403, ["--strict"], 3, "WARN"),
        (403, ["--expect", "arb-tuning-a-1-9"], 3, "WARN"),
        (500, [], 3, "WARN"),
    ],
    ids=[
        *("none", "ok", "warn", "warn strict", "pending allowed", "error", "missing"),
        *("login refused", "may not list", "may not list, strict", "may not list what is expected", "server broken"),
    ],
)
def test_the_exit_code_is_the_health(
    command: str,
    jobs: Any,
    flags: list[str],
    code: int,
    health_is: str,
    cluster: tuple[Path, Answers],
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both commands end alike; a cluster that may not be read is not OK."""
    cluster[1]["jobs"] = jobs
    more = ["--history-file", tmp_path / "logs" / "h.jsonl"] if command == "record" else []
    assert run(command, *more, *flags) == code
    out = capsys.readouterr().out
    assert (f"Overall health: {health_is}" if command == "record" else f"Health: {health_is}") in out
    assert "a-token" not in out


def test_health_as_json_has_the_snapshots_fields(
    cluster: tuple[Path, Answers], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster[1]["jobs"] = [FAILED]
    assert run("health", "--json") == 2
    out = capsys.readouterr().out
    shown = json.loads(out)
    fields = [
        *("namespace", "selector", "jobs_health", "errors", "overall_health", "timestamp"),
        *("jobs_listed", "cluster", "idle"),
    ]
    assert list(shown) == fields
    assert shown["jobs_health"][0]["reasons"] == ["deadline_exceeded"]
    assert "너무 오래" in out


def test_jobs_that_could_not_be_listed_are_not_known_anywhere(
    cluster: tuple[Path, Answers],
    run: Callable[..., int],
    command_line: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No count stands where nothing was counted: in the reports, the record, the table, the summary, the snapshot."""
    file = tmp_path / "h.jsonl"
    cluster[1]["jobs"] = 403

    def shown(command: str, *flags: object) -> str:
        (command_line if command == "history" else run)(command, *flags)
        return capsys.readouterr().out

    assert "Health: WARN (not known: the Jobs could not be listed)" in shown("health")
    assert "Jobs: not known\n" in shown("health")
    assert json.loads(shown("health", "--json"))["jobs_listed"] is False
    assert "Jobs: not known, they could not be listed" in shown("record", "--history-file", file)
    assert "  WARN    ?   ?     ?      Jobs not known; Jobs not read" in shown("history", "--history-file", file)
    assert "(jobs: not known, they could not be listed)" in shown("history", "--history-file", file, "--summary")
    line = json.loads(file.read_text())
    assert (line["jobs_ok"], line["jobs_warn"], line["jobs_error"]) == (None, None, None)
    look = LatestStore(tmp_path / "looks").read("trading-bots", "app=arbitrage-tuning")
    assert look is not None
    assert not look.jobs_listed


def test_pods_that_could_not_be_read_leave_the_jobs_counted(
    cluster: tuple[Path, Answers], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    cluster[1].update(jobs=[RUNNING], pods=403)
    assert run("health") == 0
    assert "Health: WARN\n" in capsys.readouterr().out


def test_health_takes_a_policy(cluster: tuple[Path, Answers], run: Callable[..., int], tmp_path: Path) -> None:
    cluster[1]["jobs"] = [FAILED]
    policy = tmp_path / "health.yaml"
    policy.write_text("reasons: {job_failed: WARN, deadline_exceeded: WARN}")
    assert run("health", "--policy", policy, "--strict") == 1
    policy.write_text("reasons: {job_faild: WARN}")
    with pytest.raises(ConfigError, match="job_faild"):
        run("health", "--policy", policy)


@pytest.mark.parametrize("name", ["x.py", "folder", "pipe", "binary"])
def test_recording_into_what_is_no_history_is_refused_and_changes_nothing(
    cluster: tuple[Path, Answers], run: Callable[..., int], tmp_path: Path, name: str
) -> None:
    file = tmp_path / "there" / name
    file.parent.mkdir()
    if name == "folder":
        file.mkdir()
    elif name == "pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(b"import os\n" if name == "x.py" else bytes(range(256)))
    with pytest.raises((InputError, StoreError), match=f"there/{name}: .*[Nn]ame a"):
        run("record", "--history-file", file)
    assert [path.name for path in file.parent.iterdir()] == [name]


def test_recording_prints_the_record_and_the_file(
    cluster: tuple[Path, Answers], run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster[1]["jobs"] = [RUNNING, FAILED]
    file = tmp_path / "logs" / "h.jsonl"
    flags = ("--history-file", file, "--run-id", "nightly-1", "--target", "데모", "--keep-snapshot")
    assert run("record", *flags) == 2
    out = capsys.readouterr().out
    for part in ("Namespace: trading-bots", "Selector: app=arbitrage-tuning", "OK 1, WARN 0, ERROR 1", f"file: {file}"):
        assert part in out
    assert run("record", *flags, "--json") == 2, "the same run finds the same again: its record stands"
    shown = json.loads(capsys.readouterr().out)
    assert (shown["run_id"], shown["target"], shown["jobs_error"]) == ("nightly-1", "데모", 1)
    assert len(shown["raw_snapshot"]["jobs_health"]) == 2
    assert file.read_text().count("\n") == 1
    cluster[1]["jobs"] = [RUNNING]
    assert run("record", *flags) == 0, "the same run finds something else: that is recorded"
    assert file.read_text().count("\n") == 2
    look = LatestStore(file.with_name("looks")).read("trading-bots", "app=arbitrage-tuning")
    assert look is not None
    assert (look.run_id, look.target) == ("nightly-1", "데모")


def test_history_shows_the_last_records_and_the_summary(
    cluster: tuple[Path, Answers],
    run: Callable[..., int],
    command_line: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "h.jsonl"
    for jobs in ([RUNNING], [FAILED], [PENDING]):
        cluster[1]["jobs"] = jobs
        run("record", "--history-file", file)
    capsys.readouterr()

    def shown(*flags: str) -> str:
        assert command_line("history", "--history-file", file, *flags) == 0
        return capsys.readouterr().out

    assert [line.split()[3] for line in shown().splitlines()] == ["HEALTH", "OK", "ERROR", "WARN"]
    assert len(shown("--limit", "2").splitlines()) == 3
    assert shown("-n", "elsewhere") == "No records.\n"
    assert [entry["overall_health"] for entry in json.loads(shown("--json"))] == ["OK", "ERROR", "WARN"]
    assert shown("--summary").startswith("Total records: 3\nOK: 1\nWARN: 1\nERROR: 1\nLast record: ")
    assert json.loads(shown("--summary", "--json"))["last_overall_health"] == "WARN"
    assert json.loads(shown("--summary", "--json", "-l", "app=other"))["last_timestamp"] is None


def test_a_history_that_is_not_there_yet_says_so(
    command_line: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line("history", "--history-file", tmp_path / "h.jsonl") == 0
    assert "does not exist yet" in capsys.readouterr().out
    with pytest.raises(StoreError, match="not a regular file"):
        command_line("history", "--history-file", tmp_path)


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5"])
def test_a_limit_that_is_none_is_refused(command_line: Callable[..., int], limit: str) -> None:
    with pytest.raises(SystemExit):
        command_line("history", "--history-file", "h.jsonl", "--limit", limit)


def test_a_selector_that_does_not_parse_is_refused_before_anything_is_recorded(
    run: Callable[..., int], tmp_path: Path
) -> None:
    with pytest.raises(InputError):
        run("record", "--history-file", tmp_path / "h.jsonl", "-l", "a in (")
    assert not (tmp_path / "h.jsonl").exists()
