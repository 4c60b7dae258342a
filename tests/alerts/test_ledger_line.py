"""A ledger's line: made by decisions and attempts, written by the names that files have, read again as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.alerts.observations import ONE_CHANNEL, World, at, observation, record, state_of

from k8s_tuning import plain_values
from k8s_tuning.alerts.config import parse_config
from k8s_tuning.alerts.decide import decide
from k8s_tuning.alerts.ledger_line import LedgerLine, read_block, read_line
from k8s_tuning.alerts.ledger_state import LedgerState
from k8s_tuning.alerts.notice import Notice, Outcome
from k8s_tuning.alerts.plan import group
from k8s_tuning.alerts.reason import Reason, Result
from k8s_tuning.storage.jsonl import BrokenLines, encode

# As they stand in files that are read for years: none is renamed, and a new one goes to the end.
FIELDS = (
    *("at", "run_id", "incident_id", "namespace", "selector", "target", "started_at", "receiver", "channel"),
    *("decision", "why", "status", "severity", "outcome", "notice_id", "is_open", "dry_run", "attempts", "answer"),
    *("reasons", "ill_jobs", "record_at", "quiet_seconds", "over_at", "source", "ref", "incident", "message"),
    "cluster",
)


def planned() -> tuple[Notice, LedgerLine]:
    seen = observation([record("E", 0, {"image_pull": 3})])
    decisions = decide(parse_config(ONE_CHANNEL), [seen], LedgerState(), at(0), "run-1")
    (notice,), (line,) = group(decisions, at(0), "run-1", dry_run=False)
    return notice, line


def test_a_decision_and_its_attempt_say_the_same_of_the_incident() -> None:
    notice, decided = planned()
    outcome = Outcome(notice.id, notice.receiver, notice.channel, Result.SENT, 1, "ok", at(1))
    attempted = LedgerLine.attempted(notice, notice.items[0], outcome, {"ts": "1"}, dry_run=False)
    assert (decided.outcome, decided.decision, attempted.outcome) == (Result.PENDING, Reason.FIRST, Result.SENT)
    own = {"at", "outcome", "attempts", "answer", "ref", "record_at", "incident"}
    one, two = decided.record(), attempted.record()
    assert {name for name in FIELDS if one[name] != two[name]} == own
    assert one["ill_jobs"] == 3


def test_the_file_has_these_names_in_this_order_and_is_read_as_it_was_written() -> None:
    _, line = planned()
    data = encode(line.record())
    assert list(json.loads(data)) == [*FIELDS, "format"]
    assert read_line(data) == line


def test_what_waits_keeps_the_incident_only_where_it_is_new() -> None:
    world = World()
    world.check("E", 0)
    world.check("E", 5)
    assert [bool(line.incident) for line in world.lines if line.outcome != Result.SENT] == [True, False]


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({"decision": "because"}, True),
        ({"outcome": "vanished"}, True),
        ({"message": 5, "incident": ["x"]}, True),
        ({"ill_jobs": "3"}, True),
        ({"at": "soon"}, False),
        ({"over_at": "soon"}, False),
        ({"severity": "BAD"}, False),
        ({"receiver": None}, False),
    ],
    ids=str,
)
def test_another_versions_words_are_read_and_what_decisions_count_from_must_be_right(
    change: dict[str, object], is_read: bool, tmp_path: Path
) -> None:
    """One rule for decisions, metrics and pages."""
    _, line = planned()
    data = encode(line.record() | change)
    broken = BrokenLines(tmp_path)
    found = list(read_block(b"\n" + data + data, 7, broken))
    assert [(begin, length) for _, begin, length in found] == (
        [(8, len(data) - 1), (8 + len(data), len(data) - 1)] if is_read else []
    )
    assert broken.count == (0 if is_read else 2)
    assert (read_line(data) is not None) == is_read
    if is_read:
        state_of([one for one, _, _ in found])


def test_a_notices_plain_values_keep_the_names_that_xcoms_and_json_have() -> None:
    notice, _ = planned()
    notice = replace(notice, items=[replace(notice.items[0], notified_severity=notice.severity)])
    values = plain_values.dump(notice)
    assert list(values["items"][0])[3:] == ["incident_id", "started_at", "target", "reasons", "told_severity", "ref"]
    assert plain_values.load(Notice, values) == notice
