"""Patches and server-side apply, apart from HTTP."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning_sandbox import ownership
from k8s_tuning_sandbox.dialect import TODAY
from k8s_tuning_sandbox.patches import json_patch, merge_patch, strategic
from k8s_tuning_sandbox.resources import JOBS
from k8s_tuning_sandbox.status import Refusal

NOW = "2026-01-02T03:04:05Z"
SCHEMA = TODAY.schema
POD = SCHEMA.resolve("io.k8s.api.core.v1.PodSpec")


@pytest.mark.parametrize(
    ("live", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_are_those_of_rfc_7386(live: Any, patch: Any, result: Any) -> None:
    assert merge_patch(live, patch) == result


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"containers": [{"name": "a", "image": "2"}]}, [{"name": "a", "image": "2", "args": ["x"]}, {"name": "b"}]),
        ({"containers": [{"name": "c"}]}, [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}, {"name": "c"}]),
        ({"containers": [{"name": "b", "$patch": "delete"}]}, [{"name": "a", "image": "1", "args": ["x"]}]),
        ({"containers": [{"name": "c"}, {"$patch": "replace"}]}, [{"name": "c"}]),
        ({"$setElementOrder/containers": [{"name": "a"}]}, [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}]),
        ({"containers": [{"name": "a", "args": ["y"]}]}, [{"name": "a", "image": "1", "args": ["y"]}, {"name": "b"}]),
    ],
)
def test_strategic_patches_merge_containers_by_name(patch: dict[str, Any], result: list[Any]) -> None:
    live = {"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}]}
    assert strategic(SCHEMA, live, patch, POD)["containers"] == result


def test_json_patches_add_replace_remove_and_test() -> None:
    live = {"a": [1, 2], "b": {"c/d": 1}}
    steps = [
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/1", "value": 9},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "replace", "path": "/b/c~1d", "value": 5},
        {"op": "remove", "path": "/a/0"},
    ]
    assert json_patch(live, steps) == {"a": [9, 2, 3], "b": {"c/d": 5}}
    assert live == {"a": [1, 2], "b": {"c/d": 1}}


@pytest.mark.parametrize(
    "step",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/b"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "explode", "path": "/a"},
        {"path": "/a"},
        "a",
    ],
)
def test_json_patches_that_do_not_fit_are_refused(step: Any) -> None:
    with pytest.raises(Refusal) as caught:
        json_patch({"a": 1}, [step])
    assert caught.value.code == 422


containers = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("xyz"), "image": st.sampled_from("12")}),
    unique_by=lambda container: container["name"],
    max_size=3,
)


def manifest(labels: dict[str, str], limit: int | None, found: list[dict[str, str]]) -> dict[str, Any]:
    """A Job as a server's types leave it: what is empty is not there."""
    job: dict[str, Any] = {"metadata": {"name": "j"}, "spec": {}}
    if labels:
        job["metadata"]["labels"] = labels
    if limit:
        job["spec"]["backoffLimit"] = limit
    if found:
        job["spec"]["template"] = {"spec": {"containers": found}}
    return job


manifests = st.builds(
    manifest,
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3),
    st.sampled_from([None, 1, 2]),
    containers,
)


def applied(live: Any, wanted: Any, manager: str, *, force: bool = True) -> Any:
    return ownership.apply(SCHEMA, JOBS, live, copy.deepcopy(wanted), manager, NOW, force=force)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf by its path; containers by their names."""
    if isinstance(value, dict) and value:
        return {key: leaf for name, inner in value.items() for key, leaf in flat(inner, f"{path}.{name}").items()}
    if isinstance(value, list) and value:
        return {key: leaf for item in value for key, leaf in flat(item, f"{path}[{item['name']}]").items()}
    return {path: value} if value not in ({}, []) else {}


def without_managed(obj: Any) -> Any:
    return {**obj, "metadata": {name: value for name, value in obj["metadata"].items() if name != "managedFields"}}


@given(manifests, manifests)
def test_an_apply_makes_the_object_what_its_one_manager_says(first: Any, second: Any) -> None:
    once = applied(None, first, "one")
    twice = applied(once, second, "one")
    assert flat(without_managed(twice)) == flat(second)
    assert applied(twice, second, "one") == twice


@given(manifests, manifests)
def test_a_second_manager_conflicts_exactly_where_it_would_change_what_the_first_owns(first: Any, second: Any) -> None:
    live = applied(None, first, "one")
    one, two = flat(first), flat(second)
    differing = {path for path in one.keys() & two.keys() if one[path] != two[path]}
    if differing:
        with pytest.raises(Refusal) as caught:
            applied(live, second, "two", force=False)
        assert (caught.value.code, caught.value.reason) == (409, "Conflict")
        assert len(caught.value.body()["details"]["causes"]) == len(differing)
    else:
        assert flat(without_managed(applied(live, second, "two", force=False))) == one | two


@given(manifests, manifests)
def test_what_both_managers_set_outlives_the_first_one_dropping_it(first: Any, second: Any) -> None:
    live = applied(applied(None, first, "one"), second, "two")
    left = flat(without_managed(applied(live, manifest({}, None, []), "one")))
    assert flat(second).items() <= left.items()
