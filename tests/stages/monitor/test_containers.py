"""Which container does the Job's work, and which only stands beside it."""

from __future__ import annotations

import pytest
from tests.stages.api_objects import RUNNING, job, pod

from k8s_tuning.stages.monitor.containers import is_sidecar, label, main_container

TEMPLATE = {"template": {"spec": {"containers": [{"name": "tuning"}, {"name": "fluent-bit"}]}}}


@pytest.mark.parametrize(
    ("containers", "named", "main"),
    [
        (["istio-proxy", "tuning"], None, "tuning"),
        (["mesh", "tuning", "fluent-bit"], None, "tuning"),
        (["tuning", "ps"], "ps", "ps"),
        (["tuning", "ps"], "gone", "tuning"),
        (["fluent-bit"], None, "fluent-bit"),
        ([], None, None),
    ],
    ids=["a sidecar's name", "injected", "the annotation", "an annotation of none", "only sidecars", "no statuses"],
)
def test_the_main_container_is_the_jobs_own(containers: list[str], named: str | None, main: str | None) -> None:
    annotations = {"kubectl.kubernetes.io/default-container": named} if named else {}
    raw = pod("Running", dict.fromkeys(containers, RUNNING), metadata={"annotations": annotations})
    one = job({"active": 1}, raw, spec=TEMPLATE)
    (found,) = one.pods
    assert main_container(found, one) == main
    assert [
        container.name for container in found.containers if label(container, found, one) == f"container {main}"
    ] == ([main] if main else [])


@pytest.mark.parametrize(
    "name",
    ["istio-proxy", "cloud-sql-proxy", "vault-agent", "fluent-bit", "fluentbit", "daprd", "otel-collector", "proxy-v2"],
)
def test_sidecars_are_known_by_their_names(name: str) -> None:
    one = job({"active": 1}, pod("Running", {"tuning": RUNNING, name: RUNNING}))
    (found,) = one.pods
    assert {container.name for container in found.containers if is_sidecar(container, found, one)} == {name}


def test_native_sidecars_and_init_containers_say_what_they_are() -> None:
    raw = pod("Running", {"tuning": RUNNING}, init={"fetch": RUNNING, "mesh": RUNNING}, native=("mesh",))
    one = job({"active": 1}, raw)
    (found,) = one.pods
    assert [label(container, found, one) for container in found.containers] == [
        "init container fetch",
        "sidecar mesh",
        "container tuning",
    ]
