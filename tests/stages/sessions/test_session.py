"""What was applied of a session, and how far it was seen to come, in whatever order checks come."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.sessions.samples import (
    APPLIED,
    CONFIGS,
    at,
    everything,
    nothing,
    phase_after,
    session,
)

from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator, job_manifest
from k8s_tuning.stages.generate.session import load_session
from k8s_tuning.stages.health.last_seen import GONE
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.sessions.session import (
    UNSEEN,
    SeenJob,
    merge_applied,
    merge_seen,
    seen_job,
    sessions_of,
)


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
    def test_a_job_takes_its_phase_and_times_from_the_check(self) -> None:
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
        ("checks", "phase"),
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
            pytest.param([(1, "SUCCEEDED"), (1, "RUNNING")], "SUCCEEDED", id="two checks in one second"),
            pytest.param([(1, "NEW"), (2, None)], GONE, id="a phase that nobody knows"),
        ],
    )
    def test_the_rules(self, checks: list[tuple[int, str | None]], phase: str) -> None:
        assert phase_after(*checks) == phase

    def test_a_check_that_would_not_show_a_job_proves_nothing(self) -> None:
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
        checks = list(zip(seconds, life, strict=True))
        shuffled = data.draw(st.permutations(checks * 2))
        assert phase_after(*shuffled) == phase_after(*checks)

    @given(
        checks=st.lists(
            st.tuples(st.integers(1, 5), st.sampled_from(["PENDING", "RUNNING", "SUCCEEDED", "FAILED", None])),
            max_size=8,
        )
    )
    def test_whatever_comes_an_older_check_undoes_no_newer_one(self, checks: list[tuple[int, str | None]]) -> None:
        merged = session("a")
        for second, phase in checks:
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
        assert merged.seen_at == max((at(second) for second, _ in checks), default=None)
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
