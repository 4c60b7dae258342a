"""The scenario file: which rule decides, and what is said of a file that is wrong."""

import os
from pathlib import Path

import pytest

from k8s_tuning.errors import ConfigError
from k8s_tuning_sandbox.scenario import Fault, Scenario
from k8s_tuning_sandbox.tables import duration


def written(path: Path, text: str) -> Scenario:
    path.write_text(text)
    scenario = Scenario(path)
    scenario.refresh()
    return scenario


def test_the_first_rule_that_matches_the_job_or_the_pod_decides(tmp_path: Path) -> None:
    scenario = written(
        tmp_path / "s.yaml",
        "default: {seconds: 5}\n"
        "outcomes:\n"
        "- {match: 'arb-*-2', outcome: oom, seconds: 1}\n"
        "- {match: 'arb-*', outcome: fail}\n"
        "- {match: 'lonely', outcome: hang}\n",
    )
    assert scenario.outcome("arb-tuning-2", "arb-tuning-2-xyz") == {
        "match": "arb-*-2",
        "outcome": "oom",
        "seconds": 1,
    }
    assert scenario.outcome("arb-tuning-1", "p") == {"match": "arb-*", "outcome": "fail", "seconds": 5}
    assert scenario.outcome("", "lonely")["outcome"] == "hang"
    assert scenario.outcome("other", "other-1") == {"outcome": "succeed", "seconds": 5}


def test_a_changed_file_is_read_again_and_a_broken_one_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    scenario = written(path, "outcomes: [{outcome: oom}]")
    path.write_text("outcomes: [{outcome: hang}]")
    assert scenario.outcome("j", "p")["outcome"] == "hang"
    path.write_text("outcomes: [{outcome: oom")
    assert scenario.outcome("j", "p")["outcome"] == "hang"
    path.unlink()
    assert scenario.outcome("j", "p")["outcome"] == "hang"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("outcomes: [{outcome: explode}]", "unknown outcome 'explode'; known are config-error, crashloop"),
        ("outcomes: [{outcom: oom}]", "outcomes: unknown key 'outcom'; known are cpu"),
        ("outcomes: {match: a}", "`outcomes` must be a list"),
        ("- a", "expected `outcomes:`"),
        ("faults: [{answer: shout}]", "unknown answer 'shout'; known are drop, hang, html, status, torn"),
        ("outcomes: [a, ]]", "line 1: not YAML"),
        ("metrics: no", "metrics: 'no' is none of true, false"),
        ("default: [1]", "default: expected an outcome"),
        ("outcomes: [{match: 5}]", "match: 5 is not a text; put it in quotes"),
        ("outcomes: [{match: a, outcome: [oom]}]", "outcome: ['oom'] is not a text"),
        ("outcomes: [{match: a, seconds: 12:30}]", "seconds: '12:30' is not a number"),
        ("faults: [{times: no}]", "times: 'no' is not a whole number"),
        ("faults: [{status: true}]", "status: True is not a whole number"),
    ],
)
def test_a_file_that_is_wrong_names_itself_and_the_cure(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path / "s.yaml", text)
    assert says in str(caught.value)
    assert str(tmp_path / "s.yaml") in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").touch(mode=0)
    with pytest.raises(ConfigError, match="Permission denied"):
        Scenario(tmp_path / "s.yaml").refresh()


def test_a_fault_is_used_up_by_the_requests_that_it_takes() -> None:
    fault = Fault(path="/apis/*", method="GET", times=2)
    assert not fault.matches("POST", "/apis/batch/v1/jobs", "")
    assert not fault.matches("GET", "/api/v1/pods", "")
    assert [fault.matches("GET", "/apis/batch/v1/jobs", "") for _ in range(3)] == [True, True, False]
    assert Fault(path="*continue=*", times=None).matches("GET", "/apis/batch/v1/jobs", "limit=5&continue=abc")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (3600, "60m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (50 * 3600, "2d2h"),
        (9 * 86400, "9d"),
    ],
)
def test_durations_are_shown_as_kubectl_shows_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
