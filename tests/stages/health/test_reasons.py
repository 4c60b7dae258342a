"""The table of reasons, and that the files which repeat it for people say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from k8s_tuning.stages.health import reasons
from k8s_tuning.stages.health.policy import HealthPolicy
from k8s_tuning.stages.health.reasons import CONSEQUENCES, REASONS, Reason

ROOT = Path(__file__).parents[3]
HEALTH_YAML = ROOT / "include" / "configs" / "health.yaml"
COLUMNS = ("waiting", "ended", "pod", "event", "condition")


def documented() -> dict[str, tuple[str, str, str]]:
    """docs/health.md's table: {reason: (level, grace, counted from)}."""
    rows = {}
    for line in (ROOT / "docs" / "health.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        if len(cells) == 5 and (names := re.findall(r"`([a-z_]+)`", cells[0])):
            rows.update(dict.fromkeys(names, (cells[2], cells[3], cells[4])))
    return rows


def test_health_yaml_lists_every_reason_with_its_default() -> None:
    named = re.findall(r"^  ([a-z_]+):", HEALTH_YAML.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(REASONS)
    assert dict(HealthPolicy.load(HEALTH_YAML).rules) == dict(REASONS)


def test_the_documented_table_is_this_one() -> None:
    def row(reason: Reason) -> tuple[str, str, str]:
        grace = f"{reason.grace_seconds:g} s" if reason.grace_seconds else ""
        return str(reason.level), grace, reason.counted_from

    assert documented() == {name: row(reason) for name, reason in REASONS.items()}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_word_means_one_reason(column: str) -> None:
    found = [(name, words) for name, row in REASONS.items() if (words := getattr(row, column)) is not None]
    listed = [word for _, words in found for word in words.words.split()]
    assert len(listed) == len(set(listed))
    assert all(set(words.hopeless.split()) <= set(words.words.split()) for _, words in found)
    assert set(getattr(reasons, column.upper())) == set(listed)


def test_what_has_a_grace_says_from_when_it_counts() -> None:
    assert {name for name, row in REASONS.items() if row.grace_seconds} == {
        name for name, row in REASONS.items() if row.counted_from
    }


def test_consequences_are_the_phases_and_what_the_jobs_condition_says_of_its_pods() -> None:
    assert set(CONSEQUENCES) == {
        "pending",
        "job_failed",
        "unknown_phase",
        "unexpected_phase",
        "backoff_limit_exceeded",
        "index_failed",
    }
