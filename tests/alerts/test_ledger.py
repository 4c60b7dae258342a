"""The ledger file: whole lines, torn lines, retention, and planning one at a time."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from tests.alerts.situations import ONE_CHANNEL, World, at, record, situation

from k8s_tuning.alerts.config import parse_config
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.plan import acknowledge, plan_notices, smoke_notices
from k8s_tuning.errors import InputError, StoreError

CONFIG = parse_config(ONE_CHANNEL)


def test_every_decision_is_a_line_and_comes_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    (notice,) = plan_notices(CONFIG, [situation([record("E", 0)])], ledger, at(0), "run-1", dry_run=False)
    assert plan_notices(CONFIG, [situation([record("E", 0)])], ledger, at(1), "run-2", dry_run=False) == []
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
    plan_notices(CONFIG, [situation([record("E", 0)])], ledger, at(0), "run-1", dry_run=False)
    with path.open("ab") as handle:
        handle.write(b'{"at": "2025\n\0\0\n{"other": 1}\n[1]\n{"at": "2025-11-16T10')
    plan_notices(CONFIG, [situation([record("E", 0)])], ledger, at(10), "run-2", dry_run=False)
    assert [line.decision for line in ledger.lines()] == ["first", "owed"]
    assert "skipped the line at byte" in caplog.text


def test_a_later_versions_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    plan_notices(CONFIG, [situation([record("E", 0)])], Ledger(path), at(0), "run-1", dry_run=False)
    line = json.loads(path.read_text())
    path.write_text(json.dumps(line | {"new": True}) + "\n")
    assert len(list(Ledger(path).lines())) == 1


def test_a_ledger_that_cannot_be_written_stops_the_plan(tmp_path: Path) -> None:
    """Before anything is sent: what is not remembered would be sent again and again."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        plan_notices(CONFIG, [situation([record("E", 0)])], Ledger(tmp_path / "file" / "ledger.jsonl"), at(0), "run-1")
    with pytest.raises(StoreError, match="regular file"):
        Ledger(tmp_path).state()
    with pytest.raises(InputError, match="run_id"):
        plan_notices(CONFIG, [], Ledger(tmp_path / "l"), at(0), "")


def test_of_many_runs_at_once_one_announces(tmp_path: Path) -> None:
    found: list[int] = []

    def run(number: int) -> None:
        ledger = Ledger(tmp_path / "ledger.jsonl")
        notices = plan_notices(CONFIG, [situation([record("E", 0)])], ledger, at(0), f"run-{number}", dry_run=False)
        found.append(len(notices))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 0, 0, 0, 0, 1]


def test_retention_keeps_what_a_lasting_incident_rests_on(tmp_path: Path) -> None:
    """Old decisions of incidents that are over go, and what says who was told of one that lasts stays."""
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


def test_pagerduty_is_told_that_somebody_took_it(tmp_path: Path) -> None:
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
