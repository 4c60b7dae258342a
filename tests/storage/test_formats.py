"""Files of the version before are read as they were meant, and lines of a newer one are left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.queries.history_index import HistoryIndex
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot
from k8s_tuning.stages.history.latest import LatestStore
from k8s_tuning.stages.history.store import K8sHealthHistoryStore, RetentionPolicy
from k8s_tuning.stages.pipeline.runs import K8sPipelineRunRecord, K8sPipelineRunStore
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage import jsonl, tail
from k8s_tuning.storage.lines import LineFile

# What a dry run and a real run of the demo's pipeline left, as the version before lines had a format wrote it.
LAST_VERSION = Path(__file__).parents[1] / "golden" / "last-version"
WHERE = ("trading-bots", "app=arbitrage-tuning")
NEWER = {"format": 2, "timestamp": "2026-11-25T14:00:00Z", "state": {"of": "tomorrow"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LAST_VERSION, tmp_path / "history"))


def add_newer(path: Path, **fields: object) -> bytes:
    """A line as a later version may write it, with all that today's has besides."""
    line = json.dumps(json.loads(path.read_bytes().splitlines()[-1]) | NEWER | fields).encode() + b"\n"
    with path.open("ab") as handle:
        handle.write(line)
    return line


def shown(history: Path) -> int:
    """How many records the page shows of the target."""
    index = HistoryIndex(history)
    target = index.find(*WHERE)
    return index.records(target, 0, 2e9).total if target else 0


def test_the_history_of_the_last_version_is_read(folder: Path) -> None:
    store = K8sHealthHistoryStore(folder / "health.jsonl")
    assert [record.overall_health for record in store.load_recent()] == ["OK", "ERROR"]
    assert store.load_recent()[-1].reasons == {"image_pull": 1, "oom_killed": 1}
    assert shown(store.path) == 2


def test_the_ledger_of_the_last_version_is_read_and_its_incident_goes_on(folder: Path) -> None:
    ledger = Ledger(folder / "alerts-ledger.jsonl")
    facts = ledger.state().open_incident(*WHERE, cluster="kubernetes_default")
    assert facts is not None
    assert facts.id == "b5523913962e"
    assert facts.incident["job_counts"] == {"OK": 0, "WARN": 1, "ERROR": 1}
    assert [item.outcome for item in LedgerIndex(ledger.path).alerts().items] == ["sent"]


def test_the_runs_snapshots_and_sessions_of_the_last_version_are_read(folder: Path) -> None:
    assert [run.exit_code for run in K8sPipelineRunStore(folder / "runs.jsonl").recent()] == [0, 2]
    latest = LatestStore(folder / "looks").read(*WHERE, None, "kubernetes_default")
    assert latest is not None
    assert len(latest.jobs) == 2
    (session,) = SessionStore(folder / "sessions").list()
    assert session.session_id == "d29-k8s-demo-session-20261125-134120"


def test_a_new_line_says_its_format_beside_the_older_ones(folder: Path) -> None:
    store = K8sHealthHistoryStore(folder / "health.jsonl")
    store.append(K8sHealthSnapshot(*WHERE, [], [], HealthLevel.OK, "2026-11-25T14:00:00Z"))
    runs = K8sPipelineRunStore(folder / "runs.jsonl")
    runs.append(K8sPipelineRunRecord("2026-11-25T14:00:00Z", "r", "dry_run", 0))
    for path in (store.path, folder / "runs.jsonl"):
        assert [json.loads(line).get("format") for line in path.read_bytes().splitlines()] == [None, None, 1]
    assert store.summarize()["total_records"] == 3


@pytest.mark.parametrize("name", ["health.jsonl", "alerts-ledger.jsonl", "runs.jsonl"])
def test_a_newer_line_is_skipped_and_neither_misread_nor_pruned(
    folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While hosts are upgraded one after the other, old and new ones write into one file."""
    path = folder / name
    before = _facts(folder)
    line = add_newer(path, overall_health="OK", exit_code=0, decision="tomorrow")
    assert _facts(folder) == before
    K8sHealthHistoryStore(folder / "health.jsonl").prune(RetentionPolicy(max_age_days=1), "2030-01-01T00:00:00Z")
    Ledger(folder / "alerts-ledger.jsonl").prune(1, "2030-01-01T00:00:00Z")
    K8sPipelineRunStore(folder / "runs.jsonl").prune(1, "2030-01-01T00:00:00Z")
    assert line in path.read_bytes()
    if name != "runs.jsonl":
        assert "in format 2; this one reads 1: upgrade it" in caplog.text


def _facts(folder: Path) -> list[object]:
    history, ledger = K8sHealthHistoryStore(folder / "health.jsonl"), Ledger(folder / "alerts-ledger.jsonl")
    return [
        history.summarize(),
        [target.total for target in history.targets()],
        shown(history.path),
        sorted(ledger.state().incidents),
        len(list(ledger.lines())),
        LedgerIndex(ledger.path).alerts(quiet=True).total,
        K8sPipelineRunStore(folder / "runs.jsonl").recent(),
    ]


def test_a_file_of_newer_lines_alone_can_be_appended_to(tmp_path: Path) -> None:
    """It is a history all the same."""
    path = tmp_path / "health.jsonl"
    path.write_bytes(json.dumps(NEWER | {"overall_health": "OK"}).encode() + b"\n")
    store = K8sHealthHistoryStore(path)
    store.append(K8sHealthSnapshot(*WHERE, [], [], HealthLevel.WARN, "2026-11-25T14:00:00Z"))
    assert [record.overall_health for record in store.load_recent()] == ["WARN"]


def test_after_an_upgrade_what_was_skipped_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of the older version holds the file without the newer lines."""
    monkeypatch.setattr(tail, "_WORTH_SAVING_BYTES", 1)
    store = K8sHealthHistoryStore(folder / "health.jsonl")
    assert store.summarize()["total_records"] == 2
    saved = Path(f"{store.path}.state").read_bytes()
    monkeypatch.setattr(jsonl, "FORMAT", 2)
    read: list[int] = []
    blocks = LineFile.blocks

    def watched(self: LineFile, start: int = 0, *args: Any) -> Iterator[tuple[int, bytes]]:
        read.append(start)
        return blocks(self, start, *args)

    monkeypatch.setattr(LineFile, "blocks", watched)
    assert K8sHealthHistoryStore(store.path).summarize()["total_records"] == 2
    assert read == [0], "the file was not read from its start"
    assert Path(f"{store.path}.state").read_bytes() != saved
