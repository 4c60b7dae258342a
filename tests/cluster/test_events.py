"""D34's events on a server that misbehaves, on the sandbox and on a real control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal
from tests.clusters import Cluster, job_manifest

from k8s_tuning.cluster import events as events_module
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.errors import ConfigError, InputError, SelectorError
from k8s_tuning.stages.events.snapshot import K8sEventSnapshot

SELECTOR = "app=arbitrage-tuning"


def thing(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "labels": labels}}


def event(kind: str, name: str, version: int, uid: str | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{name}.{version}", "resourceVersion": str(version), "managedFields": [{"manager": "x"}]},
        "involvedObject": {"kind": kind, "name": name, "uid": uid or f"uid-{name}"},
        "reason": f"r{version}",
        "lastTimestamp": "2025-11-16T10:00:00Z",
    }


class Namespace:
    def __init__(self, **answers: Answer) -> None:
        self.answers = {
            "jobs": page("Job", [thing("nightly")]),
            "pods": page("Pod", [thing("nightly-x7")]),
            "Job": page("Event", [event("Job", *of) for of in (("nightly", 3), ("backup", 4), ("arb-tuning-q", 1))]),
            "Pod": page("Event", [event("Pod", "nightly-x7", 2), event("Pod", "web-1", 5)]),
            **answers,
        }  # fmt: skip

    def __call__(self, request: Request) -> Answer:
        kind = request.path.rpartition("/")[2]
        if kind == "events":
            return self.answers[request.query["fieldSelector"].rpartition("=")[2]]
        return self.answers[kind] if request.query["labelSelector"] == SELECTOR else page("Pod", [])


@pytest.fixture
def access(api: ApiDouble, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), connect_seconds=0.5, read_seconds=0.5, retry_seconds=0.3)


def load(access: ClusterAccess, limit: int | None = None) -> K8sEventSnapshot:
    return K8sEventCollector("n", SELECTOR, limit=limit, access=access).load_events()


def test_only_the_selections_events_come_oldest_first(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace()
    snapshot = load(access)
    assert [event.reason for event in snapshot.events] == ["r1", "r2", "r3"]
    assert snapshot.errors == []
    assert "managedFields" not in snapshot.events[0].raw["metadata"]


def test_a_limit_keeps_the_newest(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace()
    assert [event.reason for event in load(access, 2).events] == ["r2", "r3"]


def test_what_a_limit_keeps_of_many_events_is_what_it_keeps_of_all(
    api: ApiDouble, access: ClusterAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are dropped as they come: 200 MB of events took 554 MB of memory."""
    many = []
    for number in range(300):
        one = event("Job", "arb-tuning-a" if number % 3 else "arb-tuning-b", number * 7919 % 300 + 1)
        many.append({**one, "reason": f"R{number % 7}", "type": "Normal" if number % 5 else "Warning"})
    things = [thing("arb-tuning-a"), thing("arb-tuning-b")]
    api.answer = Namespace(jobs=page("Job", things), Job=page("Event", many), Pod=page("Event", []))

    def said() -> list[str]:
        collector = K8sEventCollector("n", SELECTOR, limit=20, access=access)
        return [one.raw["metadata"]["resourceVersion"] for one in collector.load_events(["arb-tuning-b"]).events]

    whole = said()
    monkeypatch.setattr(events_module, "SPARE_EVENTS", 3)
    assert len(whole) == 20
    assert said() == whole


def test_pods_without_labels_are_their_jobs_all_the_same(api: ApiDouble, access: ClusterAccess) -> None:
    owned = thing("nightly-x7")
    owned["metadata"]["ownerReferences"] = [{"kind": "Job", "uid": "uid-nightly"}]
    namespace = Namespace(pods=page("Pod", []))

    def answer(request: Request) -> Answer:
        if request.query.get("labelSelector") == "job-name":
            return page("Pod", [owned, thing("web-1")])
        return namespace(request)

    api.answer = answer
    assert [event.reason for event in load(access).events] == ["r1", "r2", "r3"]


def test_events_that_cannot_be_read_are_reported(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace(Pod=refusal(403, "events is forbidden"))
    snapshot = load(access)
    assert [event.reason for event in snapshot.events] == ["r1", "r3"]
    assert len(snapshot.errors) == 1
    assert "verbs [list]" in snapshot.errors[0]


def test_without_the_jobs_the_prefix_still_decides_and_the_error_says_so(api: ApiDouble, access: ClusterAccess) -> None:
    api.answer = Namespace(jobs=refusal(403, "jobs is forbidden"))
    snapshot = load(access)
    assert [event.reason for event in snapshot.events] == ["r1"]
    assert "Jobs and pods not read" in snapshot.errors[0]


def test_an_api_server_that_is_away_is_an_error(api: ApiDouble, access: ClusterAccess) -> None:
    api.script(Answer(b"<html>", 503, {"Content-Type": "text/html"}))
    snapshot = load(access)
    assert snapshot.events == []
    assert snapshot.errors


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"label_selector": "!"}, SelectorError),
        ({"namespace": "a/b"}, InputError),
        ({"limit": -1}, InputError),
        ({"kubeconfig": "/nowhere"}, ConfigError),
        ({"context": "nowhere"}, ConfigError),
    ],
)
def test_input_that_cannot_be_used_is_refused(
    arguments: dict[str, Any], kind: type[InputError], api: ApiDouble, tmp_path: Path
) -> None:
    given = {"namespace": "n", "label_selector": "", "kubeconfig": api.kubeconfig(tmp_path), **arguments}
    with pytest.raises(kind):
        K8sEventCollector(**given).load_events()
    assert api.requests == []


def test_a_cluster_gives_the_events_of_selected_jobs_and_pods_alone(cluster: Cluster) -> None:
    """Selected by the label where the name has no prefix; another workload's events never come."""
    cluster.scenario([{"match": f"*{cluster.tag}-ours*", "outcome": "fail", "exit_code": 3}])
    with cluster.client() as http:
        for name, app in (
            (f"nightly-{cluster.tag}-ours", "arbitrage-tuning"),
            (f"nightly-{cluster.tag}-other", "backup"),
        ):
            manifest = job_manifest(name)
            manifest["metadata"]["labels"] = {"app": app}
            manifest["spec"]["template"]["metadata"] = {}
            answer = http.post(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs", json=manifest)
            assert answer.status_code == 201, answer.text
    collector = K8sEventCollector(cluster.namespace, SELECTOR, str(cluster.kubeconfig))

    def look() -> K8sEventSnapshot | None:
        snapshot = collector.load_events()
        assert snapshot.errors == []
        found = {(event.involved_kind, event.reason) for event in snapshot.events}
        return snapshot if {("Job", "BackoffLimitExceeded"), ("Pod", "Started")} <= found else None

    snapshot = cluster.wait(look)
    assert snapshot is not None
    assert all("-ours" in event.involved_name for event in snapshot.events)
    times = [event.last_timestamp or "" for event in snapshot.events]
    assert times == sorted(times)
    assert all(times)


def test_a_user_without_rights_gets_errors_not_silence(cluster: Cluster) -> None:
    snapshot = K8sEventCollector(cluster.namespace, SELECTOR, str(cluster.nobody_kubeconfig)).load_events()
    assert snapshot.events == []
    assert any("resources [events]" in error for error in snapshot.errors)
