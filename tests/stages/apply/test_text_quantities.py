"""Quantities leave as texts: `cpu: 1` and `nvidia.com/gpu: 1` apply on every server."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.stages.apply.plan import ApplyAction, as_sent, decide, with_hash
from k8s_tuning.stages.quantities import parse_quantity, with_text_quantities

QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


@pytest.fixture(scope="module")
def definitions() -> dict[str, Any]:
    from kubernetes_validate.utils import schema_contents

    found: dict[str, Any] = schema_contents("kubernetes-json-schema/v1.37.0-local-strict/_definitions.json", "1.37")
    return found["$defs"]


def examples(schema: dict[str, Any], definitions: dict[str, Any], stack: tuple[str, ...] = ()) -> Iterator[Any]:
    """Values of this schema, each with one field that is a quantity: the number 1."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name == QUANTITY:
            yield 1
        elif name not in stack:
            yield from examples(definitions[name], definitions, (*stack, name))
        return
    for key, inner in schema.get("properties", {}).items():
        yield from ({key: value} for value in examples(inner, definitions, stack))
    if isinstance(inner := schema.get("items"), dict):
        yield from ([value] for value in examples(inner, definitions, stack))
    if isinstance(inner := schema.get("additionalProperties"), dict):
        yield from ({"nvidia.com/gpu": value} for value in examples(inner, definitions, stack))


def test_every_quantity_of_kubernetes_own_schema_becomes_a_text(definitions: dict[str, Any]) -> None:
    pods = list(examples(definitions["io.k8s.api.core.v1.PodSpec"], definitions))
    assert len(pods) >= 17
    for pod in pods:
        assert yaml.safe_dump(with_text_quantities(pod)) == yaml.safe_dump(pod).replace(": 1\n", ": '1'\n")


@pytest.mark.parametrize(("number", "text"), [(1, "1"), (0, "0"), (0.5, "0.5"), (2**40, str(2**40)), (1e-7, "1e-07")])
def test_a_number_becomes_the_text_of_the_same_quantity(number: float, text: str) -> None:
    sent = with_text_quantities({"resources": {"limits": {"cpu": number}}})
    assert sent == {"resources": {"limits": {"cpu": text}}}
    assert parse_quantity(text) == parse_quantity(f"{number:f}") or number == 1e-7


UNTOUCHED = {
    "securityContext": {"runAsUser": 0},
    "activeDeadlineSeconds": 5,
    "priority": 7,
    "containers": [{"ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1", "memory": None}}}],
    "volumes": [{"emptyDir": {"sizeLimit": None}}, {"configMap": {"defaultMode": 420}}],
    "terminationGracePeriodSeconds": True,
}


def test_whatever_is_no_quantity_stays_as_it_is() -> None:
    before = copy.deepcopy(UNTOUCHED)
    assert with_text_quantities(UNTOUCHED) == before
    assert with_text_quantities({"resources": {"limits": {"cpu": True}}}) == {"resources": {"limits": {"cpu": True}}}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["limits", "sizeLimit", "resources"]), inner)
        ),
    )
)
def test_no_pod_however_odd_is_changed_in_place_or_ends_in_a_traceback(pod: Any) -> None:
    before = copy.deepcopy(pod)
    once = with_text_quantities(pod)
    assert pod == before
    assert with_text_quantities(once) == once


def test_a_job_is_compared_by_the_quantities_as_they_are_written() -> None:
    """A Job that an earlier version applied is the same one still."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b", "resources": {"limits": {"cpu": 1}}}]}
    job = with_hash({"metadata": {"name": "a", "namespace": "n"}, "spec": {"template": {"spec": pod}}})
    sent = as_sent(job)
    assert sent["spec"]["template"]["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}}
    assert sent["metadata"] == job["metadata"]
    assert decide(sent, job).action is ApplyAction.UNCHANGED
