"""What is said, to whom, and why: decisions over the life of incidents."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.alerts.observations import ONE_CHANNEL, World, at, observation, record, state_of

from k8s_tuning.alerts.config import parse_config
from k8s_tuning.alerts.judge import CLAIM_SECONDS
from k8s_tuning.alerts.ledger_state import LedgerState
from k8s_tuning.alerts.notice import Status
from k8s_tuning.alerts.observation import observe_records, own_failure
from k8s_tuning.alerts.plan import group
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity

# (name, checks as "level minute", the decision after each). hold 10m, repeat 2h.
STILL = ["still_firing"]
CHECKS = [
    ("OK says nothing", "O0 O5", ["", ""]),
    ("a first notice, then silence", "O0 E5 E10 E15", ["", "first", "still_firing", "still_firing"]),
    ("repeated when due", "E0 E60 E119 E120 E125", ["first", *STILL, *STILL, "repeat_due", *STILL]),
    ("raised at once", "W0 E5", ["first", "severity_changed"]),
    ("lowered only when it stays lower",
     "E0 W5 W10 W15 W20", ["first", *STILL, *STILL, "severity_changed", *STILL]),
    ("up and down again says nothing", "E0 W5 E10 W15 E20", ["first", *["still_firing"] * 4]),
    ("resolved after the hold time", "E0 O5 O10 O15", ["first", "holding", "resolved", ""]),
    ("resolved at once where checks are far apart", "E0 O1440", ["first", "resolved"]),
    ("flapping is one incident",
     "E0 O5 E10 O15 E20 O25 O30", ["first", "holding", *STILL, "holding", *STILL, "holding", "resolved"]),
    ("a new incident after a resolved one", "E0 O15 E20", ["first", "resolved", "first"]),
    ("OK and failing again while nobody checked", "E0 E60", ["first", "still_firing"]),
]  # fmt: skip


@pytest.mark.parametrize(("checks", "expected"), [row[1:] for row in CHECKS], ids=[row[0] for row in CHECKS])
def test_what_checks_make_of_an_incident(checks: str, expected: list[str]) -> None:
    world = World()
    said = [world.check(step[0], int(step[1:])) for step in checks.split()]
    assert [decisions[0] if decisions else "" for decisions in said] == expected


def test_an_incident_that_ended_and_began_anew_between_two_decisions_is_two() -> None:
    """The first is resolved and the second announced, in one run."""
    world = World()
    world.check("E", 0)
    world.records += [record("O", 10), record("O", 30), record("E", 60)]
    assert world.run(60) == ["resolved", "first"]
    first, resolved, second = (notice for _, notice in world.sent)
    assert first.items[0].incident_id == resolved.items[0].incident_id != second.items[0].incident_id


def test_one_incident_keeps_its_id_when_the_history_forgets_its_start() -> None:
    """Retention and the limit on reading may drop everything but the newest records."""
    world = World()
    world.check("E", 0)
    world.check("E", 5)
    world.records = world.records[-1:]
    world.check("E", 120)
    world.records = [record("E", 125)]
    world.run(125)
    world.records.append(record("O", 140))
    assert world.run(140) == ["resolved"]
    assert len({notice.items[0].incident_id for _, notice in world.sent}) == 1
    assert {notice.items[0].started_at for _, notice in world.sent} == {at(0)}


def test_a_new_cause_is_reported_once_and_not_before_the_hold_time() -> None:
    world = World()
    assert world.check("E", 0, {"image_pull": 3}) == ["first"]
    assert world.check("E", 5, {"image_pull": 3, "oom_killed": 1}) == ["still_firing"]
    assert world.check("E", 10, {"image_pull": 3, "oom_killed": 1}) == ["changed"]
    assert world.check("E", 25, {"image_pull": 3}) == ["still_firing"]
    assert world.check("E", 40, {"oom_killed": 1}) == ["still_firing"]
    assert "new cause: oom_killed" in world.sent[-1][1].text


def test_twice_as_many_failing_jobs_are_notified() -> None:
    world = World()
    world.check("E", 0, failing=3)
    assert world.check("E", 15, failing=5) == ["still_firing"]
    assert world.check("E", 20, failing=6) == ["changed"]
    assert world.check("E", 40, failing=11) == ["still_firing"]


LADDER = """
hold: 10m
route:
  receiver: everyone
  routes:
    - matchers: [severity=CRITICAL]
      receiver: pager
receivers:
  - name: everyone
    channels: [{type: console}]
  - name: pager
    channels: [{type: console, name: page}, {type: console, name: strict, min_severity: CRITICAL, send_resolved: false}]
"""


def test_a_resolve_goes_where_the_firing_went_wherever_the_route_leads_now() -> None:
    """Raised, the incident moved to another receiver; lowered, back. Both are notified that it is over, once."""
    world = World(LADDER)
    assert world.check("W", 0) == ["first"]
    assert world.check("E", 5) == ["first", "first"]
    assert world.check("W", 30) == ["still_firing"]
    assert sorted(world.check("O", 60)) == ["resolve_off", "resolved", "resolved"]
    assert world.check("O", 65) == []
    resolved = [(n.receiver, n.channel) for _, n in world.sent if n.status is Status.RESOLVED]
    assert sorted(resolved) == [("everyone", "console"), ("pager", "page")]
    assert world.state().incidents == {}


def test_a_channel_gets_nothing_below_its_severity() -> None:
    text = ONE_CHANNEL.replace("{type: console}", "{type: console, min_severity: CRITICAL}")
    world = World(text)
    assert world.check("W", 0) == ["below_severity"]
    assert world.check("E", 5) == ["first"]
    assert world.check("O", 20) == ["resolved"]
    other = World(text)
    other.check("W", 0)
    assert other.check("O", 20) == ["over"]
    assert other.sent == []


MUTED = """
hold: 10m
route:
  receiver: team
  routes: [{matchers: [namespace=trading-bots], mute_time_intervals: [morning]}]
receivers: [{name: team, channels: [{type: console}]}]
time_intervals: [{name: morning, time_intervals: [{times: [{start_time: '10:00', end_time: '11:00'}]}]}]
"""


def test_what_is_muted_is_sent_when_the_window_ends() -> None:
    world = World(MUTED)
    assert world.check("E", 0) == ["muted"]
    assert world.check("E", 55) == ["muted"]
    assert world.check("E", 60) == ["first"]


def test_what_is_over_before_the_window_ends_is_never_notified() -> None:
    world = World(MUTED)
    world.check("E", 0)
    assert world.check("O", 30) == ["over"]
    assert world.sent == []


def test_a_resolve_passes_every_mute() -> None:
    world = World(MUTED)
    assert world.check("E", -30) == ["first"]
    assert world.check("O", 15) == ["resolved"]


def test_a_null_receiver_is_decided_and_written_down() -> None:
    world = World("route: {receiver: 'null'}\nreceivers: [{name: 'null'}]")
    assert world.check("E", 0) == ["null_receiver"]
    assert world.check("O", 30) == ["over"]
    assert world.sent == []
    assert world.state().incidents == {}


def test_what_failed_is_pending_and_goes_out_with_the_next_run() -> None:
    world = World()
    world.fails.add("team/console")
    assert world.check("E", 0) == ["first"]
    assert world.check("E", 5) == ["owed"]
    world.fails.clear()
    assert world.check("E", 10) == ["owed"]
    assert world.check("E", 15) == ["still_firing"]
    assert len(world.sent) == 1


def test_what_is_pending_goes_out_even_when_all_is_well_again_and_then_the_resolve() -> None:
    """A night's incident whose channel was down is not passed over in silence."""
    world = World()
    world.fails.add("team/console")
    world.check("E", 0)
    assert world.check("O", 60) == ["owed"]
    world.fails.clear()
    assert world.check("O", 65) == ["owed"]
    assert world.check("O", 70) == ["resolved"]
    assert world.check("O", 75) == []
    assert [notice.status for _, notice in world.sent] == ["firing", "resolved"]
    assert "OK since" in world.sent[0][1].text


def test_a_resolve_that_failed_is_sent_again_until_it_arrives() -> None:
    world = World()
    world.check("E", 0)
    world.fails.add("team/console")
    assert world.check("O", 60) == ["resolved"]
    assert world.check("O", 65) == ["resolved"]
    world.fails.clear()
    assert world.check("O", 70) == ["resolved"]
    assert world.check("O", 75) == []


def test_what_is_pending_for_a_channel_that_is_gone_is_written_off() -> None:
    world = World()
    world.fails.add("team/console")
    world.check("E", 0)
    world.config = parse_config("route: {receiver: new}\nreceivers: [{name: new, channels: [{type: console}]}]")
    assert world.check("E", 5) == ["first"]
    assert world.check("O", 60) == ["elsewhere", "resolved"]
    assert world.check("O", 65) == []
    assert world.check("O", 8 * 24 * 60) == ["receiver_gone"]
    assert world.state().incidents == {}


def test_runs_with_other_configurations_share_a_ledger() -> None:
    """A pipeline run that knows only the console resolves nothing for the monitor's channel; the monitor does."""
    world = World()
    world.check("E", 0)
    monitors = world.config
    world.config = parse_config("route: {receiver: other}\nreceivers: [{name: other, channels: [{type: console}]}]")
    assert world.check("O", 60) == ["elsewhere"]
    world.config = monitors
    assert world.check("O", 65) == ["resolved"]
    assert world.state().incidents == {}


def test_plannings_of_one_run_for_several_targets_say_nothing_twice() -> None:
    """A run that plans target by target: the second planning leaves the first's notices alone."""
    world = World()
    first, second = record("E", 0, selector="app=a"), record("E", 0, selector="app=b")
    world.records = [first]
    assert world.run(0, deliver=False, run_id="run") == ["first"]
    world.records = [second]
    assert world.run(0, deliver=False, run_id="run") == ["first", "in_flight"]
    world.records = [first]
    assert world.run(1, deliver=False, run_id="run") == ["first", "in_flight"]


EAST = {"target": "east", "cluster": "conn-east"}
WEST = {"target": "west", "cluster": "conn-west"}


def test_two_clusters_with_one_namespace_and_selector_have_an_incident_each() -> None:
    """The end of one leaves the other's open, and a critical one mutes nothing of its neighbour's."""
    world = World()
    world.records = [record("E", 0, **EAST), record("W", 0, **WEST)]
    assert world.run(0) == ["first", "first"]
    ids = {notice.items[0].target: notice.items[0].incident_id for _, notice in world.sent}
    assert len(set(ids.values())) == 2
    world.records += [record("O", 20, **EAST), record("W", 20, **WEST)]
    assert world.run(20) == ["resolved", "still_firing"]
    assert [facts.id for facts in world.state().incidents.values()] == [ids["west"]]
    assert "**Cluster:** conn-west" in world.sent[1][1].text


@pytest.mark.parametrize("name", ["tuning", None], ids=["named", "unnamed"])
def test_an_upgrade_opens_no_second_incident_and_alerts_nobody_twice(name: str | None) -> None:
    """The ledger's lines and the history's records so far name no cluster; those from now on do."""
    world = World()
    assert world.check("E", 0, target=name) == ["first"]
    assert world.check("E", 5, target="tuning", cluster="kubernetes_default") == ["still_firing"]
    assert world.check("O", 30, target="tuning", cluster="kubernetes_default") == ["resolved"]
    assert world.check("E", 60, target="tuning", cluster="kubernetes_default") == ["first"]
    announced = [notice.items[0].incident_id for _, notice in world.sent]
    assert (announced[0] == announced[1], announced[1] == announced[2]) == (True, False)


def test_a_run_that_plans_again_says_the_same_and_nothing_that_was_sent() -> None:
    """A cleared or retried task."""
    world = World()
    world.records.append(record("E", 0))
    assert world.run(0, deliver=False, run_id="run") == ["first"]
    first = group(world.decisions(1, deliver=False, run_id="run"), at(1), "run", dry_run=False)[0][0]
    again = group(world.decisions(2, deliver=True, run_id="run"), at(2), "run", dry_run=False)[0][0]
    assert (first.id, first.items[0].decision) == (again.id, "first")
    assert world.run(3, run_id="run") == ["already_sent_this_run"]


def test_a_notice_that_another_run_has_just_planned_is_left_to_it() -> None:
    """Two DAGs that see one incident at the same time announce it once; one that died does not keep it indefinitely."""
    world = World()
    world.records.append(record("E", 0))
    assert world.run(0, deliver=False) == ["first"]
    assert world.run(1, deliver=False) == ["in_flight"]
    assert world.run(CLAIM_SECONDS / 60) == ["owed"]


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    world = World()
    assert world.check("E", 7 * 24 * 60) == ["first"]
    assert world.check("E", 0) == ["repeat_due"]
    assert world.check("E", 5) == ["still_firing"]
    assert world.check("O", 10) == ["holding"]
    assert world.check("O", 15) == ["resolved"]


def test_what_was_only_shown_was_announced_to_nobody() -> None:
    """A real run after dry runs announces; a dry run after a dry run simulates that it would not."""
    world = World()
    world.check("E", 0)
    dry = [replace(line, dry_run=True) for line in world.lines]
    dry = [replace(line, outcome="dry_run") if line.outcome == "sent" else line for line in dry]
    assert state_of(dry).incidents == {}
    (facts,) = state_of(dry, dry_run=True).incidents.values()
    assert facts.channels["team", "console"].notified_at == at(0)


def test_incidents_of_one_group_are_one_message() -> None:
    """Forty Jobs with one cause are "37 of 200: image_pull", over all targets of the group."""
    world = World(ONE_CHANNEL.replace("repeat_interval: 2h", "group_by: [namespace]"))
    world.records = [
        record("E", 0, {"image_pull": 30}, selector="app=a"),
        record("E", 0, {"image_pull": 7, "oom_killed": 1}, failing=8, selector="app=b"),
        record("W", 0, {"pending": 1}, namespace="other"),
    ]
    world.run(0)
    assert sorted(len(notice.items) for _, notice in world.sent) == [1, 2]
    message = next(notice for _, notice in world.sent if len(notice.items) == 2)
    assert message.title == "🚨 K8s Alert: CRITICAL – 2 incidents in trading-bots"
    assert "**Causes:** 37 of 58: image_pull; 1 of 58: oom_killed" in message.text


def test_the_pipelines_own_failure_is_critical_and_resolved_when_it_is_said_so() -> None:
    """Nobody who is silent about it resolves it."""
    world = World("route: {receiver: team}\nreceivers: [{name: team, channels: [{type: console}]}]")
    state = LedgerState()

    def run(number: int, *observations: object) -> list[str]:
        from k8s_tuning.alerts.decide import decide

        found = decide(world.config, list(observations), state, at(number), f"run-{number}")  # type: ignore[arg-type]
        notices, lines = group(found, at(number), f"run-{number}", dry_run=False)
        for line in lines:
            state.add(line)
            if line.outcome == "owed":
                state.add(replace(line, outcome="sent"))
        for notice in notices:
            world.sent.append((at(number), notice))
        return [one.reason for one in found]

    broke = own_failure("stage_broke", "k8s_tuning_pipeline", "apply_jobs failed", at(0))
    assert run(0, broke) == ["first"]
    assert run(5) == []
    assert run(10, own_failure("stage_broke", "k8s_tuning_pipeline", "again", at(10))) == ["still_firing"]
    repaired = own_failure("stage_broke", "k8s_tuning_pipeline", "", at(15), failing=False)
    assert run(15, repaired) == ["resolved"]
    first, resolved = (notice for _, notice in world.sent)
    assert first.severity is IncidentSeverity.CRITICAL
    assert first.title == "🚨 Pipeline Alert: CRITICAL – k8s_tuning_pipeline"
    assert "apply_jobs failed" in first.text
    assert resolved.title == "✅ Pipeline Alert: RESOLVED – k8s_tuning_pipeline"
    with pytest.raises(InputError, match="stage_broke"):
        own_failure("bored", "dag", "", at(0))


def test_a_observation_is_of_the_newest_record_with_the_incidents_first() -> None:
    one = observation([record("O", 0), record("W", 5), record("E", 10)])
    assert one.incident is not None
    assert (one.incident.started_at, one.incident.severity, one.at) == (at(5), "CRITICAL", at(10))
    assert observe_records([record("O", 0)], [], [], at(1)).incident is None
