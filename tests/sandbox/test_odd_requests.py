"""Whatever a client sends, the sandbox answers with a Status and never breaks."""

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.clusters import Cluster, job_manifest
from tests.profiles import examples

from k8s_tuning_sandbox import Sandbox

JOBS = "/apis/batch/v1/namespaces/trading-bots/jobs"
KINDS = ("merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml")
QUIET = settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "a", "1", "한", "-"]), st.floats(-1, 1)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["name", "a", "$patch"]), inner, max_size=2)
    ),
    max_leaves=5,
)


def paths(value: Any, start: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a manifest."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*start, key)
        yield from paths(inner, (*start, key))


RULES = [
    {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1, 42], "containerName": "tuning"}},
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
]
SPEC = {
    "parallelism": 0,
    "activeDeadlineSeconds": 9,
    "selector": {"matchLabels": {}},
    "completionMode": "Indexed",
    "completions": 3,
    "backoffLimitPerIndex": 1,
    "maxFailedIndexes": 1,
    "suspend": True,
    "podReplacementPolicy": "Failed",
    "podFailurePolicy": {"rules": RULES},
    "successPolicy": {"rules": [{"succeededIndexes": "0-1", "succeededCount": 1}]},
}
PLACES = list(paths(job_manifest("odd", **SPEC)))


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """A Job with something odd in one place."""
    manifest = job_manifest("odd", **copy.deepcopy(SPEC))
    *above, last = draw(st.sampled_from(PLACES))
    holder: Any = manifest
    for part in above:
        holder = holder[part]
    holder[last] = draw(values)
    return copy.deepcopy(manifest)


@pytest.fixture
def http(shared_sandbox: Sandbox) -> Iterator[httpx.Client]:
    with Cluster("sandbox", shared_sandbox.kubeconfig, "trading-bots", shared_sandbox).client() as client:
        yield client


@QUIET
@given(manifests())
def test_an_odd_manifest_is_taken_or_refused(http: httpx.Client, manifest: dict[str, Any]) -> None:
    for answer in (
        http.post(JOBS, content=orjson.dumps(manifest), params={"dryRun": "All"}),
        http.patch(
            f"{JOBS}/odd",
            content=orjson.dumps(manifest),
            params={"dryRun": "All", "fieldManager": "m"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        ),
    ):
        assert answer.status_code in (201, 400, 409, 422) or "typed patch object" in answer.json()["message"]
        assert answer.json()["kind"] in ("Job", "Status")


@QUIET
@given(st.sampled_from(KINDS), values)
def test_an_odd_patch_is_taken_or_refused(http: httpx.Client, kind: str, patch: Any) -> None:
    http.post(JOBS, json=job_manifest("patched", parallelism=0))
    answer = http.patch(
        f"{JOBS}/patched",
        content=orjson.dumps(patch),
        params={"dryRun": "All", "fieldManager": "m"},
        headers={"Content-Type": f"application/{kind}"},
    )
    assert answer.status_code in (200, 400, 409, 422) or answer.json()["message"].startswith("failed to create")
    assert answer.json()["kind"] in ("Job", "Status")


@QUIET
@given(values)
def test_an_odd_delete_is_answered(http: httpx.Client, options: Any) -> None:
    answer = http.request("DELETE", f"{JOBS}/nothing", json=options)
    assert answer.status_code in (400, 404, 422)


@pytest.mark.parametrize("query", ["resourceVersion=abc", "timeoutSeconds=soon", "labelSelector=a%3D%3D%3D"])
def test_a_watch_that_asks_wrongly_is_refused_before_its_stream_starts(http: httpx.Client, query: str) -> None:
    answer = http.get(f"{JOBS}?watch=1&{query}")
    assert (answer.status_code, answer.json()["kind"]) == (400, "Status")
