"""`k8s-tuning metrics`: printed, written, served, and refused with a reason."""

from __future__ import annotations

import argparse
import http.client
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from k8s_tuning.cli import metrics
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.storage.append_log import AppendLog

HEALTHY = 'k8s_tuning_target_health{level="OK",namespace="trading-bots",selector="app=x",target=""} 1.0'


@pytest.fixture
def history(tmp_path: Path) -> Path:
    from k8s_tuning import timestamps

    path = tmp_path / "history.jsonl"
    record = {"timestamp": timestamps.now(), "namespace": "trading-bots", "selector": "app=x", "overall_health": "OK"}
    AppendLog(path).append({**record, "jobs_ok": 1, "jobs_warn": 0, "jobs_error": 0})
    return path


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    metrics.register(parser.add_subparsers())
    args = parser.parse_args(["metrics", *arguments])
    return int(args.run(args))


def test_without_a_place_the_metrics_are_printed(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a person can look, or pipe them into promtool."""
    assert _run("--history-file", str(history)) == 0
    assert HEALTHY in capsys.readouterr().out


def test_a_textfile_is_replaced_whole(history: Path, tmp_path: Path) -> None:
    """node_exporter never reads half a file: a new one takes the old one's place, and no draft is left."""
    target = tmp_path / "out" / "k8s-tuning.prom"
    target.parent.mkdir()
    target.write_text("old")
    inode = target.stat().st_ino
    assert _run("--history-file", str(history), "--textfile", str(target)) == 0
    assert HEALTHY in target.read_text()
    assert target.stat().st_ino != inode
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["--textfile", "metrics.txt"], InputError, "end in .prom"),
        (["--textfile", "/nowhere/at/all.prom"], StoreError, "check its folder"),
        (["--listen", "9105"], InputError, "HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], InputError, "HOST:PORT"),
        (["--listen", "192.0.2.1:9105"], InputError, "free address"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_place_that_cannot_be_used_is_refused_with_the_cure(
    history: Path, arguments: list[str], error: type[Exception], said: str
) -> None:
    """No traceback: one sentence that says what to write instead."""
    with pytest.raises(error, match=said):
        _run("--history-file", str(history), *arguments)


def test_the_server_serves_what_is_recorded_at_the_time_of_the_scrape(history: Path) -> None:
    """A real process on a free port, scraped twice with a record in between, stopped by SIGTERM."""
    command = [
        sys.executable,
        "-c",
        "import sys, k8s_tuning.cli as c; sys.exit(c.main())",
        "metrics",
        "--history-file",
        str(history),
        "--listen",
        "127.0.0.1:0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            port = int(server.stdout.readline().split("127.0.0.1:")[1].split("/")[0])
            status, kind, body = _get(port)
            assert (status, kind.startswith("text/plain")) == (200, True)
            assert HEALTHY in body
            record = next(AppendLog(history).newest_first())
            AppendLog(history).append({**record, "overall_health": "ERROR", "jobs_error": 1})
            assert HEALTHY not in _get(port)[2]
        finally:
            server.send_signal(signal.SIGTERM)
    assert server.returncode == -signal.SIGTERM


def _get(port: int) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("Content-Type", ""), body
