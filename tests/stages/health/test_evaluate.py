"""D33: the contract's table, what the pods add, graces, and that unknown is never OK."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning import plain_values
from k8s_tuning.stages.health.evaluate import (
    HealthLevel,
    K8sHealthEvaluator,
    K8sHealthSnapshot,
    K8sJobHealth,
    count_levels,
    count_reasons,
    generate_health_report_text,
)
from k8s_tuning.stages.health.level import worst
from k8s_tuning.stages.health.policy import HealthPolicy
from k8s_tuning.stages.monitor.snapshot import (
    K8sContainerStatus,
    K8sJobStatus,
    K8sMonitorSnapshot,
    K8sPodCondition,
    K8sPodStatus,
)

NOW = "2025-11-16T10:10:00Z"
LONG_AGO = "2025-11-16T09:00:00Z"
PULL = "ErrImagePull"
TEN_SECONDS_AGO = "2025-11-16T10:09:50Z"
GOLDEN = Path(__file__).parents[2] / "golden"


def make_pod(phase: str = "Failed", *containers: K8sContainerStatus, **more: object) -> K8sPodStatus:
    fields = {"created_at": LONG_AGO} | more
    return K8sPodStatus("pod-1", "trading-bots", phase, containers=list(containers), **fields)  # type: ignore[arg-type]


def make_job(phase: str = "RUNNING", *pods: K8sPodStatus, **more: object) -> K8sJobStatus:
    fields = {"succeeded": 0, "failed": 0, "active": 0, "labels": {"app": "arbitrage-tuning"}} | more
    return K8sJobStatus(
        str(fields.pop("name", "arb-tuning-demo-worker-1-0")),
        "trading-bots",
        completions=1,
        phase=phase,
        pods=list(pods),
        **fields,  # type: ignore[arg-type]
    )


def look(*jobs: K8sJobStatus, errors: tuple[str, ...] = ()) -> K8sMonitorSnapshot:
    return K8sMonitorSnapshot("trading-bots", "app=arbitrage-tuning", list(jobs), [], NOW, list(errors))


def judge(job: K8sJobStatus, **options: object) -> K8sJobHealth:
    return K8sHealthEvaluator(**options).evaluate(look(job)).jobs_health[0]  # type: ignore[arg-type]


def container(**fields: object) -> K8sContainerStatus:
    return K8sContainerStatus("tuning", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phase", "options", "health", "reasons"),
    [
        ("SUCCEEDED", {}, "OK", []),
        ("RUNNING", {}, "OK", []),
        ("PENDING", {}, "WARN", ["pending"]),
        ("PENDING", {"warn_on_pending": False}, "OK", ["pending"]),
        ("FAILED", {}, "ERROR", ["job_failed"]),
        ("UNKNOWN", {}, "ERROR", ["unknown_phase"]),
        ("UNKNOWN", {"treat_unknown_as_error": False}, "WARN", ["unknown_phase"]),
        ("SUSPENDED", {}, "WARN", ["unexpected_phase"]),
        ("", {}, "WARN", ["unexpected_phase"]),
    ],
)
def test_the_contracts_table(phase: str, options: dict[str, bool], health: str, reasons: list[str]) -> None:
    result = judge(make_job(phase), **options)
    assert (result.health, result.reasons) == (health, reasons)
    assert (result.cause is None) is (health == "OK")


@pytest.mark.parametrize(
    ("jobs", "errors", "overall"),
    [
        ([], [], "OK"),
        ([], ["no answer"], "WARN"),
        (["RUNNING"], ["pods: 403"], "WARN"),
        (["RUNNING", "PENDING"], [], "WARN"),
        (["SUCCEEDED", "FAILED", "PENDING"], [], "ERROR"),
        (["FAILED"], ["pods: 403"], "ERROR"),
        (["RUNNING", "SUCCEEDED"], [], "OK"),
    ],
)
def test_overall_is_the_worst_job_and_never_ok_with_an_error(jobs: list[str], errors: list[str], overall: str) -> None:
    health = K8sHealthEvaluator().evaluate(look(*map(make_job, jobs), errors=tuple(errors)))
    assert health.overall_health == overall
    assert health.errors == errors
    assert health.timestamp == NOW


SIGNS = {
    "image pull": (
        make_job(
            "RUNNING",
            make_pod("Pending", container(waiting_reason="ImagePullBackOff", waiting_message='Back-off "no:1"')),
        ),
        "ERROR",
        ["image_pull"],
        'container tuning cannot pull its image: ImagePullBackOff: Back-off "no:1"',
        None,
    ),
    "a crash loop that runs out of memory": (
        make_job(
            "RUNNING",
            make_pod(
                "Running",
                container(
                    waiting_reason="CrashLoopBackOff", restart_count=5, terminated_reason="OOMKilled", exit_code=137
                ),
            ),
            active=1,
        ),
        "ERROR",
        ["oom_killed", "crash_loop"],
        "container tuning was OOM-killed (exit code 137)",
        137,
    ),
    "between two back-offs": (
        make_job(
            "RUNNING",
            make_pod(
                "Running",
                container(restart_count=4, terminated_reason="Error", exit_code=3, finished_at="2025-11-16T10:08:00Z"),
            ),
            active=1,
        ),
        "ERROR",
        ["crash_loop"],
        "container tuning keeps crashing: 4 restarts, last with exit code 3",
        3,
    ),
    "config error": (
        make_job(
            "RUNNING",
            make_pod(
                "Pending",
                container(waiting_reason="CreateContainerConfigError", waiting_message='configmap "설정" not found'),
            ),
        ),
        "ERROR",
        ["config_error"],
        'container tuning cannot start: CreateContainerConfigError: configmap "설정" not found',
        None,
    ),
    "unschedulable": (
        make_job("PENDING", make_pod("Pending", unschedulable="0/3 nodes are available: 3 Insufficient cpu.")),
        "ERROR",
        ["unschedulable"],
        "no node takes pod pod-1: 0/3 nodes are available: 3 Insufficient cpu.",
        None,
    ),
    "evicted": (
        make_job("FAILED", make_pod("Failed", reason="Evicted", message="The node was low on resource: memory.")),
        "ERROR",
        ["evicted"],
        "pod pod-1 was evicted: Evicted: The node was low on resource: memory.",
        None,
    ),
    "OOM of a failed Job": (
        make_job(
            "FAILED",
            make_pod("Failed", container(terminated_reason="OOMKilled", exit_code=137)),
            condition_reason="BackoffLimitExceeded",
            condition_message="Job has reached the specified backoff limit",
        ),
        "ERROR",
        ["oom_killed"],
        "container tuning was OOM-killed (exit code 137)",
        137,
    ),
    "exit code and message": (
        make_job(
            "FAILED",
            make_pod(
                "Failed", container(terminated_reason="Error", exit_code=3, terminated_message="no ticks\nfor BTC")
            ),
            condition_reason="BackoffLimitExceeded",
        ),
        "ERROR",
        ["job_failed"],
        "container tuning ended with exit code 3: Error: no ticks for BTC",
        3,
    ),
    "deadline, its pods gone": (
        make_job(
            "FAILED",
            condition_reason="DeadlineExceeded",
            condition_message="Job was active longer than specified deadline",
        ),
        "ERROR",
        ["deadline_exceeded"],
        "the Job failed: DeadlineExceeded: Job was active longer than specified deadline",
        None,
    ),
    "a pod without container statuses": (
        make_job("RUNNING", make_pod("Pending")),
        "WARN",
        ["not_starting"],
        "pod pod-1 has not started: no reason given",
        None,
    ),
    "a volume that never mounts": (
        make_job("RUNNING", make_pod("Pending", container(waiting_reason="ContainerCreating"))),
        "WARN",
        ["not_starting"],
        "pod pod-1 has not started: container tuning: ContainerCreating",
        None,
    ),
    "a node that is gone": (
        make_job("RUNNING", make_pod("Unknown", reason="NodeLost", node="node-7")),
        "WARN",
        ["node_lost"],
        "node node-7 does not tell of pod pod-1: NodeLost",
        None,
    ),
}


@pytest.mark.parametrize("name", SIGNS)
def test_pods_tell_what_the_job_hides(name: str) -> None:
    job, health, reasons, cause, exit_code = SIGNS[name]
    result = judge(job)
    assert (result.health, result.reasons, result.cause, result.exit_code) == (health, reasons, cause, exit_code)


@pytest.mark.parametrize(
    "job",
    [
        make_job("RUNNING", failed=1, active=1),
        make_job("RUNNING", make_pod("Failed", container(terminated_reason="Error", exit_code=3)), failed=1, active=1),
        make_job("SUCCEEDED", make_pod("Failed", container(terminated_reason="OOMKilled", exit_code=137)), succeeded=1),
        make_job(
            "RUNNING", make_pod("Pending", container(waiting_reason="ContainerCreating"), created_at=TEN_SECONDS_AGO)
        ),
        make_job(
            "RUNNING",
            make_pod("Running", container(restart_count=4, exit_code=3, finished_at=LONG_AGO)),
            active=1,
        ),
    ],
    ids=["retries", "retries after a failure", "succeeded at last", "just starting", "crashed an hour ago"],
)
def test_what_is_over_or_normal_is_ok(job: K8sJobStatus) -> None:
    result = judge(job)
    assert (result.health, result.reasons, result.cause, result.exit_code) == ("OK", [], None, None)


def test_a_retry_after_oom_is_a_warning() -> None:
    """The next attempt is likely to die of it too; but the Job has not failed."""
    killed = make_pod("Failed", container(terminated_reason="OOMKilled", exit_code=137))
    result = judge(make_job("RUNNING", killed, make_pod("Running"), failed=1, active=1))
    assert (result.health, result.reasons) == ("WARN", ["oom_killed"])


class TestGraces:
    @pytest.mark.parametrize(
        ("waiting", "created", "health"),
        [
            ("ErrImagePull", TEN_SECONDS_AGO, "WARN"),
            ("ErrImagePull", "2025-11-16T10:09:00Z", "ERROR"),
            ("ErrImagePull", None, "ERROR"),
            ("ErrImagePull", "yesterday", "ERROR"),
            ("ErrImagePull", "2025-11-16T10:10:03Z", "WARN"),
            ("ErrImagePull", "2025-11-16T10:11:00Z", "ERROR"),
            ("InvalidImageName", TEN_SECONDS_AGO, "ERROR"),
            ("CreateContainerConfigError", TEN_SECONDS_AGO, "WARN"),
            ("CreateContainerConfigError", LONG_AGO, "ERROR"),
        ],
        ids=[
            "within",
            "at its end",
            "age unknown",
            "age unreadable",
            "stamped by another machine in the same moment",
            "a clock is wrong",
            "hopeless",
            "config in",
            "config out",
        ],
    )
    def test_a_reason_waits_out_its_grace(self, waiting: str, created: str | None, health: str) -> None:
        assert (
            judge(
                make_job("RUNNING", make_pod("Pending", container(waiting_reason=waiting), created_at=created))
            ).health
            == health
        )

    def test_levels_and_graces_are_the_users(self) -> None:
        policy = HealthPolicy.from_mapping(
            {
                "reasons": {
                    "image_pull": {"level": "WARN", "grace_seconds": 7200, "within_grace": "OK"},
                    "job_failed": "WARN",
                }
            },
            "health.yaml",
        )
        pulling = make_job("RUNNING", make_pod("Pending", container(waiting_reason="ErrImagePull")))
        assert (judge(pulling, policy=policy).health, judge(pulling, policy=policy).reasons) == ("OK", [])
        assert judge(make_job("FAILED"), policy=policy).health == "WARN"
        assert judge(make_job("PENDING"), policy=policy).health == "WARN", "what the file leaves out keeps its default"


class TestClocks:
    """Ages count against the API server's clock: it stamped the objects."""

    @staticmethod
    def judge(created: str, server_time: str | None) -> K8sJobHealth:
        snapshot = look(make_job("RUNNING", make_pod("Pending", container(waiting_reason=PULL), created_at=created)))
        snapshot.server_time = server_time
        return K8sHealthEvaluator().evaluate(snapshot).jobs_health[0]

    def test_this_machines_clock_does_not_matter(self) -> None:
        """It stands ten minutes before the server's, or an hour behind it."""
        assert self.judge("2025-11-16T10:19:50Z", "2025-11-16T10:20:00Z").health == "WARN"
        assert self.judge("2025-11-16T09:00:00Z", "2025-11-16T09:00:10Z").health == "WARN"
        assert self.judge("2025-11-16T09:00:00Z", "2025-11-16T09:10:00Z").health == "ERROR"

    @pytest.mark.parametrize(
        ("server_time", "whose"), [("2025-11-16T10:00:00Z", "the API server's"), (None, "this machine's")]
    )
    def test_an_age_below_nothing_is_unknown_and_says_that_a_clock_is_wrong(
        self, server_time: str | None, whose: str
    ) -> None:
        result = self.judge("2025-11-16T10:30:00Z", server_time)
        assert result.health == "ERROR", "an unknown age is past every grace"
        assert result.cause is not None
        assert f"2025-11-16T10:30:00Z is ahead of {whose} clock, so a clock is wrong" in result.cause

    def test_a_starting_pod_of_the_future_is_a_warning(self) -> None:
        """Within its grace nobody would see it, for as long as the clock is wrong."""
        starting = make_job("RUNNING", make_pod("Pending", created_at="2025-11-16T11:00:00Z"))
        result = judge(starting)
        assert (result.health, result.reasons) == ("WARN", ["not_starting"])
        assert "a clock is wrong" in (result.cause or "")


class TestExpectedJobs:
    def test_one_that_is_gone_is_missing(self) -> None:
        health = K8sHealthEvaluator().evaluate(look(make_job(name="a")), expected_jobs=["a", "b", "b"])
        assert [(job.job_name, job.phase, job.health, job.reasons) for job in health.jobs_health] == [
            ("a", "RUNNING", "OK", []),
            ("b", "MISSING", "ERROR", ["missing"]),
        ]
        assert health.overall_health == "ERROR"

    def test_a_cluster_that_cannot_be_read_proves_nothing_missing(self) -> None:
        health = K8sHealthEvaluator().evaluate(look(errors=("no answer",)), expected_jobs=["b"])
        assert health.jobs_health == []
        assert health.errors == ["no answer", "not known whether these Jobs are still there: b"]
        assert health.overall_health == "WARN"

    def test_a_log_that_cannot_be_read_hides_no_missing_job(self) -> None:
        snapshot = look(make_job(name="a"), errors=("log of pod a-1 not read",))
        snapshot.jobs_listed = True
        health = K8sHealthEvaluator().evaluate(snapshot, expected_jobs=["a", "b"])
        assert [(job.job_name, job.reasons) for job in health.jobs_health] == [("a", []), ("b", ["missing"])]
        assert (health.errors, health.overall_health) == (["log of pod a-1 not read"], "ERROR")


TEXTS = (
    st.none()
    | st.text(max_size=8)
    | st.sampled_from(["OOMKilled", "ImagePullBackOff", "CrashLoopBackOff", "Evicted", "Error"])
)
CONTAINERS = st.builds(
    K8sContainerStatus,
    st.text(max_size=4),
    restart_count=st.integers(0, 9),
    waiting_reason=TEXTS,
    waiting_message=TEXTS,
    terminated_reason=TEXTS,
    terminated_message=TEXTS,
    exit_code=st.none() | st.integers(0, 255),
    finished_at=st.sampled_from([None, NOW, LONG_AGO, "bad"]),
    kind=st.sampled_from(["container", "init", "sidecar"]),
    state=st.sampled_from([None, "waiting", "running", "terminated"]),
    ready=st.none() | st.booleans(),
    restart_policy=st.sampled_from([None, "Never", "OnFailure", "Always"]),
)
CONDITIONS = st.builds(
    K8sPodCondition,
    st.sampled_from(["Ready", "DisruptionTarget", "odd"]),
    st.sampled_from(["True", "False", "Unknown"]),
    reason=TEXTS,
    message=TEXTS,
    last_transition_time=st.sampled_from([None, NOW, LONG_AGO, "bad"]),
)
PODS = st.builds(
    K8sPodStatus,
    st.text(max_size=4),
    st.just("trading-bots"),
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", ""]),
    reason=TEXTS,
    message=TEXTS,
    unschedulable=TEXTS,
    created_at=st.sampled_from([None, NOW, LONG_AGO, "bad"]),
    containers=st.lists(CONTAINERS, max_size=2),
    conditions=st.lists(CONDITIONS, max_size=2),
    deleted_at=st.sampled_from([None, NOW, LONG_AGO, "bad"]),
    deletion_grace_seconds=st.sampled_from([None, 30, -1, 10**15]),
    scheduling_gates=st.lists(st.text(min_size=1, max_size=4), max_size=1),
    completion_index=st.none() | st.integers(0, 3),
)
JOBS = st.builds(
    make_job,
    st.sampled_from(["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN", "ODD"]),
    name=st.text(min_size=1, max_size=6),
    active=st.integers(0, 2),
    failed=st.integers(0, 2),
    condition_reason=TEXTS,
    suspended=st.booleans(),
    failed_indexes=st.sampled_from([None, "1", "0-2", "x-,7"]),
    has_success_policy=st.booleans(),
    uncounted=st.integers(0, 2),
    deleted_at=st.sampled_from([None, NOW, LONG_AGO, "bad"]),
    finalizers=st.lists(st.text(max_size=4), max_size=1),
    labels=st.sampled_from([{}, {"kueue.x-k8s.io/queue-name": "q"}]),
).flatmap(lambda job: st.lists(PODS, max_size=3).map(lambda pods: dataclasses.replace(job, pods=pods)))
ERRORS = st.lists(st.text(min_size=1, max_size=5), max_size=2).map(tuple)


@given(jobs=st.lists(JOBS, max_size=4), more=JOBS, errors=ERRORS)
def test_another_job_never_improves_the_overall_health(
    jobs: list[K8sJobStatus], more: K8sJobStatus, errors: tuple[str, ...]
) -> None:
    """Nor changes another Job's; and whatever the API says, it is judged, reported, and carried as JSON."""
    evaluate = K8sHealthEvaluator().evaluate
    before, after = evaluate(look(*jobs, errors=errors)), evaluate(look(*jobs, more, errors=errors))
    assert worst([before.overall_health, after.overall_health]) is after.overall_health
    assert after.jobs_health[:-1] == before.jobs_health
    for health in (before, after):
        assert sum(count_levels(health.jobs_health).values()) == len(health.jobs_health)
        assert plain_values.load(K8sHealthSnapshot, plain_values.dump(health)) == health
        assert f"Health: {health.overall_health}" in generate_health_report_text(health)
    for job in after.jobs_health:
        assert (job.health is HealthLevel.OK) or (job.reasons and job.cause), "a failing Job says why"
        assert job.phase != "FAILED" or job.health is HealthLevel.ERROR


@given(
    jobs=st.lists(JOBS, max_size=3), errors=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=2).map(tuple)
)
def test_a_cluster_that_could_not_be_read_is_never_ok(jobs: list[K8sJobStatus], errors: tuple[str, ...]) -> None:
    assert K8sHealthEvaluator().evaluate(look(*jobs, errors=errors)).overall_health is not HealthLevel.OK


def test_a_job_counts_once_by_its_probable_cause_and_only_where_it_is_not_ok() -> None:
    jobs = [judge(SIGNS[name][0]) for name in SIGNS] + [judge(make_job("PENDING"), warn_on_pending=False)]
    counts = count_reasons(jobs)
    assert counts["oom_killed"] == 2, "a crash loop and a limit that was exceeded follow from it"
    assert (counts["job_failed"], counts.get("crash_loop"), counts.get("backoff_limit_exceeded")) == (1, 1, None)
    assert sum(counts.values()) == len(SIGNS), "one cause a Job"
    assert list(counts.values()) == sorted(counts.values(), reverse=True)


def test_the_report_is_the_golden_one() -> None:
    jobs = [
        dataclasses.replace(job, job_name=f"arb-tuning-{name.replace(' ', '-')}") for name, (job, *_) in SIGNS.items()
    ]
    health = K8sHealthEvaluator().evaluate(look(make_job("SUCCEEDED"), *jobs, errors=("pods: 403 누구",)), ["gone"])
    text = generate_health_report_text(health)
    assert text == (GOLDEN / "health-report.txt").read_text()


def test_a_selection_without_jobs_says_so() -> None:
    assert "The selector matches no Jobs." in generate_health_report_text(K8sHealthEvaluator().evaluate(look()))
