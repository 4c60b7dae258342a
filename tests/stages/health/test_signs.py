"""Of all that is wrong with a Job, the cause is what failed first."""

from __future__ import annotations

import pytest
from tests.stages.api_objects import (
    FAILED,
    LATER,
    LIMIT_REACHED,
    Json,
    ended,
    judge,
    pod,
    said,
    waiting,
)


class TestTheCauseIsWhatFailedFirst:
    @pytest.mark.parametrize(
        ("failed", "more", "cause", "code"),
        [
            pytest.param(
                {"tuning": ended(3, message="bad spread bounds")},
                {"init": {"istio-proxy": ended(137, at=LATER)}, "native": ("istio-proxy",)},
                "container tuning ended with exit code 3: Error: bad spread bounds",
                3,
                id="a native sidecar is killed at the end",
            ),
            pytest.param(
                {"tuning": ended(3, at=LATER)},
                {"init": {"istio-proxy": ended(1)}, "native": ("istio-proxy",)},
                "container tuning ended with exit code 3: Error",
                3,
                id="a native sidecar before it is no cause either",
            ),
            pytest.param(
                {"envoy": ended(137, at=LATER), "tuning": ended(3)},
                {},
                "container tuning ended with exit code 3: Error",
                3,
                id="a sidecar behind it, named before it",
            ),
            pytest.param(
                {"tuning": ended(3, at=LATER), "envoy": ended(1)},
                {},
                "container tuning ended with exit code 3: Error",
                3,
                id="main containers before sidecars",
            ),
            pytest.param(
                {"train": ended(1, at=LATER), "evaluate": ended(3)},
                {},
                "container evaluate ended with exit code 3: Error",
                3,
                id="two main containers, the earlier one",
            ),
            pytest.param(
                {"tuning": waiting("PodInitializing")},
                {"init": {"fetch": ended(2)}},
                "init container fetch ended with exit code 2: Error",
                2,
                id="an init container",
            ),
            pytest.param(
                {"tuning": ended(0), "istio-proxy": ended(1)},
                {},
                "sidecar istio-proxy ended with exit code 1: Error",
                1,
                id="only the sidecar failed",
            ),
        ],
    )
    def test_within_a_pod(self, failed: dict[str, Json], more: Json, cause: str, code: int) -> None:
        result = judge(FAILED, pod("Failed", failed, **more))
        assert (said(result), result.cause) == (("ERROR", ["job_failed"], code), cause)

    def test_an_injected_container_is_a_sidecar_whatever_its_name(self) -> None:
        template = {"template": {"spec": {"containers": [{"name": "my-proxy"}]}}}
        failed = pod("Failed", {"mesh": ended(137), "my-proxy": ended(3, at=LATER)})
        assert judge(FAILED, failed, spec=template).exit_code == 3

    def test_among_attempts_the_first_one_that_failed(self) -> None:
        first = pod("Failed", {"tuning": ended(137, "OOMKilled")}, name="a")
        second = pod("Failed", {"tuning": ended(3, at=LATER)}, name="b")
        result = judge({**FAILED, "failed": 2}, second, first)
        assert said(result) == ("ERROR", ["oom_killed"], 137)

    def test_an_oom_kill_in_an_init_container(self) -> None:
        failed = pod("Failed", {"tuning": waiting("PodInitializing")}, init={"fetch": ended(137, "OOMKilled")})
        result = judge(FAILED, failed)
        assert said(result) == ("ERROR", ["oom_killed"], 137)
        assert result.cause == "init container fetch was OOM-killed (exit code 137)"

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (137, "exit code 137 (SIGKILL): Error; the kubelet does not call it an OOM kill"),
            (143, "exit code 143 (SIGTERM): Error"),
            (139, "exit code 139 (SIGSEGV): Error"),
            (255, "exit code 255: Error"),
            (128, "exit code 128: Error"),
        ],
    )
    def test_a_signal_is_named_and_137_alone_is_no_oom_kill(self, code: int, words: str) -> None:
        result = judge(FAILED, pod("Failed", {"tuning": ended(code)}))
        assert said(result) == ("ERROR", ["job_failed"], code)
        assert result.cause == f"container tuning ended with {words}"

    def test_a_command_that_is_not_there(self) -> None:
        message = 'failed to create containerd task: exec: "pyhton": executable file not found in $PATH'
        result = judge(FAILED, pod("Failed", {"tuning": ended(128, "StartError", message=message)}))
        assert said(result) == ("ERROR", ["config_error"], 128)

    def test_a_pod_failure_policy_is_mentioned_beside_the_exit_code(self) -> None:
        policy = {**LIMIT_REACHED, "reason": "PodFailurePolicy", "message": "… matching FailJob rule at index 0"}
        result = judge({"failed": 1, "conditions": [policy]}, pod("Failed", {"tuning": ended(42)}))
        assert said(result) == ("ERROR", ["job_failed"], 42)
        assert "podFailurePolicy" in (result.cause or "")

    def test_pods_that_a_deadline_ended_are_not_its_cause(self) -> None:
        deadline = {**LIMIT_REACHED, "reason": "DeadlineExceeded", "message": "Job was active longer than specified"}
        result = judge({"failed": 1, "conditions": [deadline]}, pod("Failed", {"tuning": ended(143)}))
        assert result.reasons == ["deadline_exceeded"]
        assert result.cause == "the Job failed: DeadlineExceeded: Job was active longer than specified"

    @pytest.mark.parametrize("code", [137, 143])
    def test_a_pods_own_deadline_comes_before_how_the_kubelet_ended_it(self, code: int) -> None:
        result = judge(FAILED, pod("Failed", {"tuning": ended(code)}, reason="DeadlineExceeded"))
        assert result.reasons == ["deadline_exceeded"]
        assert result.cause == "pod p ran past its deadline"

    @pytest.mark.parametrize(
        ("reason", "reasons"),
        [
            ("BackoffLimitExceeded", ["backoff_limit_exceeded"]),
            ("DeadlineExceeded", ["deadline_exceeded"]),
            ("FailedIndexes", ["index_failed"]),
            ("MaxFailedIndexesExceeded", ["index_failed"]),
            ("PodFailurePolicy", ["job_failed"]),
            ("NewReasonOf2030", ["job_failed"]),
        ],
    )
    @pytest.mark.parametrize("kind", ["Failed", "FailureTarget"])
    def test_where_no_pod_is_left_the_jobs_condition_is_all_there_is(
        self, kind: str, reason: str, reasons: list[str]
    ) -> None:
        result = judge({"failed": 1, "conditions": [{**LIMIT_REACHED, "type": kind, "reason": reason}]})
        assert said(result) == ("ERROR", reasons, None)
        assert reason in (result.cause or "")
