"""The ledger as the page asks it: beside the real planning and delivering, and decision by decision."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.alerts.observations import NAMESPACE, SELECTOR, World, at, observation, record
from tests.queries.ledger_lines import EVERYTHING, index, line, quiet_line, said
from tests.servers import recording_server, status

from k8s_tuning.alerts.config import parse_config
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.deliver import deliver_notice
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.plan import acknowledge, plan_notices, smoke_notices
from k8s_tuning.queries.notices import LedgerIndex
from k8s_tuning.queries.view_models import RunRef
from k8s_tuning.stages.alert.incident import IncidentSeverity
from k8s_tuning.stages.target_identity import TargetIdentity
from k8s_tuning.timestamps import to_datetime

WHERE = TargetIdentity(NAMESPACE, SELECTOR)

WEBHOOK = """
hold: 10m
route: {receiver: team, repeat_interval: 2h, group_by: [namespace]}
receivers:
  - name: team
    channels: [{type: generic_webhook, connection: hook, name: hook}]
"""


def test_a_message_that_fails_at_first_is_pending_until_it_goes_out(tmp_path: Path) -> None:
    """Real planning, a real receiver: two runs, the first finds it down."""
    ledger = Ledger(tmp_path / "l.jsonl")
    asked = LedgerIndex(ledger.path)
    config = parse_config(WEBHOOK)
    with recording_server() as server:

        def run(minute: float, run_id: str, *levels: str) -> None:
            records = [record(level, step) for step, level in enumerate(levels)]
            for one in plan_notices(config, [observation(records)], ledger, at(minute), run_id, dry_run=False):
                deliver_notice(
                    config, one, lambda _: ChannelSecret(url=f"{server.url}/hook"), ledger,
                    dry_run=False, now=lambda: at(minute + 1), sleep=lambda _: None,
                )  # fmt: skip

        server.script(*[status(500, "down")] * 4)
        run(2, "k8s_health/scheduled__1", "O", "E")
        (row,) = asked.alerts().items
        assert (row.outcome, row.decided_at, row.done_at, row.attempts) == ("failed", at(2), at(3), 4)
        assert row.run == RunRef(dag_id="k8s_health", run_id="scheduled__1")
        assert "answered 500" in row.answer
        assert asked.last_notice(WHERE) == asked.incidents(WHERE, 0, math.inf)[0].notices[0]

        run(10, "k8s_health/scheduled__2", "O", "E", "E")
        run(15, "k8s_health/scheduled__3", "O", "E", "E", "E")
        newest, older = asked.alerts().items
        assert (newest.decision, newest.outcome, newest.done_at) == ("owed", "sent", at(11))
        assert (older.decision, older.outcome) == ("first", "superseded")
        assert said(asked.alerts(quiet=True))[0] == ("still_firing", "not_sent")
        whole = asked.alert(newest.ref)
        assert whole is not None
        assert [(one.outcome, one.attempts) for one in whole.history] == [("owed", 0), ("sent", 1)]
        assert whole.message is not None
        assert server.calls[-1].body.decode() in whole.message
        assert whole.incident is not None
        assert whole.incident["id"] == newest.incident_ids[0]
        assert [one.outcome for one in asked.of_run("k8s_health/scheduled__1")] == ["superseded"]
        (listed,) = asked.incidents(WHERE, -math.inf, math.inf)
        assert [one.outcome for one in listed.notices] == ["sent", "superseded"]
        assert (listed.is_open, listed.over_at, listed.severity, listed.reasons) == (
            True,
            None,
            "CRITICAL",
            {"image_pull": 1},
        )


def test_a_test_alert_that_failed_is_pending_for_nobody_and_is_no_incident(tmp_path: Path) -> None:
    ledger, config = Ledger(tmp_path / "l.jsonl"), parse_config(WEBHOOK)
    (one,) = smoke_notices(config, "team", "여보세요", at(0), "run-1")
    deliver_notice(config, one, lambda _: ChannelSecret(), ledger, dry_run=False, now=lambda: at(1))
    asked = LedgerIndex(ledger.path)
    (row,) = asked.alerts().items
    assert (row.status, row.outcome, row.decided_at, row.run) == ("test", "failed", at(1), None)
    assert asked.incidents(TargetIdentity(row.namespace, row.selector), -math.inf, math.inf) == []


def test_what_the_page_calls_pending_is_what_the_next_run_will_send(tmp_path: Path) -> None:
    """Beside LedgerState, from which runs plan: after a night with a channel that fails now and then."""
    world = World()
    ledger = Ledger(tmp_path / "l.jsonl")
    asked = LedgerIndex(ledger.path)
    for step, level in enumerate("EEEWWOEEOOOOEEEEOWWOOOO"):
        world.fails = {"team/console"} if step % 5 < 3 else set()
        written = len(world.lines)
        world.check(level, step * 7)
        ledger.append(world.lines[written:])
        pending = {
            channel.pending.notice_id
            for incident in ledger.state().incidents.values()
            for channel in incident.channels.values()
            if channel.pending is not None
        }
        rows = asked.alerts(**EVERYTHING).items
        assert {row.notice_id for row in rows if row.outcome in ("owed", "failed")} == pending
    listed = asked.incidents(WHERE, -math.inf, math.inf)
    assert len(listed) == 2
    assert [one.is_open for one in listed] == [False] * 2
    assert all(one.over_at and one.over_at > one.started_at for one in listed)


def test_one_message_about_several_incidents_is_one_entry(tmp_path: Path) -> None:
    lines = [
        line(0, incident_id=f"incident-{n}", selector=f"app=a{n}", target=target, outcome=outcome, message=message)
        for outcome, texts in (("owed", ("", "")), ("sent", ("안녕 🚨", "")))
        for n, (target, message) in enumerate(zip(("bots", None), texts, strict=True))
    ]
    asked = index(tmp_path / "l.jsonl", *lines)
    (row,) = asked.alerts().items
    assert (row.target, row.incident_ids, row.outcome) == ("bots", ["incident-0", "incident-1"], "sent")
    assert asked.alerts(target=f"{NAMESPACE}/app=a1").total == 1
    assert asked.alerts(selector="app=a1", namespace=NAMESPACE).total == 1
    assert asked.alerts().targets == ["bots", f"{NAMESPACE}/app=a1"]
    for selector in ("app=a0", "app=a1"):
        brief = asked.last_notice(TargetIdentity(NAMESPACE, selector))
        assert brief is not None
        assert brief.outcome == "sent"
    whole = asked.alert("notice-1")
    assert whole is not None
    assert whole.message == "안녕 🚨"
    assert [one.outcome for one in whole.history] == ["owed", "sent"]


def test_a_notice_shown_first_and_sent_later_is_a_real_one(tmp_path: Path) -> None:
    """Its dry run stays in its history, and tells nothing of what became of it."""
    ledger = Ledger(tmp_path / "l.jsonl")
    asked = index(
        ledger.path,
        line(0, dry_run=True),
        line(1, dry_run=True, outcome="dry_run", message="as shown"),
    )
    row = asked.alerts().items[0]
    assert (row.dry_run, row.outcome) == (True, "dry_run")
    assert [one.dry_run for one in asked.incidents(WHERE, 0, math.inf)] == [True]
    ledger.append([line(2)])
    row = asked.alerts().items[0]
    assert (row.dry_run, row.outcome, row.decided_at, row.done_at) == (False, "owed", at(2), None)
    ledger.append([line(3, outcome="sent", message="as sent"), line(4, dry_run=True, outcome="dry_run", message="no")])
    whole = asked.alert("notice-1")
    assert whole is not None
    assert (whole.row.outcome, whole.message, len(whole.history)) == ("sent", "as sent", 5)
    assert [one.dry_run for one in asked.incidents(WHERE, 0, math.inf)] == [False]


def test_lines_of_an_older_version_have_no_message(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    values = line(0, outcome="sent").record()
    del values["message"]
    path.write_text(json.dumps(values) + "\n")
    whole = LedgerIndex(path).alert("notice-1")
    assert whole is not None
    assert whole.message is None
    assert next(Ledger(path).lines()).message == ""


# --- decisions against a message ----------------------------------------------------------------------------------


def test_decisions_that_repeat_every_few_minutes_come_only_when_asked_for(tmp_path: Path) -> None:
    asked = index(
        tmp_path / "l.jsonl",
        line(0),
        *[quiet_line(minute) for minute in range(5, 50, 5)],
        quiet_line(50, decision="muted", why="within the mute window 'nights'"),
        quiet_line(55, decision="receiver_gone", why="no run's configuration has had this channel"),
        quiet_line(
            60, decision="acknowledged", status=Status.ACKNOWLEDGED, receiver="", channel="", why="taken by Ada"
        ),
    )
    assert said(asked.alerts()) == [
        ("acknowledged", "not_sent"),
        ("receiver_gone", "not_sent"),
        ("first", "superseded"),
    ]
    assert asked.alerts(quiet=True).total == 13
    assert asked.alerts(decision="muted").total == 1
    assert asked.alerts(outcome="not_sent").total == 12
    found = asked.alerts(quiet=True, limit=3, offset=3)
    assert [row.decided_at for row in found.items] == [at(45), at(40), at(35)]
    assert found.decisions == ["acknowledged", "first", "muted", "receiver_gone", "still_firing"]
    assert (found.channels, found.outcomes) == (["team/slack"], ["not_sent", "superseded"])


def test_words_are_looked_for_in_every_text_of_an_entry(tmp_path: Path) -> None:
    asked = index(tmp_path / "l.jsonl", line(0, target="봇"), quiet_line(5, why="within the mute window 'Nights'"))
    assert said(asked.alerts(q="봇 NOBODY")) == []
    assert said(asked.alerts(q="봇 CRITICAL warn")) == []
    assert said(asked.alerts(q="봇 WARN incident")) == [("first", "owed")]
    assert said(asked.alerts(q="nights", quiet=True)) == [("still_firing", "not_sent")]


def test_a_person_who_takes_an_incident_is_seen_and_it_lasts(tmp_path: Path) -> None:
    world = World()
    world.check("W", 0)
    ledger = Ledger(tmp_path / "l.jsonl")
    ledger.append(world.lines)
    (incident_id,) = ledger.state().incidents
    acknowledge(world.config, incident_id, "Ada", ledger, at(5), "ack")
    asked = LedgerIndex(ledger.path)
    assert said(asked.alerts()) == [("acknowledged", "not_sent"), ("first", "sent")]
    assert asked.incidents(WHERE, 0, math.inf)[0].is_open
    whole = asked.alert(asked.alerts().items[0].ref)
    assert whole is not None
    assert whole.incident is not None
    assert whole.incident["id"] == incident_id


def test_a_target_shows_the_last_message_however_many_decisions_follow(tmp_path: Path) -> None:
    asked = index(
        tmp_path / "l.jsonl",
        line(0, outcome="sent"),
        line(5, notice_id="notice-2", status=Status.RESOLVED, decision="resolved", is_open=False, over_at=at(5)),
        line(6, notice_id="notice-1", outcome="failed"),
        quiet_line(7, is_open=False, over_at=at(5), decision="holding"),
    )
    brief = asked.last_notice(WHERE)
    assert brief is not None
    assert (brief.notice_id, brief.status, brief.outcome) == ("notice-2", "resolved", "owed")
    assert asked.last_notice(TargetIdentity(NAMESPACE, "app=other")) is None
    assert asked.alerts().items[-1].outcome == "sent"


def test_incidents_are_those_that_touch_the_range_and_are_of_jobs(tmp_path: Path) -> None:
    def over(incident_id: str, start: float, end: float, **more: Any) -> list[LedgerLine]:
        begun = quiet_line(start, incident_id=incident_id, started_at=at(start), **more)
        return [begun, replace(begun, at=at(end), is_open=False, over_at=at(end), decision="over")]

    asked = index(
        tmp_path / "l.jsonl",
        *over("one", 0, 10, severity=IncidentSeverity.CRITICAL, reasons={"oom_killed": 1}),
        *over("two", 20, 30),
        *over("own", 20, 30, source="pipeline"),
        quiet_line(40, incident_id="three", started_at=at(40)),
    )

    def names(since: float, until: float) -> list[str]:
        minute = to_datetime(at(0)).timestamp()
        found = asked.incidents(WHERE, minute + since * 60, minute + until * 60)
        return [one.id for one in found]

    assert names(0, 60) == ["three", "two", "one"]
    assert names(10, 20) == ["two", "one"]
    assert names(10.01, 19.99) == []
    assert names(31, 39) == []
    assert names(1000, math.inf) == ["three"]
    assert names(-math.inf, -1) == []
    one = asked.incidents(WHERE, 0, math.inf)[-1]
    assert (one.severity, one.over_at, one.reasons, one.cause) == ("CRITICAL", at(10), {"oom_killed": 1}, None)


def test_the_newest_warning_that_was_reported_is_the_cause(tmp_path: Path) -> None:
    events = [{"type": "Warning", "reason": "BackOff", "message": "이미지\n없음", "involved_name": "arb-1"}]
    events += [{"type": "Normal", "reason": "Pulled", "message": "x", "involved_name": "arb-1"}]
    asked = index(tmp_path / "l.jsonl", line(0, incident={"id": "incident-1", "recent_events": events}))
    (listed,) = asked.incidents(WHERE, 0, math.inf)
    assert listed.cause == "BackOff: 이미지 없음 (arb-1)"
