"""A cluster in the hands of somebody who writes control sequences into all that he may write."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, serving

from k8s_tuning.cli import main

EVIL = "\x1b]52;c;cm0gLXJmIC8=\x07\x1b[2J\x9b31m\u202eevil\r\x08\x00"
JOB = {
    "metadata": {"name": f"arb-tuning-{EVIL}", "namespace": EVIL, "uid": "u1", "labels": {"app": EVIL, EVIL: "x"}},
    "spec": {"completions": 1, "backoffLimit": 0},
    "status": {
        "failed": 1,
        "startTime": "2025-11-16T10:00:00Z",
        "conditions": [{"type": "Failed", "status": "True", "reason": f"Backoff{EVIL}", "message": EVIL}],
    },
}
POD = {
    "metadata": {
        "name": f"arb-tuning-pod{EVIL}",
        "labels": {"app": "arbitrage-tuning", "job-name": EVIL},
        "ownerReferences": [{"kind": "Job", "uid": "u1"}],
        "creationTimestamp": "2025-11-16T10:00:00Z",
    },
    "spec": {"nodeName": EVIL, "containers": [{"name": f"tuning{EVIL}"}]},
    "status": {
        "phase": "Failed",
        "reason": EVIL,
        "message": EVIL,
        "containerStatuses": [
            {
                "name": f"tuning{EVIL}",
                "state": {"terminated": {"exitCode": 1, "reason": f"Error{EVIL}", "message": EVIL}},
            }
        ],
    },
}
EVENT = {
    "metadata": {"name": "e", "namespace": EVIL},
    "type": f"Warning{EVIL}",
    "reason": f"Failed{EVIL}",
    "message": EVIL,
    "involvedObject": {"kind": "Pod", "name": f"arb-tuning-pod{EVIL}", "namespace": ""},
    "lastTimestamp": "2025-11-16T10:00:00Z",
}


def answer(request: Request) -> Answer:
    """Every read finds the same strange objects."""
    kind = request.path.rsplit("/", 1)[-1]
    if kind == "log":
        return Answer(f"{EVIL} a line\n{EVIL}".encode("utf-8", "surrogatepass"), headers={"Content-Type": "text/plain"})
    items = {"jobs": [JOB], "pods": [POD], "events": [EVENT]}
    return page(f"{kind.capitalize()[:-1]}List", items.get(kind, []))


@pytest.fixture
def evil_cluster() -> Iterator[ApiDouble]:
    with serving() as api:
        api.answer = answer
        yield api


def unclean(text: str) -> set[str]:
    """What of it a terminal would obey, or no UTF-8 can hold."""
    return {
        sign
        for sign in text
        if (unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t") or "\u202a" <= sign <= "\u202e"
    }


TARGET = ["--namespace=bots", "--label-selector=app=arbitrage-tuning"]


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", ["watch", "health", "record", "history", "alert", "run"])
def test_no_command_prints_a_control_character(
    command: str, more: list[str], evil_cluster: ApiDouble, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither on standard output nor beside it; JSON says them as escapes."""
    kubeconfig = f"--kubeconfig={evil_cluster.kubeconfig(tmp_path)}"
    history = f"--history-file={tmp_path / 'health.jsonl'}"
    main(["record", *TARGET, kubeconfig, history, "--keep-snapshot"])
    capsys.readouterr()
    (tmp_path / "jobs").mkdir()
    words = {
        "watch": [*TARGET, kubeconfig],
        "health": [*TARGET, kubeconfig],
        "record": [*TARGET, kubeconfig, history, "--keep-snapshot", "--max-log-lines=5"],
        "history": [history],
        "alert": [*TARGET, kubeconfig, history],
        "run": [*TARGET, kubeconfig, history, f"--jobs-dir={tmp_path / 'jobs'}"],
    }
    main([command, *words[command], *more])
    captured = capsys.readouterr()
    assert captured.out
    assert unclean(captured.out + captured.err) == set()
    if more:
        assert json.loads(captured.out) is not None


def test_a_history_of_other_hands_reaches_neither_terminal_nor_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old lines hold what older versions wrote."""
    line = {
        "timestamp": "2025-11-16T10:00:00Z",
        "namespace": "bots",
        "selector": "app=arbitrage-tuning",
        "overall_health": "ERROR",
        "jobs_ok": 0,
        "jobs_warn": 0,
        "jobs_error": 1,
        "raw_snapshot": None,
        "target": EVIL,
        "monitor_errors": [EVIL],
        "reasons": {"job_failed": 1},
    }
    history = tmp_path / "health.jsonl"
    history.write_text(json.dumps(line) + "\n")
    main(["history", f"--history-file={history}"])
    main(["alert", *TARGET, f"--history-file={history}", "--events-limit=0"])
    main(["alert", *TARGET, f"--history-file={history}", "--events-limit=0", "--channel=slack_webhook"])
    captured = capsys.readouterr()
    assert "CRITICAL" in captured.out
    assert unclean(captured.out + captured.err) == set()
    # Nor as JSON's escape inside a message's body.
    assert not {r"\u001b", r"\u0007", r"\u0000"} & set(captured.out.split('"'))
    assert r"\u001b" not in captured.out


def test_a_progress_bar_shows_its_last_state(
    evil_cluster: ApiDouble, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that returns to its beginning a thousand times stands there once, and its end is what is new."""
    bar = "".join(f"\r{percent:3}%|{'#' * 300}| {percent}/100" for percent in range(101))
    pod = json.loads(json.dumps(POD).replace(json.dumps(EVIL)[1:-1], "x"))
    log = Answer(bar.encode(), headers={"Content-Type": "text/plain"})
    answers = {"log": log, "pods": page("Pod", [pod])}
    evil_cluster.answer = lambda request: answers.get(request.path.rsplit("/", 1)[-1]) or answer(request)
    main(["watch", *TARGET, f"--kubeconfig={evil_cluster.kubeconfig(tmp_path)}"])
    shown = capsys.readouterr().out
    assert "| 100/100" in shown
    assert " 99/100" not in shown
