"""Pod logs, on the sandbox and on a real control plane alike."""

import httpx
import pytest
from tests.cluster_contract.calls import causes, core_path, create, ended, pods_of
from tests.clusters import Cluster

pytestmark = pytest.mark.slow


def log(http: httpx.Client, cluster: Cluster, pod: str, **query: str) -> httpx.Response:
    """The pod's log."""
    return http.get(core_path(cluster, "pods", f"{pod}/log"), params=query)


@pytest.fixture
def finished(cluster: Cluster) -> str:
    """The name of a pod that has failed."""
    rule = {"outcome": "fail", "seconds": 0.1, "log": "시세 📈", "log_lines": 4, "last_log": "Killed"}
    cluster.scenario([{"match": cluster.job("*"), **rule}])
    with cluster.client() as http:
        create(http, cluster, "a")
        ended(http, cluster, "a")
        (pod,) = pods_of(http, cluster, "a")
    name: str = pod["metadata"]["name"]
    return name


def test_a_log_holds_what_the_container_wrote(cluster: Cluster, finished: str) -> None:
    with cluster.client() as http:
        answer = log(http, cluster, finished)
    lines = answer.text.splitlines()
    assert answer.headers["Content-Type"] == "text/plain"
    assert len(lines) == 5
    assert lines[0].endswith("iteration 0: 시세 📈")
    assert lines[-1].endswith("Killed")
    assert answer.text.endswith("\n")


@pytest.mark.parametrize(("query", "count"), [({"tailLines": "2"}, 2), ({"tailLines": "0"}, 0), ({"follow": "1"}, 5)])
def test_a_log_may_be_cut_to_its_end_or_followed_to_it(
    cluster: Cluster, finished: str, query: dict[str, str], count: int
) -> None:
    with cluster.client() as http:
        answer = log(http, cluster, finished, **query, container="tuning")
        assert (answer.status_code, len(answer.text.splitlines())) == (200, count)


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"container": "zz"}, 400, None),
        ({"tailLines": "x"}, 400, None),
        ({"tailLines": "-1"}, 422, "tailLines"),
        ({"limitBytes": "0"}, 422, "limitBytes"),
        ({"sinceSeconds": "0"}, 422, "sinceSeconds"),
    ],
)
def test_a_log_that_cannot_be_answered_says_so(
    cluster: Cluster, finished: str, query: dict[str, str], code: int, field: str | None
) -> None:
    with cluster.client() as http:
        answer = log(http, cluster, finished, **query)
        assert answer.status_code == code
        if field is not None:
            assert causes(answer) == [(field, "FieldValueInvalid")]


def test_a_pod_of_two_containers_asks_which(cluster: Cluster) -> None:
    containers = [{"name": name, "image": "i"} for name in ("one", "two")]
    with cluster.client() as http:
        create(http, cluster, "a", template={"spec": {"restartPolicy": "Never", "containers": containers}})
        (pod,) = cluster.wait(lambda: pods_of(http, cluster, "a"))
        answer = log(http, cluster, pod["metadata"]["name"])
    assert answer.status_code == 400
    assert "choose one of: [one two]" in answer.json()["message"]


def test_a_pod_that_no_node_has_taken_has_an_empty_log(cluster: Cluster) -> None:
    big = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "100000"}}}
    with cluster.client() as http:
        create(http, cluster, "a", template={"spec": {"restartPolicy": "Never", "containers": [big]}})
        (pod,) = cluster.wait(lambda: pods_of(http, cluster, "a"))
        answer = log(http, cluster, pod["metadata"]["name"])
        assert (answer.status_code, answer.content) == (204, b"")


def test_a_pod_that_is_not_there_has_no_log(cluster: Cluster) -> None:
    with cluster.client() as http:
        answer = log(http, cluster, "nothing")
        assert (answer.status_code, answer.json()["message"]) == (404, 'pods "nothing" not found')
