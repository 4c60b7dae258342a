"""Kubernetes' protobuf envelope, as far as kubectl needs it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning_sandbox.protobuf import MAGIC, decode
from k8s_tuning_sandbox.status import Refusal


def field(number: int, value: Any) -> bytes:
    """One field as it is encoded."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value % 2**64)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def envelope(kind: str, raw: bytes) -> bytes:
    return MAGIC + field(1, field(1, "batch/v1") + field(2, kind)) + field(2, raw)


@given(st.text(), st.integers(-(2**63), 2**63 - 1), st.dictionaries(st.text(), st.text(), max_size=3))
def test_texts_numbers_and_maps_come_through(name: str, limit: int, labels: dict[str, str]) -> None:
    pairs = b"".join(field(11, field(1, key) + field(2, value)) for key, value in labels.items())
    job = decode(envelope("Job", field(1, field(1, name) + pairs) + field(2, field(7, limit))))
    assert job["kind"] == "Job"
    assert job["metadata"]["name"] == name
    assert job["metadata"].get("labels", {}) == labels
    assert job["spec"] == {"backoffLimit": limit}


def test_a_field_that_is_not_known_is_refused_not_dropped() -> None:
    with pytest.raises(Refusal) as caught:
        decode(envelope("Job", field(2, field(6, field(2, field(1, b""))))))
    assert caught.value.code == 415
    assert "field 1 of PodSpec" in caught.value.message


@given(st.binary(max_size=40))
def test_noise_is_refused(noise: bytes) -> None:
    for body in (noise, MAGIC + noise, envelope("Job", noise), envelope("Nothing at all", noise)):
        try:
            found = decode(body)
        except Refusal as refusal:
            assert refusal.code in (400, 415)  # noqa: PT017 - not all noise is refused: some of it is a message
        else:
            assert isinstance(found, dict)
