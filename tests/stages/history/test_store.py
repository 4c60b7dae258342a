"""D34's history: the contract's line and dictionary, targets apart, damaged lines, long files."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.stages.history_lines import NAMESPACE, SELECTOR, check, line

from k8s_tuning import plain_values
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot
from k8s_tuning.stages.history.store import (
    K8sHealthHistoryRecord,
    K8sHealthHistoryStore,
    generate_history_summary_text,
    generate_history_text,
    generate_record_text,
)
from k8s_tuning.storage import append_log

Store = K8sHealthHistoryStore
GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return K8sHealthHistoryStore(tmp_path / "logs" / "history.jsonl")


class TestAppend:
    def test_writes_the_contracts_line(self, store: Store) -> None:
        """The contract's fields come first, in its order and form; what the project adds follows."""
        store.append(check("OK", "OK"))
        text = store.path.read_text()
        assert text.startswith(
            '{"timestamp": "2025-11-16T10:00:00Z", "namespace": "trading-bots", "selector": "app=arbitrage-tuning", '
            '"overall_health": "OK", "jobs_ok": 2, "jobs_warn": 0, "jobs_error": 0, "raw_snapshot": null'
        )
        assert text.count("\n") == 1

    def test_returns_what_a_reader_will_read(self, store: Store) -> None:
        record = store.append(
            check("OK", "ERROR", "ERROR", "WARN", errors=("로그: 403",)), run_id="manual__1", target="demo"
        )
        assert [record] == store.load_recent()
        assert (record.jobs_ok, record.jobs_warn, record.jobs_error) == (1, 1, 2)
        assert record.reasons == {"oom_killed": 2, "pending": 1}
        assert (record.run_id, record.target, record.monitor_errors) == ("manual__1", "demo", ["로그: 403"])
        assert record.raw_snapshot is None

    def test_without_a_run_every_check_is_recorded(self, store: Store) -> None:
        store.append(check("OK"))
        store.append(check("OK"))
        assert store.summarize()["total_records"] == 2

    def test_keeps_the_snapshot_where_it_is_asked_for_and_fits(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        snapshot = check("ERROR")
        kept = store.append(snapshot, keep_snapshot=True)
        assert plain_values.load(K8sHealthSnapshot, kept.raw_snapshot) == snapshot
        monkeypatch.setattr("k8s_tuning.storage.jsonl.MAX_LINE_BYTES", 500)
        assert store.append(snapshot, keep_snapshot=True).raw_snapshot is None

    @pytest.mark.parametrize("event", ["renamed", "deleted", "unreadable"])
    def test_what_happens_to_the_file_once_the_record_is_on_disk_fails_no_append(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, event: str
    ) -> None:
        """Between the write and the check of the file's size, which decides about the checkpoint."""
        append = append_log.AppendLog.append

        def then(self: append_log.AppendLog, *args: Any, **more: Any) -> tuple[dict[str, Any], bool]:
            stored = append(self, *args, **more)
            if event == "renamed":
                self.path.rename(self.path.with_name("history.jsonl.1"))
            elif event == "deleted":
                self.path.unlink()
            else:
                self.path.unlink()
                self.path.mkdir()
            return stored

        monkeypatch.setattr(append_log.AppendLog, "append", then)
        monkeypatch.setattr("k8s_tuning.stages.history.store._CHECKPOINT_EVERY_BYTES", 1)
        assert store.append(check("ERROR"), run_id="r").overall_health == HealthLevel.ERROR

    @pytest.mark.parametrize(
        "content",
        [
            b"import os\n\nprint('hello')\n",
            b'{\n  "name": "app"\n}\n',
            b'{"name": "app"}\n',
            b'{"at": "2025-11-16T10:00:00Z", "run_id": "r"}\n',
            b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20,
            b"timestamp,namespace\n2025-11-16T10:00:00Z,a\n",
            b"no line break at all",
            "한국어 문서\n".encode(),
        ],
        ids=["x.py", "package.json", "JSONL of others", "a ledger", "binary", "CSV", "text", "Korean"],
    )
    def test_a_file_that_is_no_history_is_refused_and_left_as_it_is(self, store: Store, content: bytes) -> None:
        store.path.parent.mkdir()
        store.path.write_bytes(content)
        with pytest.raises(InputError, match=r"history\.jsonl: is no history.* Name another file"):
            store.append(check("OK"))
        assert store.path.read_bytes() == content
        assert [path.name for path in store.path.parent.iterdir()] == ["history.jsonl"]

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"\0" * 5000,
            b'{"timestamp": "2025-11-1',
            b'{"timestamp": "2025\n' + line(),
            b"\0" * 20_000 + b"\n" + line(),
            b"torn\n" * 5000 + line(),
            line(at="yesterday"),
            line("FINE", jobs_ok="2"),
        ],
        ids=[
            "empty",
            "blank",
            "NULs",
            "torn at its first record",
            "torn before",
            "NULs before",
            "damaged before",
            "no time",
            "odd",
        ],
    )
    def test_a_history_that_is_damaged_is_still_one(self, store: Store, content: bytes) -> None:
        store.path.parent.mkdir()
        store.path.write_bytes(content)
        store.append(check("OK"))
        assert store.load_recent(1)[0].jobs_ok == 1

    def test_a_timestamp_that_no_reader_could_read_is_not_written(self, store: Store) -> None:
        with pytest.raises(InputError, match="'yesterday' is not a timestamp"):
            store.append(check("OK", at="yesterday"))
        assert not store.path.exists()

    def test_a_file_that_cannot_be_written_is_a_store_error(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="name a file, not a folder"):
            K8sHealthHistoryStore(tmp_path).append(check("OK"))


class TestRecent:
    def test_is_the_last_ones_oldest_first(self, store: Store) -> None:
        for minute in range(5):
            store.append(check("OK", at=f"2025-11-16T10:0{minute}:00Z"))
        assert [record.timestamp[14:16] for record in store.load_recent(3)] == ["02", "03", "04"]
        assert len(store.load_recent()) == 5
        assert store.load_recent(0) == []
        with pytest.raises(InputError, match="limit: -1"):
            store.load_recent(-1)

    def test_targets_in_one_file_never_mix(self, store: Store) -> None:
        for number in range(6):
            store.append(
                check("ERROR" if number % 2 else "OK", namespace=f"ns-{number % 2}", selector=f"app={number % 3}")
            )
        assert {record.overall_health for record in store.load_recent(namespace="ns-0")} == {"OK"}
        assert [record.namespace for record in store.load_recent(selector="app=1")] == ["ns-1", "ns-0"]
        assert store.load_recent(namespace="ns-0", selector="app=1")[0].timestamp
        assert store.summarize(namespace="ns-1")["error_count"] == 3
        assert store.summarize(namespace="ns-0")["last_overall_health"] == "OK"
        assert store.summarize()["last_overall_health"] == "ERROR"
        assert store.open_run("ns-0", "app=1") == []

    def test_reads_only_the_end_of_a_long_file(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """Counted in bytes read, which no slow machine can change."""
        store.path.parent.mkdir()
        store.path.write_bytes(line() * 50_000)
        read = 0
        pread = append_log.os.pread

        def counted(descriptor: int, length: int, offset: int) -> bytes:
            nonlocal read
            read += length
            return pread(descriptor, length, offset)

        monkeypatch.setattr(append_log.os, "pread", counted)
        assert len(store.load_recent(20)) == 20
        assert read < 20_000 < store.path.stat().st_size / 100


class TestDamagedFiles:
    @pytest.mark.parametrize(
        "debris",
        [
            line()[:80],
            b"\0" * 4000,
            b"[1, 2]",
            b"null",
            b'"text"',
            b'{"timestamp": "2025-11-16T10:00:00Z"}',
            line(health="FINE").strip(),
            line(jobs_ok="2").strip(),
            line(jobs_ok=-1).strip(),
            line(jobs_ok=True).strip(),
            line(namespace=None).strip(),  # type: ignore[arg-type]
            line().strip() * 2,
            b"[" * 5000,
            b"\xff\xfe{}",
            line(raw_snapshot={"x": "y" * 9_000_000}).strip(),
        ],
        ids=["torn", "nuls", "list", "null", "text", "half a record", "no level", "count in quotes", "negative count",
             "count true", "no namespace", "two on a line", "deep", "not utf-8", "9 MB"],
    )  # fmt: skip
    def test_a_broken_line_is_skipped_with_its_place_and_hides_no_neighbour(
        self, store: Store, debris: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        before, after = line("WARN"), line("ERROR", at="2025-11-16T10:05:00Z")
        store.path.parent.mkdir()
        store.path.write_bytes(before + debris + b"\n" + after)
        assert [record.overall_health for record in store.load_recent()] == ["WARN", "ERROR"]
        assert f"skipped the line at byte {len(before)}" in caplog.text
        caplog.clear()
        summary = store.summarize()
        assert (summary["total_records"], summary["last_timestamp"]) == (2, "2025-11-16T10:05:00Z")
        assert f"skipped the line at byte {len(before)}" in caplog.text

    def test_what_is_only_odd_still_counts(self, store: Store) -> None:
        """Fields of a later version, optional ones of an unknown form, DOS line ends, NULs before a whole record."""
        store.path.parent.mkdir()
        odd = [
            line(later={"a": 1}),
            line(run_id=5, reasons=["x"], monitor_errors={}),
            line()[:-1] + b"\r\n",
            b"\0" * 9 + line(),
        ]
        store.path.write_bytes(b"".join(odd) + line().strip())
        records = store.load_recent()
        assert len(records) == store.summarize()["total_records"] == 5
        assert (records[1].run_id, records[1].reasons, records[1].monitor_errors) == (None, {}, [])

    def test_an_empty_or_missing_history_knows_nothing(self, store: Store) -> None:
        """Absent, not zero: only the counts are 0."""
        expected = dict.fromkeys(("total_records", "ok_count", "warn_count", "error_count"), 0) | dict.fromkeys(
            ("last_overall_health", "last_timestamp", "last_jobs_ok", "last_jobs_warn", "last_jobs_error")
        )
        assert store.summarize() == store.summarize(5) == expected
        store.path.parent.mkdir()
        store.path.write_bytes(b"")
        assert store.summarize() == expected
        assert (store.load_recent(), store.targets(), store.open_run(NAMESPACE, SELECTOR)) == ([], [], [])


class TestSummary:
    def test_has_the_contracts_keys(self, store: Store) -> None:
        for levels in (["OK"], ["WARN"], ["OK", "ERROR", "ERROR"]):
            store.append(check(*levels))
        expected = {
            "total_records": 3,
            "ok_count": 1,
            "warn_count": 1,
            "error_count": 1,
            "last_overall_health": "ERROR",
            "last_timestamp": "2025-11-16T10:00:00Z",
            "last_jobs_ok": 1,
            "last_jobs_warn": 0,
            "last_jobs_error": 2,
        }
        assert store.summarize() == expected
        assert list(store.summarize()) == list(expected)
        assert json.loads(json.dumps(store.summarize())) == expected
        assert store.summarize(2) == expected | {"total_records": 2, "ok_count": 0}

    def test_does_not_stop_at_ten_thousand(self, store: Store) -> None:
        store.path.parent.mkdir()
        store.path.write_bytes((line() + line("ERROR")) * 12_000)
        assert store.summarize()["total_records"] == 24_000
        assert store.summarize(23_000)["total_records"] == 23_000


class TestOpenRun:
    @pytest.mark.parametrize(
        ("levels", "minutes"),
        [("OOO", []), ("E", [0]), ("OE", [0, 1]), ("OEE", [1, 2]), ("EOWEEW", [2, 4, 5]), ("WWWWO", [])],
    )
    def test_tells_what_an_incident_rests_on(self, store: Store, levels: str, minutes: list[int]) -> None:
        names = {"O": "OK", "W": "WARN", "E": "ERROR"}
        for minute, level in enumerate(levels):
            store.append(check(names[level], at=f"2025-11-16T10:{minute:02}:00Z"))
            store.append(check("OK", namespace="other"))
        assert [int(record.timestamp[14:16]) for record in store.open_run(NAMESPACE, SELECTOR)] == minutes


def test_the_texts_are_the_golden_ones(store: Store) -> None:
    store.append(check("OK"), run_id="a")
    record = store.append(
        check("ERROR", "WARN", at="2025-11-16T10:05:00Z", errors=("로그를 읽을 수 없음",)), run_id="b"
    )
    text = "\n".join(
        [
            generate_record_text(record, "logs/history.jsonl"),
            generate_history_text(store.load_recent()),
            generate_history_text([]),
            generate_history_summary_text(store.summarize()),
            generate_history_summary_text(store.summarize(0)),
        ]
    )
    assert text == (GOLDEN / "history.txt").read_text()


def test_a_record_is_plain_data() -> None:
    record = K8sHealthHistoryRecord("2025-11-16T10:00:00Z", NAMESPACE, SELECTOR, HealthLevel.OK, 1, 0, 0)
    assert plain_values.load(K8sHealthHistoryRecord, plain_values.dump(record)) == record
    assert dataclasses.replace(record).raw_snapshot is None


def test_damage_is_not_logged_twice_for_one_reading(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"torn\n" + line())
    with caplog.at_level(logging.WARNING):
        store.load_recent()
    assert len(caplog.records) == 1
