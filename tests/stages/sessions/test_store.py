"""Tuning sessions: what was applied, and how far it was seen to come, in whatever order checks come."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import StoreError
from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator, job_manifest
from k8s_tuning.stages.generate.session import load_session
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.health.last_seen import GONE, LastSeen
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot
from k8s_tuning.stages.sessions.store import (
    UNSEEN,
    SeenJob,
    SessionJob,
    SessionStore,
    TuningSession,
    merge_applied,
    merge_seen,
    seen_job,
    sessions_of,
)

NAMESPACE = "trading-bots"
APPLIED = "2025-11-16T10:00:00Z"
CONFIGS = Path(__file__).parents[3] / "include" / "configs"


def at(second: int) -> str:
    return f"2025-11-16T10:{second // 60:02d}:{second % 60:02d}Z"


def everything(_: Any) -> bool:
    return True


def nothing(_: Any) -> bool:
    return False


def session(*names: str, **more: Any) -> TuningSession:
    fields = {"session_id": "s-1", "run_id": "dag/run-1", "applied_at": APPLIED} | more
    return TuningSession(NAMESPACE, jobs=[SessionJob(name, labels={"session_id": "s-1"}) for name in names], **fields)


def snapshot(*jobs: tuple[str, str], listed: bool = True) -> K8sMonitorSnapshot:
    """A check one second after the apply."""
    found = [K8sJobStatus(name, NAMESPACE, {}, 1, 0, 0, 0, phase) for name, phase in jobs]
    return K8sMonitorSnapshot(NAMESPACE, "app=arbitrage-tuning", found, [], at(1), jobs_listed=listed)


def phase_after(*looks: tuple[int, str | None]) -> str:
    """The phase of one Job after looks at it, each (second, phase or None where it was not there)."""
    merged = session("a")
    for second, phase in looks:
        merged = merge_seen(merged, {} if phase is None else {"a": SeenJob(phase)}, at(second), everything)
    return merged.jobs[0].phase


class TestSessionsOf:
    def test_jobs_are_read_as_they_were_generated(self) -> None:
        config = load_session(CONFIGS / "search-example.yaml")
        manifests = [job_manifest(job) for job in build_k8s_jobs_from_orchestrator(config)]
        (found,) = sessions_of(manifests, "dag/run", APPLIED)
        assert (found.namespace, found.session_id) == (config.k8s_namespace, config.session_id)
        assert (found.run_id, found.applied_at, found.seen_at) == ("dag/run", APPLIED, None)
        assert len(found.jobs) == len(manifests)
        first = found.jobs[0]
        assert (first.worker_id, first.image, first.phase) == ("worker-1", config.image, UNSEEN)
        assert first.parameters == orjson.loads(manifests[0]["metadata"]["annotations"]["k8s-tuning.io/parameters"])
        assert first.parameters
        assert first.args[0] == "scripts/run_d24_tuning_session.py"
        assert first.ttl_seconds == config.ttl_seconds_after_finished == 86_400

    def test_sessions_and_namespaces_are_kept_apart_and_other_jobs_left_out(self) -> None:
        def manifest(name: str, **metadata: Any) -> dict[str, Any]:
            return {"metadata": {"name": name, **metadata}, "spec": {}}

        found = sessions_of(
            [
                manifest("a", namespace="x", labels={"session_id": "s"}),
                manifest("b", labels={"session_id": "s"}, annotations={"k8s-tuning.io/parameters": "{torn"}),
                manifest("c", namespace="x", labels={"session_id": "t", "worker_id": "w"}, annotations=None),
                manifest("d", namespace="x"),
                manifest("e", namespace="x", labels={"session_id": "../up"}),
            ],
            None,
            APPLIED,
        )
        assert [(one.namespace, one.session_id, [job.name for job in one.jobs]) for one in found] == [
            ("x", "s", ["a"]),
            ("default", "s", ["b"]),
            ("x", "t", ["c"]),
        ]
        assert [one.jobs[0].parameters for one in found] == [{}, {}, {}]


class TestMergeSeen:
    def test_a_job_takes_its_phase_and_times_from_the_look(self) -> None:
        raw = {
            "metadata": {"name": "a"},
            "status": {
                "startTime": at(1),
                "conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": at(9)}],
            },
        }
        merged = merge_seen(
            session("a", "b"), {"a": seen_job(job_status(raw)), "c": SeenJob("RUNNING")}, at(10), nothing
        )
        first, second = merged.jobs
        assert (first.phase, first.started_at, first.ended_at, first.seen_at) == ("FAILED", at(1), at(9), at(10))
        assert (second.phase, second.seen_at) == (UNSEEN, None)
        assert merged.seen_at == at(10)

    @pytest.mark.parametrize(
        ("looks", "phase"),
        [
            pytest.param([(1, "RUNNING"), (2, None)], GONE, id="gone while it ran"),
            pytest.param([(1, None)], GONE, id="never seen at all"),
            pytest.param([(0, None)], UNSEEN, id="a check as old as the apply may be from before it"),
            pytest.param([(1, "SUCCEEDED"), (2, None)], "SUCCEEDED", id="its end was seen"),
            pytest.param([(1, "FAILED"), (2, None)], "FAILED", id="its bad end was seen"),
            pytest.param([(2, None), (1, "SUCCEEDED")], "SUCCEEDED", id="its end comes late"),
            pytest.param([(2, None), (1, "RUNNING")], GONE, id="an older check of a gone Job"),
            pytest.param([(1, None), (2, "PENDING")], "PENDING", id="there again"),
            pytest.param([(2, "SUCCEEDED"), (1, "RUNNING")], "SUCCEEDED", id="an older check that comes late"),
            pytest.param([(1, "FAILED"), (2, "RUNNING")], "RUNNING", id="deleted and made anew"),
            pytest.param([(1, "SUCCEEDED"), (1, "RUNNING")], "SUCCEEDED", id="two looks in one second"),
            pytest.param([(1, "NEW"), (2, None)], GONE, id="a phase that nobody knows"),
        ],
    )
    def test_the_rules(self, looks: list[tuple[int, str | None]], phase: str) -> None:
        assert phase_after(*looks) == phase

    def test_a_look_that_would_not_show_a_job_proves_nothing(self) -> None:
        merged = merge_seen(session("a"), {"a": SeenJob("RUNNING")}, at(1), everything)
        assert merge_seen(merged, {}, at(2), nothing) == merged
        other = merge_seen(merged, {}, at(2), lambda labels: labels.get("session_id") == "other")
        assert other == merged
        assert merge_seen(merged, {}, at(2), lambda labels: labels["session_id"] == "s-1").jobs[0].phase == GONE

    @given(st.data())
    def test_a_jobs_life_ends_the_same_in_whatever_order_and_however_often_it_is_reported(
        self, data: st.DataObject
    ) -> None:
        """Triggerer and worker write each what they saw, when they get to it."""
        path = ["PENDING", "UNKNOWN", "RUNNING", data.draw(st.sampled_from(["SUCCEEDED", "FAILED"]))]
        stages = sorted(data.draw(st.lists(st.integers(0, len(path) - 1), max_size=6)))
        life = [*(path[stage] for stage in stages), *[None] * data.draw(st.integers(0, 2))]
        seconds = sorted(data.draw(st.lists(st.integers(1, 100), min_size=len(life), max_size=len(life), unique=True)))
        looks = list(zip(seconds, life, strict=True))
        shuffled = data.draw(st.permutations(looks * 2))
        assert phase_after(*shuffled) == phase_after(*looks)

    @given(
        looks=st.lists(
            st.tuples(st.integers(1, 5), st.sampled_from(["PENDING", "RUNNING", "SUCCEEDED", "FAILED", None])),
            max_size=8,
        )
    )
    def test_whatever_comes_an_older_look_undoes_no_newer_one(self, looks: list[tuple[int, str | None]]) -> None:
        merged = session("a")
        for second, phase in looks:
            before = merged.jobs[0]
            merged = merge_seen(merged, {} if phase is None else {"a": SeenJob(phase)}, at(second), everything)
            now = merged.jobs[0]
            if now != before and now.seen_at < (before.seen_at or ""):  # type: ignore[operator]
                assert before.phase == GONE
                assert now.phase in ("SUCCEEDED", "FAILED")
            if phase is None and before.phase in ("SUCCEEDED", "FAILED"):
                assert now == before
            if phase is not None and (before.seen_at or "") < at(second):
                assert (now.phase, now.seen_at) == (phase, at(second))
        assert merged.seen_at == max((at(second) for second, _ in looks), default=None)
        assert [job.name for job in merged.jobs] == ["a"]


class TestMergeApplied:
    def test_applying_again_keeps_what_was_seen_and_takes_in_new_jobs(self) -> None:
        seen = merge_seen(session("a", "b"), {"a": SeenJob("RUNNING", at(1))}, at(5), nothing)
        again = session("b", "c", run_id="dag/run-2", applied_at=at(60))
        merged = merge_applied(seen, again)
        assert (merged.run_id, merged.applied_at, merged.seen_at) == ("dag/run-2", at(60), at(5))
        assert [(job.name, job.phase) for job in merged.jobs] == [("a", "RUNNING"), ("b", UNSEEN), ("c", UNSEEN)]

    def test_an_older_apply_that_is_reported_late_stays_the_older_one(self) -> None:
        merged = merge_applied(session("a", applied_at=at(60)), session("b", run_id="late", applied_at=at(0)))
        assert (merged.run_id, merged.applied_at) == ("dag/run-1", at(60))
        assert {job.name for job in merged.jobs} == {"a", "b"}

    def test_the_same_apply_reported_twice_changes_nothing(self) -> None:
        seen = merge_seen(session("a"), {"a": SeenJob("SUCCEEDED")}, at(5), everything)
        assert merge_applied(seen, session("a")) == seen


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
        look = snapshot(("s-1-job", "SUCCEEDED"), ("s-2-job", "FAILED"), ("nobodys", "RUNNING"))
        assert store.looked(look, everything) == 2
        assert {(one.namespace, one.session_id): [job.phase for job in one.jobs] for one in store.list()} == {
            (NAMESPACE, "s-1"): ["SUCCEEDED", GONE],
            (NAMESPACE, "s-2"): ["FAILED", GONE],
            (NAMESPACE, "elsewhere"): [UNSEEN, UNSEEN],
            ("other", "s-1"): [UNSEEN],
        }

    def test_the_run_that_applied_a_session_knows_that_none_of_its_jobs_is_left(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        store.applied(session("a"))
        assert store.looked(snapshot(), everything, "dag/run-2") == 0
        assert store.looked(snapshot(), everything, "dag/run-1") == 1
        (found,) = store.list()
        assert found.jobs[0].phase == GONE

    def test_a_list_of_jobs_that_could_not_be_read_makes_none_gone(self, tmp_path: Path) -> None:
        store = SessionStore(tmp_path)
        store.applied(session("a"))
        assert store.looked(snapshot(listed=False), everything, "dag/run-1") == 1
        (found,) = store.list()
        assert found.jobs[0].phase == UNSEEN

    def test_why_a_job_failed_is_kept_and_a_look_that_did_not_ask_forgets_nothing(self, tmp_path: Path) -> None:
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
        look = snapshot(("a", "FAILED"), ("b", "SUCCEEDED"))
        look.jobs[0].condition_reason, look.jobs[0].condition_message = "DeadlineExceeded", "too long"
        store.looked(look, everything, health=K8sHealthEvaluator().evaluate(look))
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
        assert store.looked(snapshot(("a", "RUNNING")), everything) == 0
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
        assert store.looked(snapshot(("j", "RUNNING")), everything) == 1
        store.applied(session("j", session_id="torn"))
        assert store.read(NAMESPACE, "torn") == session("j", session_id="torn")

    def test_writers_at_once_lose_none_of_each_others_facts(self, tmp_path: Path) -> None:
        names = [f"job-{number}" for number in range(30)]
        SessionStore(tmp_path).applied(session(*names))

        def tell(name: str) -> None:
            SessionStore(tmp_path).looked(snapshot((name, "SUCCEEDED")), nothing)
            SessionStore(tmp_path).applied(session(*names))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(tell, names))
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
