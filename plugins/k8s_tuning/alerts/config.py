"""alerting.yaml: routes, receivers, mute windows. What can't work is refused at load, with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from k8s_tuning.alerts.channels import CHANNELS, ChannelConfig
from k8s_tuning.alerts.matchers import Matcher, parse_matchers
from k8s_tuning.alerts.reading import Node, read_file, read_text
from k8s_tuning.alerts.route import GROUP_BY_ALL, Route, never_matches
from k8s_tuning.alerts.windows import Interval, parse_interval
from k8s_tuning.errors import ConfigError, InputError
from k8s_tuning.stages.alert.incident import IncidentSeverity

DEFAULT_HOLD_SECONDS = 600.0
DEFAULT_REPEAT_SECONDS = 7200.0
MAX_TIMEOUT_SECONDS = 60.0
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = (604_800, 86_400, 3_600, 60, 1)


@dataclass(frozen=True)
class Receiver:
    """A name, and the channels that each alert for it goes to; none of them: nothing is sent."""

    name: str
    channels: tuple[ChannelConfig, ...] = ()


@dataclass(frozen=True)
class AlertingConfig:
    """The whole file. `allowed_connections`: those that a DAG run's param may name beside the receivers' own.

    `hold_seconds`: how long a target must not have failed a check until its incident is over."""

    route: Route
    receivers: Mapping[str, Receiver]
    windows: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    hold_seconds: float = DEFAULT_HOLD_SECONDS
    name: str = "alerting.yaml"
    allowed_connections: frozenset[str] = frozenset()

    def channel(self, receiver: str, channel: str) -> ChannelConfig | None:
        """A receiver's channel by its name; None where the file has no such any more."""
        found = self.receivers.get(receiver)
        return next((one for one in found.channels if one.name == channel), None) if found else None

    def names_connection(self, connection: str) -> bool:
        """Whether the file names a connection: in a receiver, or among `allowed_connections`."""
        channels = (channel for receiver in self.receivers.values() for channel in receiver.channels)
        return connection in self.allowed_connections or any(one.connection == connection for one in channels)

    def muted_by(self, route: Route, instant: datetime) -> str | None:
        """The name of the mute window of a route that an instant lies in."""
        return next(
            (name for name in route.mute if any(interval.contains(instant) for interval in self.windows[name])), None
        )

    @classmethod
    def single(cls, channel: ChannelConfig) -> AlertingConfig:
        """A configuration without a file: everything goes to one channel."""
        receiver = Receiver(channel.name, (channel,))
        return cls(Route(receiver.name), {receiver.name: receiver}, name="(no configuration file)")

    @classmethod
    def webhook(cls, channel_type: str, timeout_seconds: float = 5) -> AlertingConfig:
        """One channel, whose webhook's URL the caller has: any connection that it asks for is that one."""
        connection = "webhook" if CHANNELS[channel_type].needs_connection else None
        return cls.single(ChannelConfig(channel_type, channel_type, connection, timeout_seconds=timeout_seconds))


def load_config(path: str | Path) -> AlertingConfig:
    """The file; ConfigError names it, the line, what is wrong and what would be right."""
    return _read(read_file(Path(path)))


def parse_config(text: str, name: str = "alerting.yaml") -> AlertingConfig:
    """The same, from text."""
    return _read(read_text(text, name))


def parse_duration(text: Any) -> float:
    """Seconds from `1h30m` and the like (w, d, h, m, s), as Prometheus writes them; InputError where it is none."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not found or not any(found.groups()):
        if text == "0":
            return 0.0
        raise InputError(f"{text!r} is not a duration; write one as 30s, 10m, 2h or 1h30m")
    return float(sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS, strict=True)))


def _read(top: Node) -> AlertingConfig:
    top.only("route", "receivers", "time_intervals", "mute_time_intervals", "hold", "allowed_connections")
    receivers = _receivers(top.child("receivers"))
    windows = _windows(top)
    route = top.child("route")
    if not route.there:
        raise top.error("`route` is missing; it needs at least `receiver`")
    for key in ("matchers", "continue", "mute_time_intervals"):
        if route.child(key).there:
            raise route.child(key).error("the topmost route takes everything, always: it has none of these")
    root = _route(route, None, receivers, windows)
    if found := never_matches(root):
        dead, why = found
        raise ConfigError(f"{top.name}, line {dead.line}: {dead.place} can never match: {why}")
    hold = top.child("hold")
    allowed = frozenset(top.texts("allowed_connections"))
    return AlertingConfig(root, receivers, windows, _seconds(hold, DEFAULT_HOLD_SECONDS), top.name, allowed)


def _seconds(node: Node, default: float) -> float:
    if not node.there:
        return default
    with node.blamed():
        return parse_duration(node.value)


def _receivers(node: Node) -> dict[str, Receiver]:
    if not node.there:
        raise node.error("`receivers` is missing; name at least one")
    found: dict[str, Receiver] = {}
    for entry in node.items():
        entry.only("name", "channels")
        name = entry.text("name")
        if name in found:
            raise entry.error(f"the receiver {name!r} is there twice")
        channels: list[ChannelConfig] = []
        for channel in entry.child("channels").items():
            one = _channel(channel)
            if any(one.name == other.name for other in channels):
                raise channel.error(f"two channels of {name!r} are called {one.name!r}; give each a `name`")
            channels.append(one)
        found[name] = Receiver(name, tuple(channels))
    return found


def _channel(node: Node) -> ChannelConfig:
    kind = CHANNELS.get(node.text("type"))
    if kind is None:
        raise node.child("type").error(f"unknown channel type {node.text('type')!r}; known are {', '.join(CHANNELS)}")
    known = ("type", "name", "min_severity", "send_resolved", "timeout_seconds", *kind.options)
    node.only(*known, *(["connection"] if kind.needs_connection else []))
    options: dict[str, Any] = {}
    for key, expected in kind.options.items():
        option = node.child(key)
        if not option.there:
            if key in kind.required:
                raise node.error(f"a channel of type {kind.type} needs `{key}`")
            continue
        if not isinstance(option.value, expected) or (isinstance(option.value, str) and not option.value.strip()):
            types = expected if isinstance(expected, tuple) else (expected,)
            wanted = " or a ".join("list" if one is list else "text" for one in types)
            raise option.error(f"`{key}`: {option.value!r} is not a {wanted}")
        options[key] = option.value
    severity = node.child("min_severity")
    if severity.there and severity.value not in list(IncidentSeverity):
        raise severity.error(f"min_severity: {severity.value!r} is none of {', '.join(IncidentSeverity)}")
    send_resolved = node.flag("send_resolved", default=True)
    timeout = node.child("timeout_seconds")
    seconds = timeout.value if timeout.there else 5
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise timeout.error(f"timeout_seconds: {seconds!r} is not a number above 0 and up to {MAX_TIMEOUT_SECONDS:g}")
    channel = ChannelConfig(
        name=node.text("name") if node.child("name").there else kind.type,
        type=kind.type,
        connection=node.text("connection") if kind.needs_connection else None,
        min_severity=IncidentSeverity(severity.value) if severity.there else IncidentSeverity.INFO,
        send_resolved=send_resolved,
        timeout_seconds=float(seconds),
        options=options,
    )
    if kind.check:
        with node.blamed():
            kind.check(channel)
    return channel


def _windows(top: Node) -> dict[str, tuple[Interval, ...]]:
    found: dict[str, tuple[Interval, ...]] = {}
    # Alertmanager knows both names; the longer one is its older.
    for entry in [*top.child("time_intervals").items(), *top.child("mute_time_intervals").items()]:
        entry.only("name", "time_intervals")
        name = entry.text("name")
        if name in found:
            raise entry.error(f"the time interval {name!r} is there twice")
        intervals = []
        for interval in entry.child("time_intervals").items():
            fields = interval.mapping()
            with interval.blamed():
                intervals.append(parse_interval(fields))
        found[name] = tuple(intervals)
    return found


def _route(node: Node, parent: Route | None, receivers: Mapping[str, Receiver], windows: Mapping[str, Any]) -> Route:
    node.only("receiver", "matchers", "continue", "routes", "group_by", "repeat_interval", "mute_time_intervals")
    receiver = node.child("receiver")
    name = node.text("receiver") if receiver.there or parent is None else parent.receiver
    if name not in receivers:
        raise receiver.error(f"unknown receiver {name!r}; known are {', '.join(receivers)}")
    matchers: list[Matcher] = []
    for entry in node.child("matchers").items():
        text = entry.as_text()
        with entry.blamed():
            matchers += parse_matchers(text)
    mute = node.texts("mute_time_intervals")
    for window in mute:
        if window not in windows:
            raise node.child("mute_time_intervals").error(f"unknown time interval {window!r}")
    continues = node.flag("continue", default=False)
    inherited = parent.group_by if parent else (GROUP_BY_ALL,)
    repeat = _seconds(node.child("repeat_interval"), parent.repeat_seconds if parent else DEFAULT_REPEAT_SECONDS)
    if repeat <= 0:
        raise node.child("repeat_interval").error("repeat_interval must be above 0")
    route = Route(
        receiver=name,
        matchers=tuple(matchers),
        continues=continues,
        group_by=node.texts("group_by") if node.child("group_by").there else inherited,
        repeat_seconds=repeat,
        mute=mute,
        place=node.place,
        line=node.line,
    )
    children = tuple(_route(child, route, receivers, windows) for child in node.child("routes").items())
    return replace(route, routes=children)
