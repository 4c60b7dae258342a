"""The ledger's file under its index: damage, retention, references to its lines, many threads."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from tests.alerts.observations import at
from tests.queries.ledger_lines import EVERYTHING, index, line, quiet_line

from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.errors import StoreError
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.stages.target_identity import TargetIdentity


def test_a_reference_survives_appends_and_names_no_other_line_after_retention(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.jsonl")
    # Lines of one length, so that each begins where another did before.
    asked = index(
        ledger.path, *[quiet_line(day * 1440, incident_id=f"incident-{day}", is_open=False) for day in range(9)]
    )
    refs = [row.ref for row in asked.alerts(**EVERYTHING).items]
    ledger.append([quiet_line(9 * 1440, incident_id="incident-9", is_open=False)])
    for day, ref in zip(reversed(range(9)), refs, strict=True):
        whole = asked.alert(ref)
        assert whole is not None
        assert whole.row.incident_ids == [f"incident-{day}"]
    assert ledger.prune(5.5, at(9 * 1440)) == 4
    assert [asked.alert(ref) for ref in refs] == [None] * 9
    assert asked.alerts(**EVERYTHING).total == 6
    for unknown in (
        "",
        "@",
        "@x",
        "@-1",
        "@0",
        "@99999999999999999999-0",
        "notice-0",
        "@٣-0",
        f"@{'9' * 5000}-00000000",
        "@0-00000000",
    ):
        assert asked.alert(unknown) is None


def test_torn_and_foreign_lines_cost_only_themselves_and_the_unfinished_one_waits(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    asked = index(path, line(0))
    whole = json.dumps(quiet_line(5).record(), ensure_ascii=False).encode()
    deep = b'{"incident":' + b"[" * 200_000 + b"\n"
    undated = json.dumps(quiet_line(5).record() | {"at": "soon"}).encode() + b"\n"
    with path.open("ab") as file:
        file.write(
            b'{"at": "2025\n\0\0\n{"other": 1}\n[1]\n\xff\xfe\n' + deep + undated + b"\0\0" + whole + b"\n" + whole[:40]
        )
    assert asked.alerts(**EVERYTHING).total == 2
    assert asked.alerts().notes == ["l.jsonl: 6 lines are none of the ledger's and were skipped; the log names them"]
    with path.open("ab") as file:
        file.write(whole[40:] + b"\n")
    found = asked.alerts(**EVERYTHING)
    assert found.total == 3
    assert all(asked.alert(row.ref) for row in found.items)


def test_fields_of_another_form_break_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    values = line(0, outcome="sent").record() | {"message": 5, "incident": ["x"], "reasons": {"한": 2}, "new": True}
    path.write_text(json.dumps(values) + "\n")
    whole = LedgerIndex(path).alert("notice-1")
    assert whole is not None
    assert (whole.message, whole.incident) == (None, None)


def test_no_ledger_is_an_empty_one_and_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    asked = LedgerIndex(tmp_path / "l.jsonl")
    empty = asked.alerts()
    assert (empty.total, empty.targets, empty.notes) == (0, [], [])
    assert asked.alert("x") is asked.last_notice(TargetIdentity("a", "b")) is None
    assert asked.of_run("a/b") == asked.incidents(TargetIdentity("a", "b"), 0, 1) == []
    Ledger(tmp_path / "l.jsonl").append([line(0)])
    assert asked.alerts().total == 1
    asked.path.unlink()
    assert asked.alerts().total == 0
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="not a regular file"):
        LedgerIndex(tmp_path / "folder").alerts()


def test_many_threads_ask_while_the_ledger_grows(tmp_path: Path) -> None:
    """Each answer is a whole one: totals never shrink, nothing is counted twice."""
    ledger = Ledger(tmp_path / "l.jsonl")
    asked = LedgerIndex(ledger.path)
    totals: list[list[int]] = [[] for _ in range(4)]
    over = threading.Event()

    def ask(mine: list[int]) -> None:
        while not over.is_set():
            mine.append(asked.alerts(**EVERYTHING).total)
            asked.alert("notice-1")

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in totals]
    for thread in threads:
        thread.start()
    for minute in range(60):
        ledger.append([quiet_line(minute) if minute % 2 else line(minute, notice_id=f"notice-{minute}")])
    over.set()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in totals)
    assert asked.alerts(**EVERYTHING).total == 60
