"""alerting.yaml: what it gives, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.alerts.config import load_config, parse_config, parse_duration
from k8s_tuning.alerts.route import match
from k8s_tuning.errors import ConfigError, InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity

ROOT = Path(__file__).parents[2]


def _one_channel(channel: str) -> str:
    return f"route: {{receiver: a}}\nreceivers: [{{name: a, channels: [{channel}]}}]"


GOOD = """\
hold: 5m
route:
  receiver: team
  group_by: [namespace]
  repeat_interval: 4h
  routes:
    - matchers: ['severity="CRITICAL"', namespace=~"prod-.*"]
      receiver: pager
      continue: true
      mute_time_intervals: [night]
      routes:
        - matchers: [reason="oom_killed"]
          repeat_interval: 30m
receivers:
  - name: team
    channels:
      - type: console
      - {type: slack_api, connection: slack, channel: '#alerts', min_severity: WARN, send_resolved: false}
  - name: pager
    channels: [{type: pagerduty, name: duty, connection: pd, timeout_seconds: 10}]
  - name: 'null'
time_intervals:
  - name: night
    time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}], location: Asia/Seoul}]
"""


def test_the_file_is_read_with_what_routes_inherit() -> None:
    """Receiver, grouping and repeat come from above; mute windows do not (as in Alertmanager)."""
    config = parse_config(GOOD)
    assert config.hold_seconds == 300
    (pager,) = config.route.routes
    (oom,) = pager.routes
    assert (pager.receiver, pager.continues, pager.mute, pager.group_by) == ("pager", True, ("night",), ("namespace",))
    assert (oom.receiver, oom.repeat_seconds, oom.mute, oom.line) == ("pager", 1800, (), 12)
    console, slack = config.receivers["team"].channels
    assert (console.name, console.connection, console.min_severity) == ("console", None, IncidentSeverity.INFO)
    assert (slack.name, slack.send_resolved, slack.min_severity, slack.options) == (
        "slack_api",
        False,
        IncidentSeverity.WARN,
        {"channel": "#alerts"},
    )
    assert config.channel("pager", "duty") == config.receivers["pager"].channels[0]
    assert config.channel("pager", "gone") is None
    assert config.receivers["null"].channels == ()


MISTAKES = [
    ("receiver: pager", "receiver: nobody", 8, "unknown receiver 'nobody'; known are team, pager, null"),
    ('namespace=~"prod-.*"', 'namespace=~"prod-("', 7, "does not compile"),
    ('severity="CRITICAL"', 'severity="critical"', 7, "can never match.*CRITICAL"),
    ('severity="CRITICAL"', 'severity="WARN", severity="INFO"', 7, "can never match"),
    ('reason="oom_killed"', 'reason="oomkilled"', 12, "can never match.*oom_killed"),
    ('reason="oom_killed"', 'severity="INFO"', 12, "can never match"),
    ("[night]", "[nacht]", 10, "unknown time interval 'nacht'"),
    ("type: console", "type: pager", 17, "unknown channel type 'pager'; known are console, slack_webhook"),
    ("min_severity: WARN", "min_severity: warning", 18, "none of INFO, WARN, CRITICAL"),
    ("send_resolved: false", "send_resolved: 'no'", 18, "neither true nor false"),
    ("channel: '#alerts', ", "", 18, "needs `channel`"),
    ("connection: slack, ", "", 18, "`connection` is missing"),
    ("connection: pd, ", "conection: pd, ", 20, "unknown key 'conection'"),
    ("timeout_seconds: 10", "timeout_seconds: 0", 20, "above 0"),
    ("timeout_seconds: 10", "timeout_seconds: true", 20, "above 0"),
    ("name: pager\n", "name: team\n", 19, "there twice"),
    ("- name: 'null'", "- name: null", 21, "write 'null' in quotes"),
    ("hold: 5m", "hold: soon", 1, "not a duration"),
    ("repeat_interval: 4h", "repeat_interval: 0s", 5, "above 0"),
    ("continue: true", "continue: 'yes'", 9, "neither true nor false"),
    ("Asia/Seoul", "Asia/Soul", 24, "not a time zone"),
    ("hold: 5m", "hold: 5m\nhold: 6m", 2, "there twice"),
    ("hold: 5m", "silence: 5m", 1, "unknown key 'silence'"),
    ("  group_by: [namespace]", "  matchers: [a=b]", 4, "topmost route"),
    ("receivers:", "receiver:", 14, "unknown key 'receiver'"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), MISTAKES, ids=[f"{new}"[:40] for _, new, _, _ in MISTAKES])
def test_a_mistake_is_refused_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=rf"(?s)^alerting.yaml, line {line}: .*{words}"):
        parse_config(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("routes", "line"),
    [
        ("[{receiver: b}, {receiver: a, matchers: [x=y]}]", 2),
        ("[{receiver: b, matchers: ['x=~\"y|z\"']}, {receiver: a, matchers: [x=y, z=u]}]", 2),
        (
            (
                "[{receiver: b, matchers: ['severity=~\"CRITICAL|WARN\"']}, "
                "{receiver: b, matchers: [severity=INFO]}, {receiver: a, matchers: [x=y]}]"
            ),
            2,
        ),
    ],
    ids=["after one that takes all", "after a wider one", "after several that take all together"],
)
def test_a_route_behind_one_that_takes_everything_is_refused(routes: str, line: int) -> None:
    """Unless the earlier ones continue."""
    text = f"route:\n  {{receiver: a, routes: {routes}}}\nreceivers: [{{name: a}}, {{name: b}}]\n"
    with pytest.raises(ConfigError, match=f"line {line}: .*can never match: .*before it takes all"):
        parse_config(text)
    parse_config(text.replace("receiver: b", "receiver: b, continue: true"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "top level"),
        ("- a", "top level"),
        ("route: {receiver: a}", "`receivers` is missing"),
        ("receivers: [{name: a}]", "`route` is missing"),
        ("route: [a]\nreceivers: [{name: a}]", "expected `key: value`"),
        ("route: {receiver: a}\nreceivers: {name: a}", "expected a list"),
        ("route: {receiver: 5}\nreceivers: [{name: a}]", "expected a text"),
        ("a: &x [1]\nb: &y [" + "*x, " * 1000 + "]\nc: [" + "*y, " * 1000 + "]", "aliases"),
        ("route: {receiver: a", "not YAML"),
        ("1: 2", "the key is not a text"),
        (
            _one_channel("{type: email, connection: c, from: me, to: [x@y.z]}"),
            "'me' is not an e-mail address",
        ),
        (
            _one_channel("{type: email, connection: c, from: a@b.c, to: []}"),
            "`to` is empty",
        ),
        (_one_channel("{type: email, connection: c, from: 'a@b.c, d@e.f', to: x@y.z}"), "`from` has 2 addresses"),
        (_one_channel("{type: email, connection: c, from: a@b.c, to: 'x@y.z; v@w.z'}"), "is not an e-mail address"),
        (_one_channel("{type: email, connection: c, from: a@b.c, to: [[x@y.z]]}"), "takes texts"),
        (_one_channel("{type: email, connection: c, from: a@b.c, to: {x: y}}"), "not a list or a text"),
        (_one_channel("{type: email, connection: c, from: a@b.c, to: ''}"), "not a list or a text"),
        ("route: {receiver: a}\nreceivers: [{name: a, channels: [{type: console}, {type: console}]}]", "`name`"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(text)


@given(st.text(max_size=60))
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_config(text + "\n: [")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"alerting\.yaml: No such file"):
        load_config(tmp_path / "alerting.yaml")


def test_the_file_in_the_repository_keeps_dev_and_production_apart() -> None:
    """Critical production alerts page; no alert of a dev namespace ever reaches a production receiver."""
    config = load_config(ROOT / "include/configs/alerting.yaml")
    severities = list(IncidentSeverity)
    for severity in severities:
        for namespace in ("bots-dev", "monitoring-dev", "kube-system"):
            (route,) = match(config.route, {"namespace": namespace, "severity": severity, "source": "health"})
            assert route.receiver == "slack-dev"
    (route,) = match(config.route, {"namespace": "trading-bots", "severity": "CRITICAL"})
    assert route.receiver == "on-call"
    connections = {
        name: {channel.connection for channel in receiver.channels} for name, receiver in config.receivers.items()
    }
    assert not connections["slack-dev"] & (connections["slack-production"] | connections["on-call"])


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("1h30m", 5400), ("1w2d", 777_600), ("0", 0), ("0s", 0)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "-1h", "1.5h", "1m1h", "h", 5, None, True])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="not a duration"):
        parse_duration(text)
