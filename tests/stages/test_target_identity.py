"""Which target a record is of: clusters apart, records of versions that knew none where they were."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.history_lines import NAMESPACE, SELECTOR, check, line

from k8s_tuning.errors import InputError
from k8s_tuning.stages.alert.incident import build_incident, incident_id
from k8s_tuning.stages.history.latest import LatestSnapshot, LatestStore
from k8s_tuning.stages.history.retention import RetentionPolicy
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.stages.target_identity import TargetIdentity, TargetIndex

WHERE = (NAMESPACE, SELECTOR)
EAST = {"target": "east", "cluster": "conn-east"}
WEST = {"target": "west", "cluster": "conn-west"}


def at(minute: int) -> str:
    return f"2025-11-16T10:{minute:02}:00Z"


@pytest.fixture
def store(tmp_path: Path) -> K8sHealthHistoryStore:
    return K8sHealthHistoryStore(tmp_path / "h.jsonl")


@pytest.mark.parametrize(
    ("records", "targets"),
    [
        ([("east", "a"), ("west", "b"), ("east", "a")], [0, 1, 0]),
        ([(None, "a"), ("tuning", "a")], [0, 0]),
        ([("tuning", "a"), ("renamed", "a")], [0, 0]),
        ([("old", None), ("new", None)], [0, 0]),
        ([("tuning", None), (None, None), ("tuning", "a"), (None, "a")], [0, 0, 0, 0]),
        ([("east", None), ("west", "b"), ("east", "a")], [0, 1, 0]),
        ([(None, None), ("east", "a"), ("west", "b"), (None, None)], [0, 0, 1, 0]),
        ([("east", "a"), ("west", "b"), ("west", None)], [0, 1, 1]),
    ],
    ids=[
        "two clusters",
        "a pipeline and the monitor",
        "a new name",
        "a new name before clusters were known",
        "an upgrade",
        "an upgrade, with a second cluster first",
        "an upgrade without names: the first cluster goes on",
        "a record without a cluster goes by its name",
    ],
)
def test_a_record_is_of_one_target(records: list[tuple[str | None, str | None]], targets: list[int]) -> None:
    index = TargetIndex(TargetIdentity)
    found = [index.of(*WHERE, *record) for record in records]
    known = list(index)
    assert [known.index(one) for one in found] == targets


@given(st.lists(st.tuples(st.sampled_from([None, "x", "y"]), st.sampled_from([None, "a", "b"])), max_size=12))
def test_two_clusters_are_never_one_target(records: list[tuple[str | None, str | None]]) -> None:
    index = TargetIndex(TargetIdentity)
    for name, cluster in records:
        found = index.of(*WHERE, name, cluster)
        assert cluster is None or found.cluster == cluster
    clusters = [one.cluster for one in index]
    assert len(set(clusters)) == len(clusters)


def test_two_clusters_with_one_namespace_and_selector_are_two_targets(store: K8sHealthHistoryStore) -> None:
    """In one run, in what is counted, in incidents, in what is shown last."""
    for minute, level in enumerate(("OK", "ERROR", "OK")):
        store.append(check(level, at=at(minute), cluster="conn-east"), run_id="r", target="east")
        store.append(check("ERROR", at=at(minute), cluster="conn-west"), run_id="r", target="west")
    east, west = store.targets()
    assert [(one.name, one.cluster, one.ok, one.error) for one in (east, west)] == [
        ("east", "conn-east", 2, 1),
        ("west", "conn-west", 0, 1),
    ], "the west found the same three times"
    assert store.open_run(*WHERE, cluster="conn-east") == []
    assert [record.target for record in store.open_run(*WHERE, cluster="conn-west")] == ["west"]
    assert [record.timestamp for record in store.load_recent(of=east)] == [at(0), at(1), at(2)]
    with pytest.raises(InputError, match=r"2 targets have namespace .*east on conn-east, west on conn-west.*say which"):
        store.open_run(*WHERE)


def test_their_incidents_have_ids_of_their_own(store: K8sHealthHistoryStore) -> None:
    ids = set()
    for one in (EAST, WEST):
        record = store.append(check("ERROR", cluster=one["cluster"]), target=one["target"])
        incident = build_incident([record], [], at(1))
        assert incident is not None
        assert (incident.target, incident.cluster) == (one["target"], one["cluster"])
        ids.add(incident.id)
    assert len(ids) == 2


def test_an_incident_that_lasts_over_an_upgrade_keeps_its_id(store: K8sHealthHistoryStore) -> None:
    """Its first record named no cluster; those after it do."""
    store.path.write_bytes(line("OK", at(0), target="tuning") + line("ERROR", at(1), target="tuning"))
    before = build_incident(store.open_run(*WHERE), [], at(2))
    store.append(check("ERROR", at=at(2), cluster="kubernetes_default"), target="tuning", run_id="r")
    run = store.open_run(*WHERE, target="tuning", cluster="kubernetes_default")
    after = build_incident(run, [], at(3))
    assert before is not None
    assert after is not None
    assert before.id == after.id == incident_id(*WHERE, at(1))
    assert (after.started_at, after.cluster) == (at(1), "kubernetes_default")
    assert len(store.targets()) == 1


def test_retention_keeps_what_each_targets_incident_rests_on(store: K8sHealthHistoryStore) -> None:
    lines = [line("ERROR", at(0), **EAST), line("OK", at(1), **WEST), line("ERROR", at(2), **EAST)]
    store.path.write_bytes(b"".join(lines) + line("OK", at(3), **WEST) * 3)
    store.prune(RetentionPolicy(max_records=1))
    assert [record.timestamp for record in store.load_recent(of=store.find(*WHERE, cluster="conn-east"))] == [
        at(0),
        at(2),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_targets_are_the_same_however_they_are_counted(tmp_path: Path, seed: int) -> None:
    """All lines at once, and each as it comes, in any mixture of versions."""
    chance = random.Random(seed)
    who = [{}, {"target": "east"}, EAST, WEST, {"cluster": "conn-east"}]
    lines = [line(chance.choice(["OK", "WARN"]), at(minute), **chance.choice(who)) for minute in range(20)]
    at_once, one_by_one = tmp_path / "at_once.jsonl", tmp_path / "one_by_one.jsonl"
    at_once.write_bytes(b"".join(lines))
    for one in lines:
        with one_by_one.open("ab") as file:
            file.write(one)
        targets = K8sHealthHistoryStore(one_by_one).targets()
    found_each = [
        [(one.cluster, one.ok, one.warn, one.last, one.previous, one.open_since) for one in found]
        for found in (K8sHealthHistoryStore(at_once).targets(), targets)
    ]
    assert found_each[0] == found_each[1]


def test_each_cluster_has_its_snapshot_and_an_older_one_stays_its_targets(tmp_path: Path) -> None:
    looks = LatestStore(tmp_path)
    looks.keep(LatestSnapshot(*WHERE, at(0), target="east"))
    for one in (EAST, WEST):
        assert (looks.read(*WHERE, **one) is None) == (one is WEST), "what was kept before is the east's"
    for minute, one in enumerate((EAST, WEST), 1):
        looks.keep(LatestSnapshot(*WHERE, at(minute), **one))
    assert [looks.read(*WHERE, **one).timestamp for one in (EAST, WEST)] == [at(1), at(2)]  # type: ignore[union-attr]
    newest = looks.read(*WHERE)
    assert newest is not None
    assert newest.cluster == "conn-west"
