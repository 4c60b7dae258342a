"""The state of every target, however it is reached: from the start, or from a checkpoint."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples
from tests.stages.history_lines import check, line

from k8s_tuning.stages.history import store as history
from k8s_tuning.stages.history.store import (
    K8sHealthHistoryRecord,
    K8sHealthHistoryStore,
)
from k8s_tuning.storage import lines, tail

Store = K8sHealthHistoryStore


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return K8sHealthHistoryStore(tmp_path / "logs" / "history.jsonl")


def reference(data: bytes) -> list[dict[str, Any]]:
    """The records of a file, the plainest way."""
    records = []
    counts = ("jobs_ok", "jobs_warn", "jobs_error")
    for raw in data.split(b"\n"):
        try:
            value = json.loads(raw.strip(b"\0 \t\r"))
        except ValueError:
            continue
        strings = ("timestamp", "namespace", "selector")
        if (
            isinstance(value, dict)
            and all(isinstance(value.get(name), str) for name in strings)
            and value.get("overall_health") in ("OK", "WARN", "ERROR")
            and all(
                value.get(name) is None or (type(value[name]) is int and 0 <= value[name] <= 10**15) for name in counts
            )
            and (at := in_utc(value["timestamp"])) is not None
        ):
            records.append(value | {"timestamp": at})
    return records


def in_utc(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
        return f"{moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return None


def reference_targets(records: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    targets: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        targets.setdefault((record["namespace"], record["selector"]), []).append(record)
    found = {}
    for key, own in targets.items():
        run: list[str] = []
        for record in reversed(own):
            if record["overall_health"] == "OK":
                break
            run.append(record["timestamp"])
        levels = [record["overall_health"] for record in own]
        found[key] = (
            *(levels.count(level) for level in ("OK", "WARN", "ERROR")),
            own[-1]["timestamp"],
            own[-2]["timestamp"] if len(own) > 1 else None,
            run[-1] if run else None,
        )
    return found


def said(store: Store) -> dict[tuple[str, str], tuple[Any, ...]]:
    def when(record: K8sHealthHistoryRecord | None) -> str | None:
        return record.timestamp if record else None

    return {
        (target.namespace, target.selector): (
            target.ok,
            target.warn,
            target.error,
            when(target.last),
            when(target.previous),
            when(target.open_since),
        )
        for target in store.targets()
    }


GOOD = st.builds(
    line,
    st.sampled_from(["OK", "WARN", "ERROR"]),
    at=st.integers(0, 10**9).map(lambda number: f"{datetime.fromtimestamp(number, UTC):%Y-%m-%dT%H:%M:%SZ}"),
    namespace=st.sampled_from(["a", "b", "이름"]),
    later=st.sampled_from([None, [1], {"overall_health": "ERROR"}]),
)
ODD = st.sampled_from(
    [
        line()[:50],
        b"\0" * 20,
        b"null\n",
        b"\n",
        b" \n",
        b"[]\n",
        b"{}\n",
        line(jobs_ok="2"),
        line(jobs_ok=2.5),
        line(jobs_ok=10**30),
        line(jobs_ok=None),
        line("FINE"),
        line(namespace=5),  # type: ignore[arg-type]
        line(at=7),  # type: ignore[arg-type]
        line(at="yesterday"),
        line(at="2025-02-30T10:00:00Z"),
        line(at="2025-11-16T24:61:00Z"),
        line(at="2025-11-16T10:00:00"),
        line("ERROR", at="2025-11-16T10:00:00.123456"),
        line(at="2025-11-16 19:00:00+09:00"),
        line().strip(),
        line().replace(b", ", b",\n", 1),
        b"\0" + line(),
        b"x" * 300 + b"\n",
    ]
)


@settings(max_examples=examples(80))
@given(steps=st.lists(st.lists(GOOD | ODD, max_size=8).map(b"".join), max_size=4))
def test_the_state_is_right_however_it_is_reached(tmp_path_factory: pytest.TempPathFactory, steps: list[bytes]) -> None:
    """From a checkpoint of this or another process or from none, in any damage."""
    path = tmp_path_factory.mktemp("history") / "h.jsonl"
    path.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_WORTH_SAVING_BYTES", 300)
        lasting = K8sHealthHistoryStore(path)
        for step in steps:
            with path.open("ab") as handle:
                handle.write(step)
            expected = reference_targets(reference(path.read_bytes()))
            assert said(lasting) == said(K8sHealthHistoryStore(path)) == expected
            assert lasting.summarize()["total_records"] == sum(sum(counts[:3]) for counts in expected.values())
            assert len(lasting.load_recent(1000)) == lasting.summarize()["total_records"]


class TestCheckpoint:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tail, "_WORTH_SAVING_BYTES", 1000)

    @pytest.fixture
    def known(self, store: Store) -> Store:
        store.path.parent.mkdir()
        store.path.write_bytes(line("OK") * 20 + line("ERROR"))
        assert store.summarize()["total_records"] == 21
        assert self.cache(store).exists()
        return store

    @staticmethod
    def cache(store: Store) -> Path:
        return store.path.with_name("history.jsonl.state")

    def test_another_process_goes_on_from_it(self, known: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        with known.path.open("ab") as handle:
            handle.write(line("WARN"))
        read: list[bytes] = []
        blocks = lines.LineFile.blocks

        def watched(self: lines.LineFile, *args: Any) -> Iterator[tuple[int, bytes]]:
            for end, block in blocks(self, *args):
                read.append(block)
                yield end, block

        monkeypatch.setattr(lines.LineFile, "blocks", watched)
        summary = K8sHealthHistoryStore(known.path).summarize()
        assert (summary["total_records"], summary["warn_count"]) == (22, 1)
        assert read == [line("WARN")], "only the new line was read"

    @pytest.mark.parametrize(
        "harm",
        [
            lambda cache: cache.write_bytes(cache.read_bytes()[:40]),
            lambda cache: cache.write_bytes(b""),
            lambda cache: cache.write_bytes(cache.read_bytes().replace(b"version\x01", b"version\x63")),
            lambda cache: cache.unlink(),
        ],
        ids=["torn", "empty", "of another version", "gone"],
    )
    def test_where_it_is_no_use_all_is_counted(self, known: Store, harm: Callable[[Path], object]) -> None:
        harm(self.cache(known))
        assert K8sHealthHistoryStore(known.path).summarize()["total_records"] == 21

    def test_of_a_file_that_was_replaced_or_edited_is_not_believed(self, known: Store) -> None:
        """Another file under the name; the same file with other bytes of the same length; one cut shorter."""
        text = known.path.read_bytes()
        known.path.write_bytes(text.replace(b'"ERROR"', b'"WARN" '))
        assert known.summarize()["warn_count"] == 1
        known.path.write_bytes(text[: len(text) // 2])
        assert known.summarize()["total_records"] == len(reference(text[: len(text) // 2]))
        known.path.write_bytes(text)
        assert known.summarize()["error_count"] == 1
        known.path.write_bytes(text.replace(b'"OK"', b'"WARN"', 1)[:-2] + b"\n")
        assert known.summarize()["warn_count"] == 1, "the first lines were edited"
        other = known.path.with_name("other")
        other.write_bytes(line("WARN") * 30)
        other.replace(known.path)
        assert (known.summarize()["warn_count"], known.summarize()["total_records"]) == (30, 30)

    def test_a_folder_that_cannot_be_written_does_no_harm(self, known: Store) -> None:
        self.cache(known).unlink()
        self.cache(known).mkdir()
        assert K8sHealthHistoryStore(known.path).summarize()["total_records"] == 21

    def test_appends_keep_it_up(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """Though nobody asks for a summary for a year, the first who does has little to read."""
        monkeypatch.setattr(history, "_CHECKPOINT_EVERY_BYTES", 2000)
        for _ in range(20):
            store.append(check("OK"))
        assert msgspec.msgpack.decode(self.cache(store).read_bytes())["offset"] > store.path.stat().st_size - 2000

    def test_writers_readers_and_retention_at_once_lose_nothing(self, store: Store) -> None:
        code = """
            import sys
            from k8s_tuning.stages.history import store as history
            from k8s_tuning.storage import tail
            from k8s_tuning.stages.health.evaluate import K8sHealthSnapshot
            tail._WORTH_SAVING_BYTES = 500
            history._CHECKPOINT_EVERY_BYTES = 3000
            store = history.K8sHealthHistoryStore(sys.argv[1])
            for number in range(24):
                check = K8sHealthSnapshot(sys.argv[2], "app=a", [], [], "ERROR", "2025-11-16T10:00:00Z")
                store.append(check, run_id=f"run-{number}")
                store.summarize()
                if number % 10 == 0:
                    store.prune(history.RetentionPolicy(max_records=15), "2025-11-16T10:00:00Z")
        """
        writers = [
            subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(store.path), namespace])
            for namespace in ("a", "b", "c")
        ]
        assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
        expected = reference_targets(reference(store.path.read_bytes()))
        assert said(store) == said(K8sHealthHistoryStore(store.path)) == expected
        for namespace in "abc":
            newest = [record.run_id for record in store.load_recent(15, namespace=namespace)]
            assert newest == [f"run-{number}" for number in range(9, 24)]


def test_a_summary_of_a_history_with_a_thousand_targets_is_quick_to_read_again(store: Store) -> None:
    """No target is forgotten, and the file of the checkpoint stays small beside the history."""
    store.path.parent.mkdir()
    store.path.write_bytes(b"".join(line(namespace=f"ns-{number}") for number in range(1000)) * 5)
    assert len(store.targets()) == 1000
    assert {target.total for target in K8sHealthHistoryStore(store.path).targets()} == {5}
