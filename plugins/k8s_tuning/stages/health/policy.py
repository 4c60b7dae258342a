"""The level and the grace of each reason, as health.yaml sets them over those of the table in reasons.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.health.level import HealthLevel
from k8s_tuning.stages.health.reasons import REASONS, Reason

MAX_GRACE_SECONDS = 86_400


@dataclass(frozen=True)
class HealthPolicy:
    """A row for every reason; `HealthPolicy.load` reads one from a file, over the defaults."""

    rules: Mapping[str, Reason] = field(default_factory=lambda: REASONS)

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
        rules = dict(REASONS)
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


def _rule(given: Any, default: Reason, place: str) -> Reason:
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
    return replace(
        default,
        level=_level(given.get("level", default.level), f"{place}.level"),
        grace_seconds=grace,
        within_grace=_level(given.get("within_grace", default.within_grace), f"{place}.within_grace"),
    )


def _level(given: Any, place: str) -> HealthLevel:
    try:
        return HealthLevel(given)
    except ValueError:
        raise ConfigError(f"{place}: {given!r} is none of OK, WARN, ERROR") from None
