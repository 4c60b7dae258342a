"""Where an alert goes, by `amtool config routes test`, and that dev and production hold nothing of each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "include/kubernetes/overlays"
ENVIRONMENTS = ("dev", "staging", "production")
NAMESPACES = {
    "dev": ("trading-bots-dev", "monitoring-dev", "kube-system"),
    "staging": ("trading-bots-staging", "monitoring-staging", "kube-system"),
    "production": ("trading-bots-prod", "trading-bots", "monitoring-prod", "kube-system"),
}
PAGED = {"dev": "slack-alerts-dev", "staging": "slack-alerts-staging", "production": "pagerduty-production"}

# (environment, labels, receiver)
TABLE = [
    (environment, {"alertname": "A", "service": "s", "namespace": namespace, **severity}, receiver)
    for environment in ENVIRONMENTS
    for namespace in NAMESPACES[environment]
    for severity, receiver in (
        ({"severity": "critical"}, PAGED[environment]),
        ({"severity": "warning"}, f"slack-alerts-{environment}"),
        ({"severity": "info"}, f"slack-alerts-{environment}"),
        ({"severity": "none"}, f"slack-low-{environment}"),
        ({}, f"slack-low-{environment}"),
    )
] + [
    ("dev", {"alertname": "A", "namespace": "trading-bots-prod", "severity": "critical"}, "null"),
    ("dev", {"alertname": "A", "namespace": "trading-bots", "severity": "critical"}, "null"),
    ("production", {"alertname": "A", "namespace": "trading-bots-dev", "severity": "critical"}, "null"),
    ("production", {"alertname": "A", "namespace": "my-trading-bots", "severity": "critical"}, "null"),
    ("staging", {"alertname": "A", "namespace": "trading-bots-dev", "severity": "critical"}, "null"),
    ("dev", {"alertname": "A", "severity": "critical"}, "null"),
    ("dev", {"alertname": "Watchdog", "namespace": "monitoring-dev", "severity": "info"}, "null"),
    ("production", {"alertname": "Watchdog", "namespace": "monitoring-prod", "severity": "critical"}, "null"),
]


def config_file(environment: str) -> Path:
    return OVERLAYS / environment / "generated/alertmanager.yaml"


def config(environment: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(config_file(environment).read_text())
    return loaded


def _amtool(*arguments: str) -> str:
    if not shutil.which("amtool"):
        pytest.skip("amtool is missing: apt-get install prometheus-alertmanager")
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.servers
@pytest.mark.parametrize("environment", [*ENVIRONMENTS, "compose"])
def test_alertmanager_accepts_the_configuration_and_its_templates(tmp_path: Path, environment: str) -> None:
    """amtool reads the configuration and parses the templates beside it."""
    compose = ROOT / "include/compose/alertmanager"
    text = (compose / "alertmanager.yaml" if environment == "compose" else config_file(environment)).read_text()
    (tmp_path / "alertmanager.yaml").write_text(text.replace("/etc/alertmanager/config", str(tmp_path)))
    shutil.copy(compose / "k8s-tuning.tmpl", tmp_path)
    report = _amtool("check-config", str(tmp_path / "alertmanager.yaml"))
    assert "1 templates" in report
    assert str(tmp_path) in report
    assert "FAILED" not in report


@pytest.mark.servers
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_alert_takes_the_route_of_the_table(environment: str) -> None:
    """amtool says the receiver of each label set; exactly one each."""
    for wanted_environment, labels, receiver in TABLE:
        if wanted_environment == environment:
            pairs = [f"{name}={value}" for name, value in labels.items()]
            got = _amtool("config", "routes", "test", f"--config.file={config_file(environment)}", *pairs).split()
            assert got == [receiver], labels


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_waits_and_repeats_are_the_contracts(environment: str) -> None:
    """A page at once, Slack after 30 s, repeats every 2 h, the catch-all every 12 h, groups every 5 m."""
    root = config(environment)["route"]
    assert (root["receiver"], root["group_by"]) == ("null", ["alertname", "service", "namespace"])
    assert root["group_interval"] == "5m"
    watchdog, home = root["routes"]
    assert (watchdog["receiver"], watchdog["matchers"]) == ("null", ['alertname="Watchdog"'])
    assert home["repeat_interval"] == "12h"
    critical, warning, info = home["routes"]
    assert (critical["group_wait"], critical["repeat_interval"], critical["continue"]) == ("0s", "2h", False)
    for slack in (warning, info):
        assert (slack["group_wait"], slack["repeat_interval"]) == ("30s", "2h")
    assert info["mute_time_intervals"] == ["outside-business-hours"]
    intervals = config(environment)["time_intervals"][0]["time_intervals"]
    assert {interval["location"] for interval in intervals} == {"Asia/Seoul"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_critical_alert_mutes_its_own_lesser_ones_alone(environment: str) -> None:
    """Equal alertname, service, namespace and, where they have one, target: another cluster's is another's."""
    (rule,) = config(environment)["inhibit_rules"]
    assert rule["source_matchers"] == ['severity="critical"']
    assert rule["target_matchers"] == ['severity=~"warning|info"']
    assert rule["equal"] == ["alertname", "service", "namespace", "target"]


def test_nothing_of_one_environment_is_in_another() -> None:
    """Receivers, channels, stores and namespaces are each environment's own; kube-system is every cluster's."""
    names = {"dev": r"\bdev\b|-dev", "staging": r"staging", "production": r"\bprod\b|production|-prod"}
    for environment in ENVIRONMENTS:
        text = "".join(path.read_text() for path in (OVERLAYS / environment).rglob("*.yaml"))
        for other, pattern in names.items():
            if other != environment:
                # A label's value in a comment or a link may name the repository's folders, no environment.
                assert not re.search(pattern, text), f"{environment} mentions {other}"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_secrets_come_by_file_and_never_by_value(environment: str) -> None:
    """No URL, no key: the two file settings, and what they name is a key of the config Secret."""
    text = config_file(environment).read_text()
    assert not re.search(r"https?://|hooks\.slack|routing_key:|api_url:", text)
    files = re.findall(r"(?:api_url_file|routing_key_file): /etc/alertmanager/config/(\S+)", text)
    keys = ["slack-alerts-url", "slack-low-url"] + (["pagerduty-routing-key"] if environment == "production" else [])
    assert files == keys
    assert all(
        slack["send_resolved"]
        for receiver in config(environment)["receivers"]
        for slack in receiver.get("slack_configs", [])
    )


def test_templates_use_only_functions_that_alertmanager_has() -> None:
    """Helm's and Sprig's functions are unknown to Alertmanager, which then sends nothing at all."""
    text = (ROOT / "include/kubernetes/source/k8s-tuning.tmpl").read_text()
    text += "".join(config_file(environment).read_text() for environment in ENVIRONMENTS)
    actions = " ".join(re.findall(r"{{(?!/\*)(.*?)}}", text))
    words = set(re.findall(r"(?<![.\w$\"])([a-z][A-Za-z]+)", re.sub(r'"[^"]*"', "", actions)))
    own = {"toUpper", "toLower", "title", "join", "match", "safeHtml", "reReplaceAll", "stringSlice"}
    builtin = {"and", "or", "not", "len", "index", "print", "printf", "println", "eq", "ne", "lt", "le", "gt", "ge"}
    keywords = {"define", "template", "range", "if", "else", "end", "with", "block"}
    assert words <= own | builtin | keywords
