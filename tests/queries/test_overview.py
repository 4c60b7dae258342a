"""Which target an address means, and that every answer about it is about the same one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from tests.stages.history_lines import NAMESPACE, SELECTOR, line

from k8s_tuning.queries.overview import HealthQueries

WATCHED = {"name": "arbitrage", "namespace": NAMESPACE, "label_selector": SELECTOR, "kubernetes_conn_id": "west"}


@pytest.fixture
def queries(tmp_path: Path) -> HealthQueries:
    """Two clusters with one namespace and selector: `east`, recorded first and in ERROR, and `west`, OK and watched."""
    (tmp_path / "health.jsonl").write_bytes(
        line("ERROR", cluster="east", target="east") + line("OK", cluster="west", target="arbitrage")
    )
    (tmp_path / "targets.yaml").write_text(json.dumps({"targets": [WATCHED]}), encoding="utf-8")
    return HealthQueries(tmp_path, tmp_path / "targets.yaml")


@pytest.mark.parametrize(
    ("cluster", "level", "watched"),
    [("east", "ERROR", False), ("west", "OK", True), (None, "ERROR", False)],
    ids=["of east", "of west", "of none, the first that was recorded"],
)
def test_the_row_the_chart_and_the_records_are_of_one_target(
    queries: HealthQueries, cluster: str | None, level: str, watched: bool
) -> None:
    target = queries.target(NAMESPACE, SELECTOR, cluster)
    row = target.row(3600, "2099-01-01T00:00:00Z", [])
    assert (row.last_health, row.watched) == (level, watched)
    assert [one.health for one in target.records(-math.inf, math.inf).items] == [level]
    assert target.series(-math.inf, math.inf).worst == [{"OK": 0, "ERROR": 2}[level]]
    assert target.incidents(-math.inf, math.inf).total == (level == "ERROR")


def test_a_target_that_nobody_names_is_not_known_and_its_answers_are_empty(queries: HealthQueries) -> None:
    target = queries.target(NAMESPACE, SELECTOR, "north")
    assert not target.is_known
    assert target.row(3600, "2099-01-01T00:00:00Z", []).status == "NEVER"
    assert target.records(-math.inf, math.inf).total == 0


def test_every_target_is_on_the_overview_once(queries: HealthQueries) -> None:
    rows = queries.overview(3600, "2025-11-16T12:00:00Z").rows
    assert sorted((row.cluster, row.watched) for row in rows) == [("east", False), ("west", True)]
