"""A namespace that does not exist is not OK where the server says so: its lists are empty ones all the same."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal
from tests.clusters import Cluster

from k8s_tuning.cli import main
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthEvaluator

SELECTOR = "app=arbitrage-tuning"
MISSING = refusal(404, 'namespaces "n" not found', "NotFound", name="n", kind="namespaces")


class Server:
    """Empty lists, and `namespace` to whoever asks for it."""

    def __init__(self, namespace: Answer, jobs: list[Any] | None = None) -> None:
        self.namespace, self.jobs = namespace, jobs or []

    def __call__(self, request: Request) -> Answer:
        if request.path == "/api/v1/namespaces/n":
            return self.namespace
        return page("Job", self.jobs if request.path.endswith("/jobs") else [])


def snapshots(api: ApiDouble, tmp_path: Path, namespace: Answer, jobs: list[Any] | None = None) -> tuple[Any, Any]:
    api.answer = Server(namespace, jobs)
    access = ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), retry_seconds=0)
    return (
        K8sJobMonitor("n", SELECTOR, access=access).load_snapshot(),
        K8sEventCollector("n", SELECTOR, access=access).load_events(),
    )


def test_a_namespace_that_the_server_does_not_have_is_an_error(api: ApiDouble, tmp_path: Path) -> None:
    snapshot, events = snapshots(api, tmp_path, MISSING)
    assert not snapshot.jobs_listed
    (error,) = snapshot.errors
    assert error.startswith("Jobs not read: namespace n does not exist on 127.0.0.1:")
    assert events.errors == [error.replace("Jobs not read", "events not read")]
    health = K8sHealthEvaluator().evaluate(snapshot)
    assert (health.overall_health, health.jobs_listed) == (HealthLevel.WARN, False)


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"kind": "Namespace", "metadata": {"name": "n"}}),
        refusal(403, 'namespaces "n" is forbidden: User "bot" cannot get resource "namespaces" in API group ""'),
        refusal(404, "/api/v1/namespaces/n not found", "NotFound"),
        refusal(404, 'namespaces "another" not found', "NotFound"),
        Answer(b"404 page not found", 404, {"Content-Type": "text/plain"}),
        Answer(b"<html>no such page</html>", 404, {"Content-Type": "text/html"}),
        refusal(500, "etcd is away"),
        refusal(401, "Unauthorized"),
        Answer(raw=b""),
    ],
    ids=["there", "forbidden", "another 404", "of another", "plain 404", "web page", "500", "401", "dropped"],
)
def test_where_the_server_does_not_say_it_stays_as_it_was(answer: Answer, api: ApiDouble, tmp_path: Path) -> None:
    snapshot, events = snapshots(api, tmp_path, answer)
    assert (snapshot.jobs, snapshot.errors, snapshot.jobs_listed) == ([], [], True)
    assert events.errors == []


def test_where_there_are_jobs_nobody_asks(api: ApiDouble, tmp_path: Path) -> None:
    job = {"metadata": {"name": "a", "uid": "u"}, "spec": {}, "status": {}}
    snapshot, _ = snapshots(api, tmp_path, MISSING, [job])
    assert snapshot.errors == []
    assert "/api/v1/namespaces/n" not in [request.path for request in api.requests]


@pytest.mark.parametrize("command", [["health"], ["record", "--history-file", "FILE"]], ids=lambda words: words[0])
def test_the_exit_code_says_that_nothing_is_known(
    command: list[str], api: ApiDouble, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answer = Server(MISSING)
    words = [word.replace("FILE", str(tmp_path / "history.jsonl")) for word in command]
    assert main([*words, "-n", "n", "--kubeconfig", api.kubeconfig(tmp_path)]) == 3
    said = capsys.readouterr()
    assert "namespace n does not exist" in said.out + said.err


def test_a_cluster_knows_its_namespaces(cluster: Cluster) -> None:
    access = ClusterAccess(kubeconfig=str(cluster.kubeconfig))
    assert K8sJobMonitor(cluster.namespace, SELECTOR, access=access).load_snapshot().errors == []
    snapshot = asyncio.run(K8sJobMonitor(f"{cluster.namespace}-no", SELECTOR, access=access).load())
    assert f"namespace {cluster.namespace}-no does not exist" in json.dumps(snapshot.errors)
    events = asyncio.run(K8sEventCollector(f"{cluster.namespace}-no", SELECTOR, access=access).load())
    assert f"namespace {cluster.namespace}-no does not exist" in json.dumps(events.errors)
