"""Retention: what is past the limits goes, what an incident or a reader rests on stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples

from k8s_tuning import timestamps
from k8s_tuning.errors import InputError
from k8s_tuning.stages.history.store import K8sHealthHistoryStore, RetentionPolicy
from k8s_tuning.storage import jsonl

NOON = datetime(2025, 11, 16, 12, tzinfo=UTC)
NOW = timestamps.to_text(NOON)


def line(number: int, health: str = "OK", namespace: str = "a", days_old: float = 0, **more: object) -> bytes:
    at = timestamps.to_text(NOON - timedelta(days=days_old))
    fields = {"timestamp": at, "namespace": namespace, "selector": "app=x", "overall_health": health}
    counts = {"jobs_ok": number, "jobs_warn": 0, "jobs_error": 0}
    return json.dumps(fields | counts | more).encode() + b"\n"


def numbers(store: K8sHealthHistoryStore) -> list[int]:
    return [record.jobs_ok for record in store.load_recent(10_000)]


@pytest.fixture
def store(tmp_path: Path) -> K8sHealthHistoryStore:
    return K8sHealthHistoryStore(tmp_path / "history.jsonl")


def test_drops_by_age_and_by_count_of_each_target(store: K8sHealthHistoryStore) -> None:
    store.path.write_bytes(
        line(1, days_old=40)
        + line(2, days_old=20)
        + line(3, days_old=10, namespace="b")
        + line(4, days_old=9)
        + line(5, days_old=8)
    )
    result = store.prune(RetentionPolicy(max_age_days=30, max_records=2), NOW)
    assert numbers(store) == [3, 4, 5]
    assert (result.kept, result.dropped_by_age, result.dropped_by_count) == (3, 0, 2)
    assert result.dropped == {"a app=x": 2}
    assert store.prune(RetentionPolicy(max_age_days=9.5), NOW).dropped_by_age == 0, "b's newest record stays"
    assert store.summarize()["total_records"] == 3


def test_an_open_incident_keeps_its_start_however_old(store: K8sHealthHistoryStore) -> None:
    levels = ["ERROR", "OK", "WARN", "ERROR", "ERROR", "ERROR"]
    store.path.write_bytes(b"".join(line(number, level, days_old=100 - number) for number, level in enumerate(levels)))
    before = store.open_run("a", "app=x")[0]
    store.prune(RetentionPolicy(max_age_days=1, max_records=1), NOW)
    assert numbers(store) == [1, 2, 5], "and the OK before it, which parts it from an earlier one"
    assert store.open_run("a", "app=x")[0] == before


def test_lines_that_stay_are_the_same_bytes(store: K8sHealthHistoryStore) -> None:
    """Fields of a later version survive."""
    kept = line(2, later={"이름": [1]})
    store.path.write_bytes(line(1) + kept)
    assert store.prune(RetentionPolicy(max_records=2), NOW).total_dropped == 0
    assert store.prune(RetentionPolicy(max_records=1), NOW).total_dropped == 1
    assert store.path.read_bytes() == kept


UNREADABLE = {
    "torn": b"torn{",
    "NULs": b"\0" * 40,
    "no UTF-8": b"\xff\xfe",
    "other JSON": b'{"a": 1}',
    "blank": b"",
    "without a readable time": line(9).replace(b"2025-11-16T12:00:00Z", b"yesterday")[:-1],
    "of a later version": b'{"timestamp": "2025-11-16T12:00:00Z", "version": 9}',
    "longer than any line": b"x" * (jsonl.MAX_LINE_BYTES + 1),
}


@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE)
def test_lines_that_cannot_be_read_stay_where_they_are(store: K8sHealthHistoryStore, unreadable: bytes) -> None:
    """They may be a person's to repair, or a later version's."""
    old, new = line(1, days_old=40), line(2)
    store.path.write_bytes(unreadable + b"\n" + old + unreadable + b"\n" + new + unreadable)
    assert store.prune(RetentionPolicy(max_age_days=30), NOW).total_dropped == 1
    assert store.path.read_bytes() == unreadable + b"\n" + unreadable + b"\n" + new + unreadable


def test_a_missing_history_and_no_limit_do_nothing(store: K8sHealthHistoryStore) -> None:
    assert store.prune(RetentionPolicy(max_age_days=1), NOW).kept == 0
    assert not store.path.exists()
    store.path.write_bytes(line(1, days_old=9999))
    assert store.prune(RetentionPolicy(), NOW).total_dropped == 0
    assert numbers(store) == [1]


@pytest.mark.parametrize("limits", [{"max_age_days": 0}, {"max_age_days": -1}, {"max_records": 0}])
def test_limits_that_would_drop_everything_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(limits))):
        RetentionPolicy(**limits)


RECORDS = st.lists(
    st.tuples(st.sampled_from(["OK", "WARN", "ERROR"]), st.sampled_from("ab"), st.integers(0, 9)), max_size=20
)


@settings(max_examples=examples(60))
@given(records=RECORDS, age=st.none() | st.integers(1, 9), count=st.none() | st.integers(1, 6))
def test_nothing_within_both_limits_is_lost_and_incidents_stand(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[str, str, int]],
    age: int | None,
    count: int | None,
) -> None:
    """What is dropped is past a limit; order stays; every target's newest record and open run are as before."""
    store = K8sHealthHistoryStore(tmp_path_factory.mktemp("retention") / "history.jsonl")
    rows = list(enumerate(records))
    store.path.write_bytes(b"".join(line(number, *record) for number, record in rows))
    starts = {target.namespace: target.open_since for target in store.targets()}
    newest = {target.namespace: target.last for target in store.targets()}
    result = store.prune(RetentionPolicy(age, count), NOW)
    left = numbers(store)
    assert left == sorted(left)
    for number, (_, namespace, days_old) in rows:
        newer = sum(1 for later, record in rows if later > number and record[1] == namespace)
        if (age is None or days_old <= age) and (count is None or newer < count):
            assert number in left
    assert {target.namespace: target.open_since for target in store.targets()} == starts
    assert {target.namespace: target.last for target in store.targets()} == newest
    if age or count:
        assert (result.kept, result.total_dropped) == (len(left), len(rows) - len(left))
        assert store.prune(RetentionPolicy(age, count), NOW).total_dropped == 0, "once more drops nothing"
