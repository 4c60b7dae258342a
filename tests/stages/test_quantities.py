"""Kubernetes' quantities."""

from decimal import Decimal

import pytest

from k8s_tuning.stages.quantities import parse_quantity, resource_problems


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("1", "1"), ("1.5", "1.5"), (".5", "0.5"), ("1Gi", "1073741824"), ("2k", "2000"), ("1e3", "1000"),
     ("1E3", "1000"), ("1E", "1000000000000000000"), ("100n", "1e-7"), ("+1", "1"), ("-1", "-1"), ("1.", "1")],
)  # fmt: skip
def test_reads_a_quantity_exactly(text, value):
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "lots", "1K", "1gi", "1 Gi", "1Gi\n", "1e", "e3", "--1", "1mi", "１", "NaN", "1e9999", "1" * 65]
)
def test_refuses_what_is_none(text):
    assert parse_quantity(text) is None


def test_names_each_problem_with_its_place():
    resources = {"requests": {"cpu": "2", "memory": "x", "disk": True}, "limits": {"cpu": "1", "memory": "-1Gi"}}
    assert [place for place, _ in resource_problems(resources)] == [
        "requests.memory",
        "requests.disk",
        "limits.memory",
        "requests.cpu",
    ]
    assert resource_problems({"requests": {"cpu": 1}, "limits": {"cpu": "1000m"}}) == []
