"""The ledger file: whole lines, torn lines, retention, and planning one at a time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.alerts.observations import ONE_CHANNEL, World, at, observation, record, state_of
from tests.profiles import examples

from k8s_tuning.alerts import ledger_retention
from k8s_tuning.alerts.config import parse_config
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.plan import acknowledge, plan_notices, smoke_notices
from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.storage import tail
from k8s_tuning.storage.append_log import AppendLog

CONFIG = parse_config(ONE_CHANNEL)


def test_every_decision_is_a_line_and_comes_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    (notice,) = plan_notices(CONFIG, [observation([record("E", 0)])], ledger, at(0), "run-1", dry_run=False)
    assert plan_notices(CONFIG, [observation([record("E", 0)])], ledger, at(1), "run-2", dry_run=False) == []
    first, second = ledger.lines()
    assert (first.decision, first.outcome, first.notice_id) == ("first", "owed", notice.id)
    assert (second.decision, second.outcome, second.why) == (
        "in_flight",
        "not_sent",
        f"run run-1 planned it at {at(0)}",
    )
    assert [line.decision for line in ledger.newest_first()] == ["in_flight", "first"]


def test_torn_and_foreign_lines_cost_only_themselves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    plan_notices(CONFIG, [observation([record("E", 0)])], ledger, at(0), "run-1", dry_run=False)
    with path.open("ab") as handle:
        handle.write(b'{"at": "2025\n\0\0\n{"other": 1}\n[1]\n{"at": "2025-11-16T10')
    plan_notices(CONFIG, [observation([record("E", 0)])], ledger, at(10), "run-2", dry_run=False)
    assert [line.decision for line in ledger.lines()] == ["first", "owed"]
    assert "skipped the line at byte" in caplog.text


BAD = {
    "at is no time": {"at": "yesterday"},
    "at is empty": {"at": ""},
    "record_at is no time": {"record_at": "soon"},
    "over_at is no time": {"over_at": "2025-02-30T10:00:00Z"},
    "started_at is no time": {"started_at": "?"},
    "its incident is another thing": {"incident": {"id": "x"}},
    "its incident has wrong types": {"incident": {"job_counts": "many"}},
    "its status is of a later version": {"status": "shelved"},
    "its reasons are a list": {"reasons": ["oom"]},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
@pytest.mark.parametrize("level", ["E", "O"], ids=["still in ERROR", "OK again"])
def test_one_bad_line_costs_no_other_target_its_alert(tmp_path: Path, change: dict[str, object], level: str) -> None:
    """What a target's damaged line said is lost, or poorer; whoever the others concern is notified."""
    path = tmp_path / "ledger.jsonl"
    plan_notices(CONFIG, [observation([record("E", 0, selector="a")])], Ledger(path), at(0), "run-1", dry_run=False)
    path.write_text(json.dumps(json.loads(path.read_text()) | change) + "\n")
    observations = [observation([record("E", 0, selector="a"), record(level, 30, selector="a")])]
    observations.append(observation([record("E", 30, selector="b")]))
    notices = plan_notices(CONFIG, observations, Ledger(path), at(30), "run-2", dry_run=False)
    assert "b" in {item.payload.selector for notice in notices for item in notice.items}


def test_a_file_that_is_no_ledger_gets_no_line(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import os\n")
    with pytest.raises(InputError, match=r"x\.py: is no ledger of alerts"):
        plan_notices(CONFIG, [observation([record("E", 0)])], Ledger(path), at(0), "run-1", dry_run=False)
    assert path.read_text() == "import os\n"


def test_the_ledger_is_for_its_owner_and_group_alone(tmp_path: Path) -> None:
    """It holds the messages: log lines and causes of Jobs."""
    umask = os.umask(0o022)
    try:
        plan_notices(CONFIG, [observation([record("E", 0)])], Ledger(tmp_path / "l.jsonl"), at(0), "r", dry_run=False)
    finally:
        os.umask(umask)
    assert (tmp_path / "l.jsonl").stat().st_mode & 0o777 == 0o640


@settings(max_examples=examples(60))
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("EWO"), st.sampled_from("ab"), st.sampled_from(["sent", "failed", "torn", "prune"])),
        max_size=14,
    )
)
# What was only shown is the newest line, and an older one, of a real run, is the newest that the real view sees.
@example([*[("E", "a", "sent")] * 3, ("E", "b", "sent"), ("E", "a", "prune"), ("E", "b", "sent")])
def test_the_state_is_that_of_all_lines_however_it_is_reached(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    """From a checkpoint of this or another process or from none, between torn lines and retention."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    lasting = Ledger(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_WORTH_SAVING_BYTES", 1)
        patch.setattr(os, "fsync", lambda _: None)
        for number, (level, target, event) in enumerate(steps):
            checks = [record(level, number * 20, selector=target)]
            run = f"run-{number}"
            for notice in plan_notices(
                CONFIG, [observation(checks)], Ledger(path), at(number * 20), run, dry_run=number % 5 == 4
            ):
                planned = [line for line in lasting.lines() if line.notice_id == notice.id]
                lasting.append(replace(line, outcome="sent" if event == "sent" else "failed") for line in planned)
            if event == "torn" and path.exists():
                path.write_bytes(path.read_bytes()[:-1])  # all but the newline of the last line
            for dry_run in (False, True):
                plain = state_of(lasting.lines(), dry_run=dry_run)
                assert lasting.state(dry_run=dry_run) == Ledger(path).state(dry_run=dry_run) == plain
            if event == "prune":
                before = known(lasting)
                lasting.prune(0.02, at(number * 20))
                assert known(lasting) == known(Ledger(path)) == before


def known(ledger: Ledger) -> dict[str, object]:
    return {
        f"{key} {dry_run}": facts
        for dry_run in (False, True)
        for key, facts in ledger.state(dry_run=dry_run).incidents.items()
    }


def test_planning_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the ledger is: with a checkpoint of any process, before and after retention."""
    path = tmp_path / "ledger.jsonl"
    world = World()
    for number in range(300):
        world.check("E" if number % 3 else "O", number * 20)
    Ledger(path).append(world.lines)
    Ledger(path).state()
    read: list[int] = []
    blocks = AppendLog.blocks

    def watched(self: AppendLog, *args: Any, **more: Any) -> Iterator[tuple[int, bytes]]:
        for end, block in blocks(self, *args, **more):
            read.append(len(block))
            yield end, block

    assert Ledger(path).prune(1, at(300 * 20)) > 100
    monkeypatch.setattr(AppendLog, "blocks", watched)
    plan_notices(CONFIG, [observation([record("E", 6001)])], Ledger(path), at(6001), "run-1", dry_run=False)
    assert sum(read) == 0


def test_retention_lets_runs_plan_and_send_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that begins and ends while retention reads the ledger waits for nothing, and what it wrote is kept."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    world = World()
    for step in ("E0", "O60"):
        world.check(step[0], int(step[1:]))
    ledger.append(world.lines)
    past = ledger_retention.past
    monkeypatch.setattr("k8s_tuning.storage.locks.WAIT_SECONDS", 0.05)
    monkeypatch.setattr("k8s_tuning.storage.locks.WAIT_SECONDS", 0.05)
    planned = []

    def slow(*args: Any) -> Iterator[tuple[int, int]]:
        spans = list(past(*args))
        planned.extend(
            plan_notices(CONFIG, [observation([record("E", 4000)])], Ledger(path), at(4000), "run", dry_run=False)
        )
        yield from spans

    monkeypatch.setattr(ledger_retention, "past", slow)
    assert ledger.prune(1, at(4000)) == 4
    assert [(line.decision, line.notice_id) for line in ledger.lines()] == [("first", planned[0].id)]
    assert known(ledger) == known(Ledger(ledger.path))


def test_a_later_versions_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    plan_notices(CONFIG, [observation([record("E", 0)])], Ledger(path), at(0), "run-1", dry_run=False)
    line = json.loads(path.read_text())
    path.write_text(json.dumps(line | {"new": True}) + "\n")
    assert len(list(Ledger(path).lines())) == 1


def test_a_ledger_that_cannot_be_written_stops_the_plan(tmp_path: Path) -> None:
    """Before anything is sent: what is not remembered would be sent again and again."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        plan_notices(CONFIG, [observation([record("E", 0)])], Ledger(tmp_path / "file" / "ledger"), at(0), "run-1")
    with pytest.raises(StoreError, match="regular file"):
        Ledger(tmp_path).state()
    with pytest.raises(InputError, match="run_id"):
        plan_notices(CONFIG, [], Ledger(tmp_path / "l"), at(0), "")


def test_of_many_runs_at_once_one_announces(tmp_path: Path) -> None:
    found: list[int] = []

    def run(number: int) -> None:
        ledger = Ledger(tmp_path / "ledger.jsonl")
        notices = plan_notices(CONFIG, [observation([record("E", 0)])], ledger, at(0), f"run-{number}", dry_run=False)
        found.append(len(notices))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 0, 0, 0, 0, 1]


def test_retention_keeps_what_a_lasting_incident_rests_on(tmp_path: Path) -> None:
    """Old decisions of incidents that are over go, and what says who was notified of one that lasts stays."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    world = World()
    for step in ("E0", "O60", "E120", "E125", "E130"):
        world.check(step[0], int(step[1:]))
    ledger.append(world.lines)
    before = ledger.state().incidents
    dropped = ledger.prune(1, at(3 * 24 * 60))
    assert dropped == 5  # first, its send, resolved, its send; and one still_firing
    assert [(line.decision, line.outcome) for line in ledger.lines()] == [
        ("first", "owed"),
        ("first", "sent"),
        ("still_firing", "not_sent"),
    ]
    after = ledger.state().incidents
    assert {key: facts.channels for key, facts in after.items()} == {k: f.channels for k, f in before.items()}
    assert ledger.prune(1, at(0)) == 0
    with pytest.raises(InputError, match="max_age_days"):
        ledger.prune(0, at(0))


def test_an_incident_that_somebody_took_is_not_repeated_but_is_resolved(tmp_path: Path) -> None:
    world = World()
    world.check("W", 0)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(world.lines)
    (incident_id,) = ledger.state().incidents
    assert acknowledge(CONFIG, incident_id, "Ada", ledger, at(5), "ack") == []  # console has no such notion
    world.lines = list(ledger.lines())
    assert world.check("W", 300) == ["acknowledged"]
    assert world.check("E", 310) == ["severity_changed"]
    assert world.check("O", 400) == ["resolved"]
    with pytest.raises(InputError, match="no open incident 'x'"):
        acknowledge(CONFIG, "x", "Ada", ledger, at(5), "ack")


def test_pagerduty_is_notified_that_somebody_took_it(tmp_path: Path) -> None:
    config = "route: {receiver: a}\nreceivers: [{name: a, channels: [{type: pagerduty, connection: pd}]}]"
    world = World(config)
    world.check("E", 0)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(world.lines)
    (incident_id,) = ledger.state().incidents
    (notice,) = acknowledge(parse_config(config), incident_id, "Ada", ledger, at(5), "ack")
    assert (notice.status, notice.items[0].incident_id, notice.items[0].why) == (
        "acknowledged",
        incident_id,
        "taken by Ada",
    )


def test_a_test_alert_goes_to_every_channel_of_a_receiver_and_is_marked() -> None:
    config = parse_config(
        "route: {receiver: a}\nreceivers: [{name: a, channels: [{type: console}, {type: console, name: b}]}, {name: n}]"
    )
    notices = smoke_notices(config, "a", "여보세요", at(0), "run-1")
    assert [(notice.channel, notice.status) for notice in notices] == [("console", "test"), ("b", "test")]
    assert notices[0].id != notices[1].id
    assert "TEST" in notices[0].title
    assert "nothing is wrong" in notices[0].text
    assert "여보세요" in notices[0].text
    with pytest.raises(InputError, match="unknown receiver 'x'; known are a, n"):
        smoke_notices(config, "x", "", at(0), "run-1")
    with pytest.raises(InputError, match="no channels"):
        smoke_notices(config, "n", "", at(0), "run-1")
