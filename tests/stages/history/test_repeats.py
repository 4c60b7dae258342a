"""A run that is repeated: what it finds anew is recorded, what it found before is not recorded twice."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.history_lines import NAMESPACE, SELECTOR, check, line

from k8s_tuning.stages.health.evaluate import HealthLevel, K8sHealthSnapshot
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.timestamps import to_datetime, to_text

START = to_datetime("2025-11-16T10:00:00Z")


def found(minute: int, *levels: str, **more: str) -> K8sHealthSnapshot:
    return check(*levels, at=to_text(START + timedelta(minutes=minute)), **more)


@pytest.fixture
def store(tmp_path: Path) -> K8sHealthHistoryStore:
    return K8sHealthHistoryStore(tmp_path / "history.jsonl")


def recorded(store: K8sHealthHistoryStore) -> list[tuple[str | None, HealthLevel]]:
    return [(record.run_id, record.overall_health) for record in store.load_recent(1000)]


def test_a_run_that_is_cleared_and_finds_the_same_changes_nothing(store: K8sHealthHistoryStore) -> None:
    first = store.append(found(0, "ERROR"), run_id="r")
    assert store.append(found(30, "ERROR"), run_id="r") == first
    assert store.load_recent() == [first]


@pytest.mark.parametrize("states", ["OE", "EO", "OEO", "EOE", "OWEW", "EEOOEE"])
def test_a_run_that_is_cleared_and_finds_another_state_records_it(store: K8sHealthHistoryStore, states: str) -> None:
    levels = [{"O": "OK", "W": "WARN", "E": "ERROR"}[letter] for letter in states]
    for minute, level in enumerate(levels):
        assert store.append(found(minute, level), run_id="r").overall_health == level
    changes = [level for at, level in enumerate(levels) if at == 0 or level != levels[at - 1]]
    assert recorded(store) == [("r", level) for level in changes]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("another Job", lambda one: setattr(one.jobs_health[0], "job_name", "arb-tuning-other")),
        ("another reason", lambda one: setattr(one.jobs_health[0], "reasons", ["image_pull"])),
        ("another phase", lambda one: setattr(one.jobs_health[0], "phase", "FAILED")),
        ("one Job more", lambda one: one.jobs_health.append(found(0, "ERROR").jobs_health[0])),
        ("something unread", lambda one: one.errors.append("logs: 403")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_that_a_reader_would_call_new_is_recorded(store: K8sHealthHistoryStore, name: str, change) -> None:
    store.append(found(0, "ERROR"), run_id="r")
    again = found(1, "ERROR")
    change(again)
    store.append(again, run_id="r")
    assert len(store.load_recent()) == 2, name


def test_words_that_differ_each_time_are_nothing_new(store: K8sHealthHistoryStore) -> None:
    for minute, waited in enumerate(("3.02 s", "3.11 s")):
        again = found(minute, "WARN")
        again.errors.append(f"no answer after {waited}")
        again.jobs_health[0].cause = f"pulls for {waited}"
        store.append(again, run_id="r")
    assert len(store.load_recent()) == 1


def test_the_retry_of_a_task_records_its_check_once_whatever_other_runs_found_since(
    store: K8sHealthHistoryStore,
) -> None:
    first = store.append(found(0, "ERROR"), run_id="r")
    store.append(found(5, "OK"), run_id="monitor")
    store.append(found(6, "OK"), run_id="r")
    assert store.append(found(0, "ERROR"), run_id="r") == first
    assert len(store.load_recent()) == 3


def test_a_run_that_finds_again_what_others_have_contradicted_since_records_it(store: K8sHealthHistoryStore) -> None:
    store.append(found(0, "ERROR"), run_id="r")
    store.append(found(5, "OK"), run_id="monitor")
    store.append(found(10, "ERROR"), run_id="r")
    assert recorded(store) == [("r", "ERROR"), ("monitor", "OK"), ("r", "ERROR")]


def test_other_runs_that_found_the_same_meanwhile_make_a_repeat_no_news(store: K8sHealthHistoryStore) -> None:
    store.append(found(0, "ERROR"), run_id="r")
    for minute in (5, 10):
        store.append(found(minute, "ERROR"), run_id=f"monitor-{minute}")
    store.append(found(12, "ERROR"), run_id="r")
    assert len(store.load_recent()) == 3


def test_targets_and_runs_are_apart(store: K8sHealthHistoryStore) -> None:
    for run in ("r", "s"):
        for namespace in (NAMESPACE, "other"):
            store.append(found(0, "OK", namespace=namespace), run_id=run)
    assert len(store.load_recent()) == 4


@pytest.mark.parametrize(("level", "lines"), [("ERROR", 1), ("OK", 2)], ids=["the same", "another state"])
def test_records_that_an_older_version_wrote_are_compared_by_what_they_hold(
    store: K8sHealthHistoryStore, level: str, lines: int
) -> None:
    counts = {"jobs_ok": 0, "jobs_warn": 0, "jobs_error": 1, "reasons": {"oom_killed": 1}}
    store.path.write_bytes(line("ERROR", run_id="r", **counts))
    store.append(found(1, level), run_id="r")
    assert len(store.load_recent()) == lines


@given(steps=st.lists(st.tuples(st.sampled_from("rs"), st.sampled_from(["OK", "WARN", "ERROR"])), max_size=12))
def test_whatever_runs_are_repeated_the_newest_record_shows_what_was_found_last(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    """Never deaf; and no run's two records in a row say the same."""
    store = K8sHealthHistoryStore(tmp_path_factory.mktemp("h") / "history.jsonl")
    for minute, (run, level) in enumerate(steps):
        for _ in range(2):  # the task's retry
            store.append(found(minute, level), run_id=run)
        newest = store.load_recent(1, namespace=NAMESPACE, selector=SELECTOR)[0]
        assert newest.overall_health == level
    pairs = recorded(store)
    assert all(one != two for one, two in itertools.pairwise(pairs))
