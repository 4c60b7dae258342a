"""Lists, selectors, pages, tables and watches, on the sandbox and on a real control plane alike."""

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cluster_contract.calls import MERGE, core_path, create, ended, idle, jobs_path
from tests.clusters import Cluster, job_manifest
from tests.profiles import examples

from k8s_tuning.cluster.selectors import parse
from k8s_tuning.errors import SelectorError

pytestmark = pytest.mark.slow

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}

KEYS = ("app", "in", "x.io/team", "n")
VALUES = ("", "a", "in", "7", "12")
PARTS = (*KEYS, *VALUES, "=", "==", "!=", "!", "(", ")", ",", ">", "<", "notin", " ", "\t", "-", "한")
VALID = st.lists(
    st.one_of(
        st.builds("{}{}{}".format, st.sampled_from(KEYS), st.sampled_from(("=", "==", "!=")), st.sampled_from(VALUES)),
        st.builds("{}{}{}".format, st.sampled_from(KEYS), st.sampled_from((">", "<")), st.integers(0, 15)),
        st.builds("{}{}".format, st.sampled_from(("", "!")), st.sampled_from(KEYS)),
        st.builds(
            "{} {} ({})".format,
            st.sampled_from(KEYS),
            st.sampled_from(("in", "notin")),
            st.lists(st.sampled_from(VALUES)).map(",".join),
        ),
    ),
    max_size=3,
).map(" ,".join)


def names(answer: httpx.Response) -> list[str]:
    """The names in a list, in its order."""
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json()["items"]]


@pytest.fixture
def labelled(cluster: Cluster) -> Iterator[tuple[httpx.Client, Cluster, dict[str, dict[str, str]]]]:
    """Jobs that start no pod, by name with their labels."""
    sets = [
        {"app": "a"},
        {"app": "", "n": "7"},
        {"in": "in", "n": "12"},
        {"x.io/team": "a", "app": "in"},
        {"n": "a", "in": ""},
        {"app": "a", "in": "a", "x.io/team": "7", "n": "5"},
    ]
    labels = {cluster.job(str(index)): found for index, found in enumerate(sets)}
    with cluster.client() as http:
        for name, found in labels.items():
            manifest = job_manifest(name, **idle())
            manifest["metadata"]["labels"] = found
            assert http.post(jobs_path(cluster), json=manifest).status_code == 201
        yield http, cluster, labels


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(VALID, st.lists(st.sampled_from(PARTS), max_size=8).map("".join)))
def test_label_selectors_select_what_our_parser_says(
    labelled: tuple[httpx.Client, Cluster, dict[str, dict[str, str]]], text: str
) -> None:
    http, cluster, labels = labelled
    answer = http.get(jobs_path(cluster), params={"labelSelector": text})
    try:
        selector = parse(text)
    except SelectorError:
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    else:
        assert set(names(answer)) == {name for name, found in labels.items() if selector.matches(found)}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("metadata.name={0}", {0}),
        ("metadata.name!={0}", {1, 2}),
        ("metadata.namespace=nowhere", set()),
        ("metadata.name={0},metadata.name={1}", set()),
        ("status.successful=0", {0, 1, 2}),
    ],
)
def test_field_selectors_select_by_equality(cluster: Cluster, text: str, chosen: set[int]) -> None:
    with cluster.client() as http:
        made = [create(http, cluster, str(index), **idle())["metadata"]["name"] for index in range(3)]
        answer = http.get(jobs_path(cluster), params={"fieldSelector": text.format(*made)})
        assert set(names(answer)) == {made[index] for index in chosen}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"labelSelector": "a in b"}, 400),
        ({"labelSelector": ",a"}, 400),
        ({"fieldSelector": "spec.nothing=1"}, 400),
        ({"fieldSelector": "metadata.name"}, 400),
        ({"limit": "x"}, 400),
        ({"continue": "zzz"}, 400),
        ({"resourceVersion": "999999999"}, 504),
        ({"watch": "1", "labelSelector": "a in b"}, 400),
    ],
)
def test_a_list_that_cannot_be_answered_says_so(cluster: Cluster, query: dict[str, str], code: int) -> None:
    with cluster.client() as http:
        answer = http.get(jobs_path(cluster), params=query)
        assert answer.status_code == code
        assert answer.json()["status"] == "Failure"


def test_pages_make_one_list_of_one_instant(cluster: Cluster) -> None:
    with cluster.client() as http:
        made = [create(http, cluster, str(index), **idle())["metadata"]["name"] for index in range(5)]
        first = http.get(jobs_path(cluster), params={"limit": "2"}).json()
        assert first["metadata"]["remainingItemCount"] == 3
        create(http, cluster, "1x", **idle())
        http.delete(jobs_path(cluster, made[4]), params={"propagationPolicy": "Background"})
        cluster.wait(lambda: http.get(jobs_path(cluster, made[4])).status_code == 404)
        found, page = [], first
        while True:
            found += [item["metadata"]["name"] for item in page["items"]]
            assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
            if not (token := page["metadata"].get("continue")):
                break
            page = http.get(jobs_path(cluster), params={"limit": "2", "continue": token}).json()
        assert found == sorted(made)
        assert "remainingItemCount" not in page["metadata"]
        assert "kind" not in first["items"][0]
        assert (first["kind"], first["apiVersion"]) == ("JobList", "batch/v1")


def test_pages_of_a_selection_hold_only_what_is_selected(cluster: Cluster) -> None:
    with cluster.client() as http:
        made = [create(http, cluster, str(index), **idle())["metadata"]["name"] for index in range(5)]
        for name in made[::2]:
            http.patch(jobs_path(cluster, name), json={"metadata": {"labels": {"odd": "no"}}}, headers=MERGE)
        query = {"labelSelector": "odd=no", "limit": "2"}
        first = http.get(jobs_path(cluster), params=query)
        token = first.json()["metadata"]["continue"]
        rest = http.get(jobs_path(cluster), params={**query, "continue": token})
        assert names(first) + names(rest) == made[::2]
        assert "continue" not in rest.json()["metadata"]


def test_a_version_that_is_no_number_is_refused(cluster: Cluster) -> None:
    with cluster.client() as http:
        answer = http.get(jobs_path(cluster), params={"resourceVersion": "abc"})
    # An older server called it its own fault.
    assert answer.status_code == (400 if cluster.since(26) else 500)
    assert "invalid syntax" in answer.json()["message"]


def test_a_list_over_all_namespaces_holds_this_one(cluster: Cluster) -> None:
    with cluster.client() as http:
        name = create(http, cluster, "a", **idle())["metadata"]["name"]
        query = {"fieldSelector": f"metadata.namespace={cluster.namespace}"}
        assert names(http.get("/apis/batch/v1/jobs", params=query)) == [name]
        assert names(http.get("/apis/batch/v1/namespaces/nowhere/jobs")) == []


def test_tables_are_what_kubectl_prints(cluster: Cluster) -> None:
    cluster.scenario([{"match": cluster.job("*"), "outcome": "oom", "seconds": 0.1}])
    with cluster.client() as http:
        create(http, cluster, "a")
        ended(http, cluster, "a")
        jobs = http.get(jobs_path(cluster), headers=TABLE).json()
        pods = http.get(core_path(cluster, "pods"), headers=TABLE).json()
        events = http.get(core_path(cluster, "events"), headers=TABLE).json()
    assert jobs["kind"] == "Table"
    status = ["Status"] if cluster.since(31) else []
    assert _columns(jobs) == ["Name", *status, "Completions", "Duration", "Age", "Containers", "Images", "Selector"]
    cells = dict(zip(_columns(jobs), jobs["rows"][0]["cells"], strict=True))
    assert (cells["Name"], cells["Completions"]) == (cluster.job("a"), "0/1")
    assert (cells["Containers"], cells["Images"]) == ("tuning", "python:3.11")
    assert cells.get("Status") == ("Failed" if status else None)
    assert jobs["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert _columns(pods)[:7] == ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node"]
    assert pods["rows"][0]["cells"][1:4] == ["0/1", "OOMKilled", "0" if cluster.since(22) else 0]
    wanted = ["Last Seen", "Type", "Reason", "Object", "Subobject", "Source", "Message", "First Seen", "Count", "Name"]
    assert _columns(events) == wanted
    assert ["Normal", "SuccessfulCreate", f"job/{cluster.job('a')}"] in [row["cells"][1:4] for row in events["rows"]]


def _columns(table: dict[str, Any]) -> list[str]:
    return [column["name"] for column in table["columnDefinitions"]]


def watched(
    http: httpx.Client, path: str, query: dict[str, str], last: str = "DELETED"
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The changes of a watch, up to the first of the kind `last`."""
    with http.stream("GET", path, params={"watch": "true", "timeoutSeconds": "20", **query}) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            change = json.loads(line)
            yield change["type"], change["object"]
            if change["type"] == last:
                return


def in_turn(changes: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """The kinds of the changes, several MODIFIED in a row as one: the Job controller may write in between."""
    return [kind for kind, _ in itertools.groupby(kind for kind, _ in changes)]


def test_a_watch_tells_every_change_after_a_list(cluster: Cluster) -> None:
    with cluster.client() as http, cluster.client() as other:
        create(http, cluster, "old", **idle())
        version = http.get(jobs_path(cluster)).json()["metadata"]["resourceVersion"]

        def write() -> None:
            create(other, cluster, "a", **idle())
            other.patch(jobs_path(cluster, cluster.job("a")), json={"metadata": {"labels": {"b": "c"}}}, headers=MERGE)
            other.delete(jobs_path(cluster, cluster.job("a")), params={"propagationPolicy": "Background"})

        writer = threading.Timer(0.1, write)
        writer.start()
        found = list(watched(http, jobs_path(cluster), {"resourceVersion": version}))
        writer.join()
    assert in_turn(found) == ["ADDED", "MODIFIED", "DELETED"]
    assert any(kind == "MODIFIED" and obj["metadata"]["labels"].get("b") == "c" for kind, obj in found)
    assert all(obj["kind"] == "Job" and obj["metadata"]["name"] == cluster.job("a") for _, obj in found)
    versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in found]
    assert versions == sorted(set(versions))
    assert int(version) < versions[0]


def test_a_watch_without_a_version_starts_with_what_is_there(cluster: Cluster) -> None:
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        ((kind, obj),) = watched(http, jobs_path(cluster), {}, last="ADDED")
        assert (kind, obj["metadata"]["name"]) == ("ADDED", cluster.job("a"))


def test_a_watch_of_a_selection_sees_objects_come_into_it_and_leave_it(cluster: Cluster) -> None:
    with cluster.client() as http:
        job = create(http, cluster, "a", **idle())
        for labels in ({"in": "yes"}, {"in": "yes", "b": "c"}, {"in": "no"}):
            patch = {"metadata": {"labels": labels}}
            http.patch(jobs_path(cluster, cluster.job("a")), json=patch, headers=MERGE)
        query = {"labelSelector": "in=yes", "resourceVersion": job["metadata"]["resourceVersion"]}
        found = list(watched(http, jobs_path(cluster), query))
    assert in_turn(found) == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_ends_when_its_time_is_over(cluster: Cluster) -> None:
    with cluster.client() as http:
        query = {"watch": "true", "timeoutSeconds": "1"}
        with contextlib.closing(http.send(http.build_request("GET", jobs_path(cluster), params=query))) as answer:
            assert (answer.status_code, answer.content) == (200, b"")
