"""Today's configuration over the recorded history."""

from __future__ import annotations

from dataclasses import replace

from tests.alerts.observations import ONE_CHANNEL, at, record

from k8s_tuning.alerts.config import parse_config
from k8s_tuning.alerts.replay import replay

WEEK = [
    record("O", 0),
    record("E", 5),
    record("E", 10),
    record("E", 130),
    record("O", 200),
    record("W", 300),
    record("O", 320),
]


def test_the_messages_of_the_past_are_listed_with_their_reasons() -> None:
    result = replay(parse_config(ONE_CHANNEL), WEEK, at(-1))
    assert [(notice.at, notice.status, notice.decisions) for notice in result.notices] == [
        (at(5), "firing", {"first": 1}),
        (at(130), "firing", {"repeat_due": 1}),
        (at(200), "resolved", {"resolved": 1}),
        (at(300), "firing", {"first": 1}),
        (at(320), "resolved", {"resolved": 1}),
    ]
    assert result.decisions == {"first": 2, "resolved": 2, "still_firing": 1, "repeat_due": 1}
    assert result.records == 7


def test_another_threshold_shows_before_it_is_live() -> None:
    critical_only = ONE_CHANNEL.replace("{type: console}", "{type: console, min_severity: CRITICAL}")
    result = replay(parse_config(critical_only), WEEK, at(-1))
    assert len(result.notices) == 3
    assert result.decisions["below_severity"] == 1


def test_an_incident_from_before_keeps_its_id() -> None:
    """Only what is since then is reported, but the incident began when it began."""
    everything = replay(parse_config(ONE_CHANNEL), WEEK, at(-1))
    later = replay(parse_config(ONE_CHANNEL), WEEK, at(100))
    assert later.notices[0].at == at(130)
    assert later.notices[0].incidents == everything.notices[0].incidents


def test_one_run_of_many_targets_is_decided_together() -> None:
    config = parse_config(ONE_CHANNEL.replace("repeat_interval: 2h", "group_by: [namespace]"))
    records = [replace(record("E", 0, selector=f"app=a{number}"), run_id="run-1") for number in range(3)]
    (notice,) = replay(config, records, at(-1)).notices
    assert len(notice.incidents) == 3
