"""What an observation makes of the incident that the ledger has: it lasts, is quiet, or is over."""

from __future__ import annotations

import pytest
from tests.alerts.observations import NAMESPACE, SELECTOR, World, at, observation, record

from k8s_tuning.alerts.incident_update import NO_LONGER_WATCHED, begun, follow, unseen
from k8s_tuning.alerts.ledger_state import IncidentState
from k8s_tuning.alerts.observation import no_longer_watched, own_failure

HOLD = 600.0


def known() -> IncidentState:
    """In ERROR since minute 0, followed up to minute 5."""
    world = World()
    world.check("E", 0)
    world.check("E", 5)
    (found,) = world.state().incidents.values()
    return found


@pytest.mark.parametrize(
    ("checks", "is_open", "over_at", "quiet_seconds"),
    [
        ("E0 E5 E10", True, "", 0),
        ("E0 E5 O10", True, "", 300),
        ("E0 E5 O10 O14", True, "", 540),
        ("E0 E5 O10 O15", False, at(15), 600),
        ("E0 E5 O10 E14 O20", True, "", 360),
        ("E0 E5 O15 E20", False, at(15), 0),
        ("E0 O10 O20", False, at(20), 900),
        ("O6 O12 O18", False, at(18), 780),
        ("E0 E5 O1 O2", True, "", 60),
    ],
    ids=[
        "fails on", "quiet", "quiet, not long enough", "over", "fails again", "over and begun anew",
        "the record followed last is gone", "every record followed is gone", "the clock was set back",
    ],
)  # fmt: skip
def test_an_incident_is_over_once_no_check_has_failed_for_the_hold_time(
    checks: str, is_open: bool, over_at: str, quiet_seconds: float
) -> None:
    records = [record(step[0], int(step[1:])) for step in checks.split()]
    update = follow(known(), observation(records), HOLD)
    assert (update.is_open, update.over_at, update.quiet_seconds) == (is_open, over_at, quiet_seconds)
    assert update.record_at == records[-1].timestamp


def test_while_it_lasts_it_keeps_its_id_and_start_and_its_quiet_part_what_the_ledger_kept() -> None:
    kept = known()
    worse = follow(kept, observation([record("E", 0), record("E", 5), record("E", 10, {"oom_killed": 4})]), HOLD)
    assert (worse.incident.id, worse.incident.started_at, worse.failing_jobs) == (kept.id, at(0), 4)
    quiet = follow(kept, observation([record("E", 0), record("E", 5), record("O", 10)]), HOLD)
    assert (quiet.incident.id, quiet.incident.reasons) == (kept.id, {"image_pull": 1})
    assert unseen(kept).incident == quiet.incident


def test_one_that_nobody_checks_any_more_is_over_and_says_so() -> None:
    update = follow(known(), no_longer_watched(known(), at(7)), HOLD)
    assert (update.is_open, update.over_at, update.why) == (False, at(7), NO_LONGER_WATCHED)


def test_the_pipelines_own_failure_has_no_hold_time() -> None:
    failing, fine = (
        own_failure("stage_broke", "dag", "it broke", at(9), failing=is_failing) for is_failing in (True, False)
    )
    assert follow(known(), failing, HOLD).is_open
    assert follow(known(), fine, HOLD).over_at == at(9)


def test_a_new_incident_on_the_start_of_one_that_is_still_pending_gets_an_id_of_its_own() -> None:
    one = observation([record("E", 0)])
    assert one.incident is not None
    plain, again = (begun(one.incident, one, taken=taken, run_id="run-2") for taken in (False, True))
    assert plain.incident.id == one.incident.id != again.incident.id
    assert (plain.known, plain.record_at, plain.severity) == (None, at(0), one.incident.severity)
    assert (again.incident.namespace, again.incident.selector) == (NAMESPACE, SELECTOR)
