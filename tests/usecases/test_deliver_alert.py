"""Delivering several notices: each to its channel, one that fails holding up none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.servers import recording_server, status

from k8s_tuning.alerts import ChannelSecret, Ledger, own_failure, smoke_notices
from k8s_tuning.alerts.config import AlertingConfig, parse_config
from k8s_tuning.usecases.deliver_alert import announce, deliver_all

AT = "2025-11-16T10:00:00Z"
TWO = """
route: {receiver: team}
receivers:
  - name: team
    channels:
      - {name: first, type: generic_webhook, connection: one}
      - {name: second, type: generic_webhook, connection: two}
"""


def test_each_notice_goes_to_its_channel_and_the_outcomes_come_in_their_order(tmp_path: Path) -> None:
    config, ledger = parse_config(TWO), Ledger(tmp_path / "ledger.jsonl")
    notices = smoke_notices(config, "team", "hello", AT, "d/r")
    with recording_server(status(404)) as bad, recording_server() as good:
        urls = {"one": bad.url, "two": good.url}
        outcomes = deliver_all(config, notices, lambda name: ChannelSecret(url=urls[name]), ledger, dry_run=False)
    assert [(one.channel, one.outcome) for one in outcomes] == [("first", "failed"), ("second", "sent")]
    assert (len(bad.calls), len(good.calls)) == (1, 1)


def test_a_channel_that_hangs_holds_up_no_other() -> None:
    """Each asks for its secret at the same time as the other: one after the other, neither would go on."""
    both = threading.Barrier(2, timeout=20)

    def resolve(_: str) -> ChannelSecret:
        both.wait()
        return ChannelSecret(url=server.url)

    config = parse_config(TWO)
    with recording_server() as server:
        outcomes = deliver_all(config, smoke_notices(config, "team", "x", AT, "r"), resolve, None, dry_run=False)
    assert [one.outcome for one in outcomes] == ["sent", "sent"]


@pytest.mark.parametrize(("failing", "outcomes"), [(True, ["dry_run"]), (False, [])], ids=["failing", "nothing ends"])
def test_what_a_run_reports_of_itself_is_planned_and_delivered_at_once(
    failing: bool, outcomes: list[str], tmp_path: Path
) -> None:
    observation = own_failure("stage_broke", "dag", "stage x broke", AT, failing=failing)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    done = announce(
        AlertingConfig.webhook("console"), observation, ledger, "d/r", lambda _: ChannelSecret(), dry_run=True
    )
    assert [one.outcome for one in done] == outcomes
