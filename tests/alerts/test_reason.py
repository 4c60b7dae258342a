"""Reasons and results know what they do; their values stand in ledgers, and none of them is another's."""

from __future__ import annotations

import pytest

from k8s_tuning.alerts import ledger_retention
from k8s_tuning.alerts.reason import ATTEMPTED, DECIDED, Reason, Result

SENDS = f"first repeat_due severity_changed changed {'owed'} resolved test"
WAITS = "still_firing acknowledged holding muted below_severity already_sent_this_run in_flight null_receiver elsewhere"
CLOSES = "over resolve_off receiver_gone"


@pytest.mark.parametrize(
    ("values", "sends", "closes"),
    [(SENDS, True, False), (WAITS, False, False), (CLOSES, False, True)],
    ids=["sends", "waits", "closes"],
)
def test_each_reason_sends_waits_or_closes(values: str, sends: bool, closes: bool) -> None:
    found = [reason.value for reason in Reason if (reason.sends, reason.closes) == (sends, closes)]
    assert sorted(found) == sorted(values.split())


def test_another_versions_reason_is_read_as_pending() -> None:
    assert Reason("because") is Reason.PENDING
    assert f"{Reason('first')}" == "first"


def test_retention_keeps_what_says_who_took_an_incident_and_whose_a_channel_is() -> None:
    """Both wait, and their newest line does not say as much as all of them."""
    assert {reason.value for reason in ledger_retention._IDLE} == set(WAITS.split()) - {"acknowledged", "elsewhere"}


def test_a_result_is_of_a_decision_or_of_an_attempt_and_only_a_failure_leaves_work() -> None:
    assert {*DECIDED, *ATTEMPTED, Result.ALREADY_SENT} == set(Result)
    assert not DECIDED & ATTEMPTED
    assert [result.value for result in Result if not result.ok] == ["failed"]
