"""D36's decisions and its report."""

from __future__ import annotations

import pytest

from k8s_tuning.stages.health.evaluate import HealthLevel
from k8s_tuning.stages.pipeline.result import (
    K8sTuningPipelineConfig,
    K8sTuningPipelineResult,
    generate_pipeline_report_text,
    health_exit_code,
    pipeline_mode,
)


@pytest.mark.parametrize(
    ("health", "strict", "code"),
    [
        (HealthLevel.OK, False, 0),
        (HealthLevel.OK, True, 0),
        (HealthLevel.WARN, False, 0),
        (HealthLevel.WARN, True, 1),
        (HealthLevel.ERROR, False, 2),
        (HealthLevel.ERROR, True, 2),
        (None, False, 3),
        (None, True, 3),
    ],
)
def test_the_exit_code_follows_from_the_health(health: HealthLevel | None, strict: bool, code: int) -> None:
    """Never the other way round; what is not known is the pipeline's failure."""
    assert health_exit_code(health, strict) == code


@pytest.mark.parametrize(
    ("apply", "alerts", "mode"),
    [
        (False, False, "dry_run"),
        (True, False, "apply"),
        (True, True, "full_alerts"),
        (False, True, "full_alerts"),
    ],
)
def test_the_mode_says_the_most_that_leaves_the_house(apply: bool, alerts: bool, mode: str) -> None:
    """Alerts that are really sent weigh more than Jobs that are really made."""
    assert pipeline_mode(apply, alerts) == mode


def test_the_defaults_change_nothing_and_send_nothing() -> None:
    """And the webhook's URL is not in the repr."""
    config = K8sTuningPipelineConfig("jobs", "trading-bots", "app=arbitrage-tuning", "h.jsonl", webhook_url="geheim")
    assert (config.apply_enabled, config.alerts_enabled, config.strict_health) == (False, False, False)
    assert (config.events_limit, config.history_limit, config.channel_type) == (20, 20, "console")
    assert "geheim" not in repr(config)


def test_the_report_says_how_it_ended_and_why() -> None:
    """A run that broke says that its health is not known, and which step broke it."""
    result = K8sTuningPipelineResult("dry_run", 2, 1, steps=["generate: 2 manifest(s)", "validate: failed: 없다"])
    assert (
        generate_pipeline_report_text(result)
        == """\
=== Tuning pipeline ===
Mode:             dry_run
Exit code:        3 (the pipeline itself failed: look at the step that says so)
Health:           not known
Generated Jobs:   2
Validated Jobs:   1
Applied Jobs:     0
Incidents sent:   0
History appended: no

Steps:
  generate: 2 manifest(s)
  validate: failed: 없다
"""
    )
