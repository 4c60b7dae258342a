"""The latest snapshot of a target: what is joined into it, what is left out, and which of two snapshots stays."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.errors import StoreError
from k8s_tuning.stages.events.snapshot import K8sEvent, K8sEventSnapshot
from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.history import latest as looks
from k8s_tuning.stages.history.latest import JobEvent, LatestSnapshot, LatestStore, PodLogTail, latest_snapshot
from k8s_tuning.stages.monitor.snapshot import (
    K8sContainerStatus,
    K8sJobStatus,
    K8sMonitorSnapshot,
    K8sPodLog,
    K8sPodStatus,
)

NAMESPACE, SELECTOR = "trading-bots", "app=arbitrage-tuning,team in (양자, b)"
AT = "2025-11-16T10:10:00Z"


def job(name: str, phase: str = "RUNNING", pods: int = 1, **more: Any) -> K8sJobStatus:
    died = {"exit_code": 137, "terminated_reason": "OOMKilled"} if phase == "FAILED" else {}
    containers = [K8sContainerStatus("tuning", restart_count=2, **died)]  # type: ignore[arg-type]
    made = [
        K8sPodStatus(
            f"{name}-{number:05d}",
            NAMESPACE,
            "Failed" if died else "Running",
            node=f"node-{number % 2}",
            containers=containers,
        )
        for number in range(pods)
    ]
    fields = {"succeeded": 0, "failed": 0, "active": 1, "labels": {"session_id": "s-1"}} | more
    return K8sJobStatus(name, NAMESPACE, completions=1, phase=phase, pods=made, **fields)


def log(pod: str, *lines: str, **more: bool) -> K8sPodLog:
    return K8sPodLog(pod, NAMESPACE, "tuning", list(lines), **more)


def event(kind: str, name: str, reason: str = "BackOff", message: str = "m") -> K8sEvent:
    return K8sEvent("Warning", reason, message, kind, name, NAMESPACE, None, AT, 3, raw={"not": "kept"})


def look_at(
    jobs: list[K8sJobStatus], logs: list[K8sPodLog] | None = None, events: list[K8sEvent] | None = None
) -> LatestSnapshot:
    snapshot = K8sMonitorSnapshot(NAMESPACE, SELECTOR, jobs, logs or [], AT, jobs_listed=True)
    said = K8sEventSnapshot(NAMESPACE, SELECTOR, events or [], AT)
    return latest_snapshot(K8sHealthEvaluator().evaluate(snapshot), snapshot, said, "dag/run", "demo")


class TestMakeLook:
    def test_joins_health_facts_logs_and_events_of_each_job(self) -> None:
        failed = job(
            "arb-tuning-a",
            "FAILED",
            pods=3,
            start_time="2025-11-16T10:00:00Z",
            condition_time="2025-11-16T19:05:00+09:00",
        )
        logs = [log("arb-tuning-a-00001", "메모리 부족 💥", previous=True), log("arb-tuning-b-00000", "ok")]
        events = [event("Pod", "arb-tuning-a-00002"), event("Job", "arb-tuning-a", "BackoffLimitExceeded")]
        look = look_at([job("arb-tuning-b"), failed], logs, events)
        assert (look.namespace, look.selector, look.timestamp) == (NAMESPACE, SELECTOR, AT)
        assert (look.run_id, look.target, look.errors) == ("dag/run", "demo", [])
        well, failing = look.jobs
        assert (well.job_name, well.health, well.completion_time, well.events) == ("arb-tuning-b", "OK", None, [])
        assert (failing.health, failing.exit_code, failing.labels) == ("ERROR", 137, {"session_id": "s-1"})
        assert "oom_killed" in failing.reasons
        assert failing.cause
        # A Job that failed has no completionTime: its condition says since when.
        assert (failing.start_time, failing.completion_time) == ("2025-11-16T10:00:00Z", "2025-11-16T10:05:00Z")
        assert (failing.restarts, failing.nodes) == (6, ["node-0", "node-1"])
        assert failing.logs == [PodLogTail("arb-tuning-a-00001", "tuning", ["메모리 부족 💥"], previous=True)]
        assert failing.events == [
            JobEvent("Warning", "BackOff", "m", "Pod", "arb-tuning-a-00002", 3, AT),
            JobEvent("Warning", "BackoffLimitExceeded", "m", "Job", "arb-tuning-a", 3, AT),
        ]

    def test_events_of_others_stay_out_and_those_of_a_pod_that_is_gone_stay_in(self) -> None:
        others = [event("Job", "arb-tuning-ab"), event("Pod", "arb-tuning-a-b-00000"), event("Node", "arb-tuning-a")]
        look = look_at([job("arb-tuning-a", pods=0)], events=[*others, event("Pod", "arb-tuning-a-x7k2p")])
        assert [one.name for one in look.jobs[0].events] == ["arb-tuning-a-x7k2p"]

    def test_without_a_snapshot_health_alone_is_kept(self) -> None:
        snapshot = K8sMonitorSnapshot(NAMESPACE, SELECTOR, [job("a")], [], AT)
        (one,) = latest_snapshot(K8sHealthEvaluator().evaluate(snapshot), None, None, None, None).jobs
        assert (one.job_name, one.start_time, one.nodes, one.logs) == ("a", None, [], [])

    def test_a_missing_job_is_in_it_too(self) -> None:
        snapshot = K8sMonitorSnapshot(NAMESPACE, SELECTOR, [], [], AT, jobs_listed=True)
        (one,) = latest_snapshot(K8sHealthEvaluator().evaluate(snapshot, ["a"]), snapshot, None, None, None).jobs
        assert (one.job_name, one.phase, one.health) == ("a", "MISSING", "ERROR")

    def test_what_could_not_be_read_is_said_once(self) -> None:
        snapshot = K8sMonitorSnapshot(NAMESPACE, SELECTOR, [], [], AT, ["Jobs not read: 403"])
        said = K8sEventSnapshot(NAMESPACE, SELECTOR, [], AT, ["Jobs not read: 403", "events not read: 403"])
        look = latest_snapshot(K8sHealthEvaluator().evaluate(snapshot), snapshot, said, None, None)
        assert look.errors == ["Jobs not read: 403", "events not read: 403"]

    def test_an_odd_time_is_an_absent_one(self) -> None:
        (one,) = look_at([job("a", "SUCCEEDED", start_time="yesterday", completion_time="0000-00-00")]).jobs
        assert (one.start_time, one.completion_time) == (None, None)

    def test_of_a_log_the_last_lines_are_kept_and_long_ones_cut(self) -> None:
        lines = [*(str(number) for number in range(30)), "긴" * 600, "\x1b[31mred\x00"]
        (tail,) = look_at([job("a")], [log("a-00000", *lines), log("a-00000")]).jobs[0].logs
        assert len(tail.lines) == looks.LINES_A_CONTAINER
        assert (tail.lines[-3], len(tail.lines[-2]), tail.truncated) == ("29", looks.LONGEST_LINE, True)
        assert tail.lines[-2].startswith("…긴")
        assert tail.lines[-1] == "\x1b[31mred\x00"

    def test_a_log_that_is_whole_is_said_to_be(self) -> None:
        logs = [log("a-00000", *"x" * looks.LINES_A_CONTAINER), log("a-00000", "y", truncated=True)]
        assert [tail.truncated for tail in look_at([job("a")], logs).jobs[0].logs] == [False, True]

    def test_where_not_all_logs_fit_the_failing_jobs_keep_theirs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looks, "MOST_LOG_LINES", 5)
        jobs = [job("well"), job("slow", "PENDING"), job("dead", "FAILED")]
        logs = [log(f"{one.job_name}-00000", "1", "2") for one in jobs]
        look = look_at(jobs, logs)
        assert [len(one.logs) for one in look.jobs] == [0, 1, 1]
        assert look.errors == ["log lines of 1 Job(s) are left out: one snapshot keeps 5"]

    def test_of_too_many_events_the_newest_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looks, "MOST_EVENTS", 2)
        events = [event("Job", "a", reason) for reason in ("first", "second", "third")]
        look = look_at([job("a")], events=[*events, event("Job", "other")])
        assert [one.reason for one in look.jobs[0].events] == ["second", "third"]
        assert look.errors == ["1 older event(s) are left out: one snapshot keeps 2"]


class TestLookStore:
    def test_a_look_is_read_back_as_it_was_kept(self, tmp_path: Path) -> None:
        store = LatestStore(tmp_path / "looks")
        look = look_at([job("a", "FAILED")], [log("a-00000", "<b>줄</b>\x07")], [event("Job", "a")])
        assert store.read(NAMESPACE, SELECTOR) is None
        assert store.keep(look)
        assert LatestStore(tmp_path / "looks").read(NAMESPACE, SELECTOR) == look
        assert store.read(NAMESPACE, "app=other") is None
        (file,) = (tmp_path / "looks").glob("*.json")
        assert json.loads(file.read_text())["jobs"][0]["health"] == "ERROR"

    def test_a_targets_name_leads_out_of_no_folder(self, tmp_path: Path) -> None:
        store = LatestStore(tmp_path / "looks")
        assert store.keep(LatestSnapshot("../..", "/etc/passwd\n", AT))
        assert store.read("../..", "/etc/passwd\n") is not None
        assert {path.parent for path in tmp_path.rglob("*.json")} == {tmp_path / "looks"}

    @given(times=st.lists(st.integers(0, 59), min_size=1, max_size=6))
    def test_the_newest_look_stays_in_whatever_order_they_come(
        self, tmp_path_factory: pytest.TempPathFactory, times: list[int]
    ) -> None:
        """A late retry of an old run does not hide what a newer one saw."""
        store = LatestStore(tmp_path_factory.mktemp("looks"))
        for number, second in enumerate(times):
            kept = store.keep(LatestSnapshot(NAMESPACE, SELECTOR, f"2025-11-16T10:10:{second:02d}Z", f"run-{number}"))
            assert kept == (second >= max(times[:number], default=0))
        newest = store.read(NAMESPACE, SELECTOR)
        assert newest is not None
        assert newest.timestamp == f"2025-11-16T10:10:{max(times):02d}Z"

    def test_a_repeated_task_does_no_harm(self, tmp_path: Path) -> None:
        store = LatestStore(tmp_path)
        look = look_at([job("a")])
        assert store.keep(look)
        assert store.keep(look)

    def test_a_damaged_file_is_an_error_until_the_next_look(self, tmp_path: Path) -> None:
        store = LatestStore(tmp_path)
        store.keep(look_at([]))
        (file,) = tmp_path.glob("*.json")
        file.write_text("{")
        with pytest.raises(StoreError, match=f"{file.name}: damaged"):
            store.read(NAMESPACE, SELECTOR)
        assert store.keep(look_at([job("a")]))
        assert store.read(NAMESPACE, SELECTOR) == look_at([job("a")])

    def test_pruning_takes_targets_that_nobody_looks_at_any_more(self, tmp_path: Path) -> None:
        store = LatestStore(tmp_path)
        for selector, day in (("app=old", 1), ("app=new", 15)):
            store.keep(LatestSnapshot(NAMESPACE, selector, f"2025-11-{day:02d}T00:00:00Z"))
        assert store.prune(5, AT) == 1
        assert store.read(NAMESPACE, "app=old") is None
        assert store.read(NAMESPACE, "app=new") is not None


def test_no_look_grows_without_bound(tmp_path: Path) -> None:
    """2,000 Jobs whose containers all wrote long lines."""
    jobs = [job(f"arb-tuning-{number}", "FAILED" if number % 7 == 0 else "RUNNING") for number in range(2_000)]
    logs = [log(f"{one.job_name}-00000", *["줄" * 400] * 100) for one in jobs]
    LatestStore(tmp_path).keep(look_at(jobs, logs, [event("Job", one.job_name, message="긴" * 2_000) for one in jobs]))
    (file,) = tmp_path.glob("*.json")
    assert file.stat().st_size < 20_000_000


def test_targets_do_not_share_a_file(tmp_path: Path) -> None:
    store = LatestStore(tmp_path)
    keys = list(permutations(["a", "b", "a\nb"], 2))
    for namespace, selector in keys:
        store.keep(LatestSnapshot(namespace, selector, AT))
    assert all(store.read(*key) == LatestSnapshot(*key, AT) for key in keys)
