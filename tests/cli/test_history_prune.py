"""`k8s-tuning history prune`: the history, and everything that lies beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.queries.ledger_lines import line as ledger_line
from tests.stages.history_lines import line

from k8s_tuning import timestamps
from k8s_tuning.cli import main
from k8s_tuning.stages.history.latest import LatestSnapshot, LatestStore
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore
from k8s_tuning.stages.sessions.session import TuningSession
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage.jsonl import encode

OLD = "2020-01-01T00:00:00Z"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Of everything one that is old and one that is new."""
    now = timestamps.now()
    (tmp_path / "h.jsonl").write_bytes(line(at=OLD) + b"torn\n" + line(at=now) + line(at=now))
    over = {"is_open": False, "decision": "over", "outcome": "not_sent", "notice_id": "", "channel": "", "at": OLD}
    ledger = [ledger_line(0).record() | over | {"incident_id": "old"}, ledger_line(0).record() | {"at": now}]
    (tmp_path / "alerts-ledger.jsonl").write_bytes(b"".join(map(encode, ledger)))
    for at in (OLD, now):
        K8sPipelineRunStore(tmp_path / "runs.jsonl").append(K8sPipelineRunRecord(at, f"d/{at}", "dry_run", 0))
        LatestStore(tmp_path / "looks").keep(LatestSnapshot("n", f"app={at}", at))
        SessionStore(tmp_path / "sessions").applied(TuningSession("n", f"s{at[:4]}", None, at))
        for path in (tmp_path / "jobs" / at[:4] / "a.yaml", tmp_path / "handover" / "d" / at[:4] / "x.json"):
            path.parent.mkdir(parents=True)
            path.write_text("x")
            if at == OLD:
                for one in (path, path.parent):
                    os.utime(one, (0, 0))
    return tmp_path / "h.jsonl"


def test_everything_past_its_age_goes_and_the_rest_stays(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["history", "prune", "--history-file", str(history), "--max-age-days", "30", "--json"]
    assert main(arguments) == 0
    dropped = {"records": 1, "ledger_lines": 1, "runs": 1, "looks": 1, "sessions": 1, "files": 2}
    assert json.loads(capsys.readouterr().out) == dropped
    assert history.read_bytes().startswith(b"torn\n")
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == dict.fromkeys(dropped, 0)


def test_a_limit_on_the_number_of_records_is_the_historys_alone(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "--history-file", str(history), "prune", "--max-records", "1"]) == 0
    assert capsys.readouterr().out == "Dropped: records 2\n"


def test_the_limits_may_be_those_of_targets_yaml(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = history.with_name("targets.yaml")
    target = {"name": "t", "namespace": "n", "label_selector": "app=x"}
    targets.write_text(json.dumps({"targets": [target], "retention": {"max_age_days": 30}}))
    assert main(["history", "prune", "--history-file", str(history), "--targets-file", str(targets)]) == 0
    assert "records 1, ledger_lines 1, runs 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--max-age-days", "30"], "--history-file is missing"),
        (["--history-file", "h"], "no limit was given"),
        (["--history-file", "h", "--max-age-days", "0"], "max_age_days"),
    ],
    ids=["no file", "no limit", "a limit that drops all"],
)
def test_what_is_missing_is_said(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "prune", *flags]) == 3
    assert said in capsys.readouterr().err
