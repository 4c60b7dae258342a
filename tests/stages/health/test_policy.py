"""health.yaml: levels and graces over the defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.health.policy import HealthPolicy


class TestPolicyFile:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("reasons: {oom: WARN}", "unknown reason 'oom'; known are backoff_limit_exceeded"),
            ("reasons: {pending: BAD}", r"reasons.pending.level: 'BAD' is none of OK, WARN, ERROR"),
            ("reasons: {image_pull: {level: WARN, grace: 3}}", "unknown key 'grace'; known are level, grace_seconds"),
            ("reasons: {image_pull: {grace_seconds: -1}}", "grace_seconds: -1 is not a number of seconds from 0"),
            ("reasons: {image_pull: {grace_seconds: true}}", "grace_seconds: True is not"),
            ("reasons: {image_pull: {grace_seconds: .nan}}", "grace_seconds: nan is not"),
            ("reasons: {image_pull: [1]}", "expected OK, WARN or ERROR, or a mapping"),
            ("reasons: [a]", "expected `reason: level` lines"),
            ("graces: {}", "unknown key 'graces'; the only one is `reasons`"),
            ("- 1", "expected `key: value` lines"),
        ],
    )
    def test_a_mistake_is_refused_with_its_place(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "health.yaml"
        file.write_text(text)
        with pytest.raises(ConfigError, match=message) as caught:
            HealthPolicy.load(file)
        assert str(file) in str(caught.value)
