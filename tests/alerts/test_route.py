"""The routing tree: the choice is Alertmanager's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alerts.figures import FIGURES
from tests.alerts.observations import incident
from tests.profiles import examples

from k8s_tuning.alerts.config import parse_config
from k8s_tuning.alerts.route import explain, group_key, labels_of, match, never_matches, selector_labels
from k8s_tuning.errors import ConfigError

TREE = parse_config(
    """
route:
  receiver: root
  routes:
    - {matchers: [a=x], receiver: one, continue: true}
    - matchers: [a=~"x|y"]
      receiver: two
      routes:
        - {matchers: [b=u], receiver: three, continue: true}
        - {matchers: [b=~"u|v"], receiver: four}
    - {matchers: [c=z], receiver: five}
receivers: [{name: root}, {name: one}, {name: two}, {name: three}, {name: four}, {name: five}]
"""
)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({}, ["root"]),
        ({"a": "x"}, ["one", "two"]),
        ({"a": "y"}, ["two"]),
        ({"a": "y", "b": "u"}, ["three", "four"]),
        ({"a": "x", "b": "v"}, ["one", "four"]),
        ({"a": "x", "c": "z"}, ["one", "two"]),
        ({"c": "z"}, ["five"]),
    ],
)
def test_the_deepest_fitting_routes_take_an_alert(labels: dict[str, str], receivers: list[str]) -> None:
    assert [route.receiver for route in match(TREE.route, labels)] == receivers


def test_every_step_of_the_choice_is_explained() -> None:
    steps = explain(TREE.route, {"a": "y", "b": "v"})
    assert [(step.receiver, step.taken) for step in steps] == [
        ("root", False),
        ("one", False),
        ("two", False),
        ("three", False),
        ("four", True),
    ]
    assert steps[1].why == "a=\"x\" does not fit a='y'"
    assert steps[1].line == 5


def test_an_incident_has_its_selectors_labels_and_its_own_over_them() -> None:
    """A selector that selects by `namespace` cannot pretend to be another namespace."""
    one = incident(
        selector="app=bots,namespace=other,session_id in (s1),tier!=x,!y,z in (a,b)",
        reasons={"oom_killed": 1, "image_pull": 2},
    )
    labels = labels_of(one, "health")
    assert labels == {
        "app": "bots",
        "session_id": "s1",
        "namespace": "trading-bots",
        "severity": "CRITICAL",
        "source": "health",
        "target": "bots",
        "reason": ["image_pull", "oom_killed"],
    }


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ("a==b, c = d", {"a": "b", "c": "d"}),
        ("app.kubernetes.io/name=x", {"app.kubernetes.io/name": "x"}),
        ("a in (b),c notin (d),e,!f,g!=h,i in (j,k)", {"a": "b"}),
        ("a=", {"a": ""}),
    ],
)
def test_only_what_a_selector_surely_says_becomes_a_label(selector: str, labels: dict[str, str]) -> None:
    assert selector_labels(selector) == labels


def test_alerts_are_grouped_by_the_labels_that_the_route_names() -> None:
    config = parse_config("route: {receiver: a, group_by: [namespace, reason]}\nreceivers: [{name: a}]")
    key = group_key(config.route, {"namespace": "n", "reason": ["x", "y"], "target": "t1"})
    assert key == group_key(config.route, {"namespace": "n", "reason": ["x", "y"], "target": "t2"})
    assert key != group_key(config.route, {"namespace": "n", "reason": ["x"], "target": "t1"})
    alone = parse_config("route: {receiver: a, group_by: ['...']}\nreceivers: [{name: a}]")
    assert group_key(alone.route, {}) is None


# --- as `amtool config routes test` has it ------------------------------------------------------------------------

NAMES = ["severity", "namespace", "app", "target"]
VALUES = {
    "severity": ["CRITICAL", "WARN", "INFO"],
    "namespace": ["prod-a", "prod-b", "dev", "한국"],
    "app": ["bots", "web"],
    "target": ["t1", ""],
}
EXPRESSIONS = ["prod-.*", "CRITICAL|WARN", ".+", ".*", "[a-z]+", "(?i)critical", "", "한.*"]


@st.composite
def matcher_text(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(NAMES))
    operator = draw(st.sampled_from(["=", "!=", "=~", "!~"]))
    value = draw(st.sampled_from(VALUES[name] if len(operator) == 1 or operator == "!=" else EXPRESSIONS))
    return f'{name}{operator}"{value}"'


def routes(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    children = st.lists(routes(depth - 1), max_size=3) if depth else st.just([])
    return st.fixed_dictionaries(
        {
            "receiver": st.sampled_from(["a", "b", "c", "d"]),
            "matchers": st.lists(matcher_text(), max_size=2),
            "continue": st.booleans(),
            "routes": children,
        }
    )


LABELS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})


@pytest.mark.servers
@settings(max_examples=examples(15))
@given(tree=st.lists(routes(2), min_size=1, max_size=3), labels=st.lists(LABELS, min_size=1, max_size=4))
def test_the_choice_equals_alertmanagers(
    tmp_path_factory: pytest.TempPathFactory, tree: list[dict[str, Any]], labels: list[dict[str, str]]
) -> None:
    """For any tree that both can express, our receivers are those that amtool names, in its order."""
    if not shutil.which("amtool"):
        pytest.skip("amtool is missing: apt-get install prometheus-alertmanager")
    receivers = [{"name": name} for name in ("root", "a", "b", "c", "d")]
    whole = {"route": {"receiver": "root", "routes": tree}, "receivers": receivers}
    text = json.dumps(whole, ensure_ascii=False)  # which is YAML, without aliases
    with mock.patch("k8s_tuning.alerts.config.never_matches", return_value=None):
        config = parse_config(text)  # with its dead ends, which must be dead for Alertmanager, too
    dead = never_matches(config.route)
    file = tmp_path_factory.mktemp("routes") / "alertmanager.yaml"
    file.write_text(text)
    for one in labels:
        chosen = match(config.route, one)
        ours = [route.receiver for route in chosen]
        assert dead is None or not any(route is dead[0] for route in chosen), f"{one} reaches {dead}"
        theirs = _amtool(file, one)
        FIGURES["routes compared with amtool"] += 1
        assert ours == theirs, f"{one} in\n{text}"


@pytest.mark.servers
def test_what_we_call_unreachable_amtool_never_reaches(tmp_path: Path) -> None:
    """The trees that are refused at load: no combination of labels ever leads there."""
    if not shutil.which("amtool"):
        pytest.skip("amtool is missing: apt-get install prometheus-alertmanager")
    tree = [
        {"receiver": "a", "matchers": ['severity=~"CRITICAL|WARN"']},
        {"receiver": "b", "matchers": ['severity="INFO"']},
        {"receiver": "dead", "matchers": ['app="bots"']},
    ]
    whole = {"route": {"receiver": "root", "routes": tree}}
    whole["receivers"] = [{"name": name} for name in ("root", "a", "b", "dead")]  # type: ignore[assignment]
    text = yaml.safe_dump(whole)
    with pytest.raises(ConfigError, match="can never match"):
        parse_config(text)
    (tmp_path / "alertmanager.yaml").write_text(text)
    for severity in VALUES["severity"]:
        assert _amtool(tmp_path / "alertmanager.yaml", {"severity": severity, "app": "bots"}) != ["dead"]


def _amtool(file: Path, labels: dict[str, str]) -> list[str]:
    pairs = [f"{name}={value}" for name, value in labels.items() if value]
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={file}", *pairs], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().split(",")
