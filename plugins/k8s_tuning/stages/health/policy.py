"""How ill each reason makes a Job, and how long it may last before it does: what health.yaml says.

The levels of the phases are the D33 table's; those of the pods' reasons are this project's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError

MAX_GRACE_SECONDS = 86_400


class HealthLevel(StrEnum):
    """How ill a Job, or a whole selection, is."""

    OK = "OK"
    WARN = "WARN"
    ERROR = "ERROR"


def worst(levels: list[HealthLevel]) -> HealthLevel:
    """The most severe level; OK for none."""
    return max(levels, key=list(HealthLevel).index, default=HealthLevel.OK)


@dataclass(frozen=True)
class ReasonRule:
    """`level` once the reason is older than `grace_seconds`, `within_grace` until then (docs/health.md: since when)."""

    level: HealthLevel
    grace_seconds: float = 0
    within_grace: HealthLevel = HealthLevel.WARN


_OK, _WARN, _ERROR = HealthLevel.OK, HealthLevel.WARN, HealthLevel.ERROR

DEFAULT_RULES: Mapping[str, ReasonRule] = MappingProxyType(
    {
        "pending": ReasonRule(_WARN),
        "job_failed": ReasonRule(_ERROR),
        "unknown_phase": ReasonRule(_ERROR),
        "unexpected_phase": ReasonRule(_WARN),
        "missing": ReasonRule(_ERROR),
        "gone": ReasonRule(_WARN),
        "oom_killed": ReasonRule(_ERROR),
        # A registry that is slow or limits its callers heals by itself within a few tries.
        "image_pull": ReasonRule(_ERROR, 60),
        # The ConfigMap or Secret may be applied a moment after the Job.
        "config_error": ReasonRule(_ERROR, 30),
        "crash_loop": ReasonRule(_ERROR),
        # A proxy that was injected is given a moment to end too, and the Job to try again.
        "container_failed": ReasonRule(_ERROR, 60),
        "not_ending": ReasonRule(_WARN, 300, _OK),
        "not_deleted": ReasonRule(_WARN, 3600, _OK),
        "evicted": ReasonRule(_ERROR),
        # A cluster autoscaler takes minutes to add a node.
        "unschedulable": ReasonRule(_ERROR, 300),
        # Mounting volumes and starting init containers is normal at first.
        "not_starting": ReasonRule(_WARN, 300, _OK),
        # A quota that others use up, a service account or a webhook that comes a moment after the Job.
        "pods_refused": ReasonRule(_ERROR, 60),
        # A cloud's volume is first taken off the node that had it.
        "volume_not_mounted": ReasonRule(_ERROR, 120),
        # A new node's network takes a while.
        "sandbox_not_created": ReasonRule(_ERROR, 120),
        # A node that starts anew, or whose network was away, answers again by itself.
        "node_lost": ReasonRule(_WARN, 60, _OK),
        "deadline_exceeded": ReasonRule(_ERROR),
        "backoff_limit_exceeded": ReasonRule(_ERROR),
        "index_failed": ReasonRule(_ERROR),
    }
)


@dataclass(frozen=True)
class HealthPolicy:
    """A rule for every reason; `HealthPolicy.load` reads one from a file, over the defaults."""

    rules: Mapping[str, ReasonRule] = field(default_factory=lambda: DEFAULT_RULES)

    @classmethod
    def default(cls) -> HealthPolicy:
        """The rules as they are without a file."""
        return cls()

    @classmethod
    def load(cls, path: Path) -> HealthPolicy:
        """health.yaml over the defaults: reasons that it does not name keep theirs. ConfigError names file and key."""
        return cls.from_mapping(yamlfile.read_mapping(path), str(path))

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], name: str) -> HealthPolicy:
        """`{"reasons": {reason: LEVEL or {level, grace_seconds, within_grace}}}`; `name` is for the errors."""
        for key in data:
            if key != "reasons":
                raise ConfigError(f"{name}: unknown key {key!r}; the only one is `reasons`")
        reasons = data.get("reasons") or {}
        if not isinstance(reasons, dict):
            raise ConfigError(f"{name}: reasons: expected `reason: level` lines")
        rules = dict(DEFAULT_RULES)
        for reason, given in reasons.items():
            if reason not in rules:
                raise ConfigError(f"{name}: reasons: unknown reason {reason!r}; known are {', '.join(sorted(rules))}")
            rules[reason] = _rule(given, rules[reason], f"{name}: reasons.{reason}")
        return cls(MappingProxyType(rules))

    def judge(self, reason: str, age_seconds: float | None) -> tuple[HealthLevel, bool]:
        """The level for a reason of this age, and whether it is within its grace.

        An unknown age is past every grace: what cannot be proved harmless is not.
        """
        rule = self.rules[reason]
        if age_seconds is not None and age_seconds < rule.grace_seconds:
            return rule.within_grace, True
        return rule.level, False


def _rule(given: Any, default: ReasonRule, place: str) -> ReasonRule:
    if isinstance(given, str):
        given = {"level": given}
    if not isinstance(given, dict):
        raise ConfigError(f"{place}: expected OK, WARN or ERROR, or a mapping with `level`; found {given!r}")
    for key in given:
        if key not in ("level", "grace_seconds", "within_grace"):
            raise ConfigError(f"{place}: unknown key {key!r}; known are level, grace_seconds, within_grace")
    grace = given.get("grace_seconds", default.grace_seconds)
    if isinstance(grace, bool) or not isinstance(grace, (int, float)) or not 0 <= grace <= MAX_GRACE_SECONDS:
        raise ConfigError(f"{place}.grace_seconds: {grace!r} is not a number of seconds from 0 to {MAX_GRACE_SECONDS}")
    return ReasonRule(
        _level(given.get("level", default.level), f"{place}.level"),
        grace,
        _level(given.get("within_grace", default.within_grace), f"{place}.within_grace"),
    )


def _level(given: Any, place: str) -> HealthLevel:
    try:
        return HealthLevel(given)
    except ValueError:
        raise ConfigError(f"{place}: {given!r} is none of OK, WARN, ERROR") from None
