"""`k8s-tuning alert routes`: which receiver an alert would reach, and why; reads the configuration, sends nothing.

Exit code: 0; 3 where the configuration cannot be used.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any

from k8s_tuning import timestamps
from k8s_tuning.alerts.config import AlertingConfig, load_config
from k8s_tuning.alerts.matchers import DOMAINS, MANY_VALUED
from k8s_tuning.alerts.route import Route, Step, explain, match
from k8s_tuning.cli import flags
from k8s_tuning.cli.alert_sending import add_config
from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity

# What Prometheus' world calls them, so that one list of labels fits both systems.
_ALIASES = {"critical": "CRITICAL", "warning": "WARN", "info": "INFO"}


@dataclass
class Reached:
    """One receiver, its channels in words, and the settings that hold on that way."""

    receiver: str
    route: str
    line: int
    channels: list[str]
    repeat_seconds: float
    group_by: list[str]
    muted_by: str | None


@dataclass
class RoutesResult:
    """What --json prints."""

    labels: dict[str, Any]
    receivers: list[Reached] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("routes", help="which receiver an alert would reach, and why", description=__doc__)
    add_config(parser)
    parser.add_argument(
        "--labels",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="severity, namespace, target, source, reason (may be repeated), and the selector's own labels",
    )
    parser.add_argument("--at", default=None, metavar="TIME", help="for mute windows (default: now)")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    labels = parse_labels(args.labels)
    at = args.at or timestamps.now()
    reached = [_reached(config, route, labels, at) for route in match(config.route, labels)]
    result = RoutesResult(labels, reached, explain(config.route, labels))
    flags.show(args, result, _text(result))
    return 0


def parse_labels(given: list[str]) -> dict[str, str | list[str]]:
    """NAME=VALUE texts as labels; InputError where one is none, or a severity or source that no alert ever has."""
    labels: dict[str, str | list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--labels: {text!r} is not NAME=VALUE")
        if name == "severity":
            value = _ALIASES.get(value, value)
        if name in DOMAINS and value not in DOMAINS[name]:
            known = ", ".join(filter(None, DOMAINS[name]))
            raise InputError(f"--labels: {name}={value!r}: no alert ever has that; known are {known}")
        if name == MANY_VALUED:
            labels[name] = [*labels.get(name, []), value]
        elif name in labels:
            raise InputError(f"--labels: {name!r} is given twice")
        else:
            labels[name] = value
    return labels


def _reached(config: AlertingConfig, route: Route, labels: dict[str, str | list[str]], at: str) -> Reached:
    channels = []
    for channel in config.receivers[route.receiver].channels:
        words = f"{channel.name} ({channel.type}, from {channel.min_severity} up)"
        severity = labels.get("severity")
        if severity and IncidentSeverity(str(severity)).rank < channel.min_severity.rank:
            words += ": below its severity, not sent"
        channels.append(words)
    muted = config.muted_by(route, timestamps.to_datetime(at))
    return Reached(route.receiver, route.place, route.line, channels, route.repeat_seconds, list(route.group_by), muted)


def _text(result: RoutesResult) -> str:
    lines = []
    for reached in result.receivers:
        lines.append(f"Receiver: {reached.receiver}  ({reached.route}, line {reached.line})")
        lines += [f"  channel {words}" for words in reached.channels] or ["  no channels: nothing is sent"]
        lines.append(f"  repeated every {reached.repeat_seconds:g} s, grouped by {', '.join(reached.group_by)}")
        if reached.muted_by:
            lines.append(f"  MUTED now by {reached.muted_by}: held back until the window ends (a resolve is not)")
    lines += ["", "Why:"]
    for step in result.steps:
        sign = "->" if step.taken else "  "
        lines.append(f"{sign} {'  ' * step.depth}line {step.line}: {step.place} ({step.receiver}): {step.why}")
    return "\n".join(lines)
