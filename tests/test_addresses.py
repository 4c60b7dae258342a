"""Addresses of the health page: what they say is what the page reads."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning import addresses


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (addresses.overview_address(), "/plugin/k8s-tuning/k8s-tuning/"),
        (addresses.overview_address(embedded=False), "/k8s-tuning/"),
        (addresses.session_address("ns", "s-1"), "/plugin/k8s-tuning/k8s-tuning/session?namespace=ns&session_id=s-1"),
        (addresses.session_address("ns", "s-1", embedded=False), "/k8s-tuning/session?namespace=ns&session_id=s-1"),
        (addresses.alerts_address(embedded=False), "/k8s-tuning/alerts"),
        (addresses.alerts_address("dag/run", embedded=False), "/k8s-tuning/alerts?run_id=dag%2Frun"),
        (addresses.alerts_address(incident_id="2b3d", embedded=False), "/k8s-tuning/alerts?incident_id=2b3d"),
        (
            addresses.target_address("ns", "a=b", "2025-11-16T10:00:00Z", "2025-11-16T11:00:00Z", embedded=False),
            "/k8s-tuning/target?namespace=ns&selector=a%3Db&since=2025-11-16T10%3A00%3A00Z&until=2025-11-16T11%3A00%3A00Z",
        ),
    ],
)
def test_each_page_has_its_address(address: str, expected: str) -> None:
    assert address == expected


@given(
    first=st.text(st.characters(codec="utf-8")), second=st.text(st.characters(codec="utf-8")), embedded=st.booleans()
)
def test_whatever_a_target_or_run_is_called_it_comes_back_out_of_the_address(
    first: str, second: str, embedded: bool
) -> None:
    for address, names in (
        (addresses.target_address(first, second, embedded=embedded), ("namespace", "selector")),
        (addresses.run_address(first, second, embedded=embedded), ("dag_id", "run_id")),
    ):
        parts = urlsplit(address)
        assert parse_qsl(parts.query, keep_blank_values=True) == list(zip(names, (first, second), strict=True))
        assert not parts.fragment
        assert address.isascii()
