"""Tuning sessions as files: what is kept, found, followed and removed."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from tests.stages.sessions.samples import (
    APPLIED,
    NAMESPACE,
    at,
    everything,
    nothing,
    session,
    snapshot,
)

from k8s_tuning.errors import StoreError
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.health.last_seen import GONE, LastSeen
from k8s_tuning.stages.sessions.session import (
    UNSEEN,
    SeenJob,
    SessionJob,
    TuningSession,
    sessions_of,
)
from k8s_tuning.stages.sessions.store import SessionStore


class TestSessionStore:
    def test_a_session_is_kept_and_its_progress_followed(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path / "sessions")
        store.applied(session("a", "b"))
        store.seen(NAMESPACE, "s-1", {"a": SeenJob("RUNNING", at(1))}, at(2))
        store.seen(NAMESPACE, "s-1", {"a": SeenJob("RUNNING", at(1))}, at(2))
        found = SessionStore(tmp_path / "sessions").read(NAMESPACE, "s-1")
        assert found is not None
        assert [job.phase for job in found.jobs] == ["RUNNING", GONE]
        assert (tmp_path / "sessions" / NAMESPACE / "s-1.json").is_file()

    def test_a_snapshot_is_taken_into_every_session_that_it_shows_jobs_of(self, tmp_path: Path) -> None:
        """But not into one of which it shows nothing: that may run on another cluster, in a namespace of that name."""
        store = SessionStore(tmp_path)
        for name in ("s-1", "s-2", "elsewhere"):
            store.applied(session(f"{name}-job", f"{name}-more", session_id=name))
        store.applied(TuningSession("other", "s-1", None, APPLIED, jobs=[SessionJob("s-1-job")]))
        checked = snapshot(("s-1-job", "SUCCEEDED"), ("s-2-job", "FAILED"), ("nobodys", "RUNNING"))
        assert store.checked(checked, everything) == 2
        assert {(one.namespace, one.session_id): [job.phase for job in one.jobs] for one in store.list()} == {
            (NAMESPACE, "s-1"): ["SUCCEEDED", GONE],
            (NAMESPACE, "s-2"): ["FAILED", GONE],
            (NAMESPACE, "elsewhere"): [UNSEEN, UNSEEN],
            ("other", "s-1"): [UNSEEN],
        }

    def test_the_run_that_applied_a_session_knows_that_none_of_its_jobs_is_left(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        store.applied(session("a"))
        assert store.checked(snapshot(), everything, "dag/run-2") == 0
        assert store.checked(snapshot(), everything, "dag/run-1") == 1
        (found,) = store.list()
        assert found.jobs[0].phase == GONE

    def test_a_list_of_jobs_that_could_not_be_read_makes_none_gone(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        store.applied(session("a"))
        assert store.checked(snapshot(listed=False), everything, "dag/run-1") == 1
        (found,) = store.list()
        assert found.jobs[0].phase == UNSEEN

    def test_why_a_job_failed_is_kept_and_a_check_that_did_not_ask_forgets_nothing(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        store.applied(session("a", "b"))
        killed = SeenJob("FAILED", at(1), at(2), ["oom_killed"], "메모리 부족 🔥", 137, failed=1)
        store.seen(NAMESPACE, "s-1", {"a": killed, "b": SeenJob("RUNNING", at(1))}, at(2))
        store.seen(
            NAMESPACE, "s-1", {"a": SeenJob("FAILED", at(1), at(2), failed=1), "b": SeenJob("RUNNING", at(1))}, at(3)
        )
        store.applied(session("a", "b"))
        store.seen(NAMESPACE, "s-1", {}, at(4))
        last = SessionStore(tmp_path).last_seen(NAMESPACE, ["a", "b", "never"])
        assert last["a"] == LastSeen(
            "FAILED", ["oom_killed"], "메모리 부족 🔥", 137, failed=1, labels={"session_id": "s-1"}, alive_at=APPLIED
        )
        assert (last["b"].phase, last["b"].alive_at) == (GONE, at(3))
        assert last.keys() == {"a", "b"}
        assert store.last_seen("other", ["a"]) == {}

    def test_the_reasons_of_a_snapshot_are_its_healths(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        store.applied(session("a", "b"))
        checked = snapshot(("a", "FAILED"), ("b", "SUCCEEDED"))
        checked.jobs[0].condition_reason, checked.jobs[0].condition_message = "DeadlineExceeded", "too long"
        store.checked(checked, everything, health=K8sHealthEvaluator().evaluate(checked))
        last = store.last_seen(NAMESPACE, ["a", "b"])
        assert "deadline_exceeded" in last["a"].reasons
        assert "too long" in (last["a"].cause or "")
        assert (last["b"].phase, last["b"].reasons) == ("SUCCEEDED", [])

    def test_of_two_sessions_with_a_job_of_one_name_the_one_applied_last_counts(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        for name, second in (("new", 9), ("old", 1)):
            store.applied(session("a", session_id=name, applied_at=at(second)))
        store.seen(NAMESPACE, "old", {"a": SeenJob("SUCCEEDED")}, at(2))
        assert store.last_seen(NAMESPACE, ["a"])["a"].phase == UNSEEN

    def test_a_file_of_an_earlier_version_is_read(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        store.applied(session("a"))
        path = tmp_path / NAMESPACE / "s-1.json"
        kept = orjson.loads(path.read_bytes())
        for name in ("ttl_seconds", "alive_at", "reasons", "cause", "exit_code", "succeeded", "failed"):
            del kept["jobs"][0][name]
        path.write_bytes(orjson.dumps(kept))
        assert store.read(NAMESPACE, "s-1") == session("a")

    def test_what_nobody_applied_has_no_session(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path / "sessions")
        store.seen(NAMESPACE, "s-1", {"a": SeenJob("RUNNING")}, at(1))
        assert store.checked(snapshot(("a", "RUNNING")), everything) == 0
        assert store.read(NAMESPACE, "s-1") is None
        assert store.list() == []
        assert not (tmp_path / "sessions").exists()

    @pytest.mark.parametrize(
        "name",
        [("..", "s"), (NAMESPACE, "../../etc/passwd"), (NAMESPACE, ""), (NAMESPACE, ".."), ("A", "s"), ("", "s")],
    )
    def test_no_name_leads_out_of_the_folder(self, tmp_path: Path, name: tuple[str, str]) -> None:
        """Namespace and id come from the page's address too."""
        store = SessionStore(tmp_path / "sessions")
        store.applied(TuningSession(*name, None, APPLIED))
        assert list(tmp_path.iterdir()) == []
        assert store.read(*name) is None
        store.seen(*name, {}, at(1))
        assert list(tmp_path.iterdir()) == []

    def test_the_newest_come_first(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        for name, second in (("b", 1), ("a", 3), ("c", 2)):
            store.applied(session("j", session_id=name, applied_at=at(second)))
        assert [one.session_id for one in store.list()] == ["a", "c", "b"]

    def test_a_damaged_session_hides_no_other(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        for name in ("torn", "whole"):
            store.applied(session("j", session_id=name))
        (tmp_path / NAMESPACE / "torn.json").write_text("{")
        with pytest.raises(StoreError, match=r"torn\.json: damaged"):
            store.read(NAMESPACE, "torn")
        merged: list[str] = []
        assert [one.session_id for one in store.list(merged.append)] == ["whole"]
        assert [text.partition(": ")[0].rpartition("/")[2] for text in merged] == ["torn.json"]
        assert store.checked(snapshot(("j", "RUNNING")), everything) == 1
        store.applied(session("j", session_id="torn"))
        assert store.read(NAMESPACE, "torn") == session("j", session_id="torn")

    def test_writers_at_once_lose_none_of_each_others_facts(self, tmp_path: Path) -> None:
        names = [f"job-{number}" for number in range(30)]
        SessionStore(tmp_path).applied(session(*names))

        def add(name: str) -> None:
            SessionStore(tmp_path).checked(snapshot((name, "SUCCEEDED")), nothing)
            SessionStore(tmp_path).applied(session(*names))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, names))
        found = SessionStore(tmp_path).read(NAMESPACE, "s-1")
        assert found is not None
        assert {job.phase for job in found.jobs} == {"SUCCEEDED"}

    def test_pruning_takes_what_was_neither_applied_nor_seen_for_so_long(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        for name in ("old", "seen", "new"):
            applied = "2025-11-15T00:00:00Z" if name == "new" else "2025-11-01T00:00:00Z"
            store.applied(session("j", session_id=name, applied_at=applied))
        store.seen(NAMESPACE, "seen", {"j": SeenJob("RUNNING")}, "2025-11-14T00:00:00Z")
        assert store.prune(5, APPLIED) == 1
        assert [one.session_id for one in store.list()] == ["new", "seen"]


TTL = {"ttlSecondsAfterFinished": 5}


@pytest.mark.parametrize(
    ("phase", "spec", "ran"),
    [
        ("SUCCEEDED", {}, "SUCCEEDED"),
        ("FAILED", {}, "FAILED"),
        ("FAILED", TTL, "FAILED"),
        ("RUNNING", {}, None),
        ("GONE", {}, None),
        ("UNSEEN", {}, None),
        ("GONE", TTL, "GONE"),
        ("RUNNING", TTL, "GONE"),
        ("UNSEEN", TTL, "GONE"),
    ],
)
def test_which_jobs_ran_already(tmp_path: Path, phase: str, spec: dict[str, int], ran: str | None) -> None:
    """Seen to end, or applied with a TTL: one that is not in the cluster any more has then ended."""
    spec = {"template": {}, **spec}
    job = {"metadata": {"name": "a", "namespace": "n", "labels": {"session_id": "s"}}, "spec": spec}
    (session,) = sessions_of([job], "d/r", "2025-11-16T10:00:00Z")
    store = SessionStore(tmp_path)
    store.applied(dataclasses.replace(session, jobs=[dataclasses.replace(session.jobs[0], phase=phase)]))
    assert store.ran([job]) == ({("n", "a"): ran} if ran else {})
    assert store.ran([job | {"spec": spec | {"parallelism": 2}}]) == {}, "another spec has not run"
    assert SessionStore(tmp_path / "none").ran([job]) == {}
