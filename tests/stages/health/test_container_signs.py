"""What containers tell of a Job: which of them failed first, which outlives the work."""

from __future__ import annotations

import pytest
from tests.stages.api_objects import (
    A_MOMENT_AGO,
    ENDED,
    FAILED,
    LATER,
    LIMIT_REACHED,
    RUNNING,
    STARTED,
    Json,
    ended,
    judge,
    pod,
    said,
    waiting,
)


class TestAContainerThatEndedWhileThePodRunsOn:
    @pytest.mark.parametrize(
        ("containers", "more"),
        [
            pytest.param({"tuning": ended(1), "istio-proxy": RUNNING}, {}, id="a proxy behind it"),
            pytest.param({"istio-proxy": RUNNING, "tuning": ended(1)}, {}, id="a proxy in front of it"),
            pytest.param({"tuning": ended(1), "log-shipper": RUNNING}, {}, id="a helper of an unknown name"),
            pytest.param({"tuning": ended(1), "a": RUNNING, "vault-agent": RUNNING}, {}, id="several keep it up"),
            pytest.param({"tuning": ended(1)}, {}, id="the kubelet has not said yet that the pod has ended"),
            pytest.param(
                {"a": RUNNING, "tuning": ended(1)},
                {"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "tuning"}}},
                id="named by the annotation",
            ),
        ],
    )
    def test_a_failure_is_an_error_with_its_exit_code(self, containers: dict[str, Json], more: Json) -> None:
        result = judge({"active": 1, "ready": 0}, pod("Running", containers, **more))
        assert said(result) == ("ERROR", ["container_failed"], 1)
        assert result.cause is not None
        assert result.cause.startswith("container tuning ended with exit code 1: Error")
        up = [name for name, state in containers.items() if state is RUNNING]
        assert all(name in result.cause for name in up)

    def test_it_is_a_warning_while_the_proxy_may_still_be_ending(self) -> None:
        result = judge({"active": 1}, pod("Running", {"tuning": ended(1, at=A_MOMENT_AGO), "istio-proxy": RUNNING}))
        assert said(result) == ("WARN", ["container_failed"], 1)

    def test_one_that_the_kubelet_restarts_is_left_to_it(self) -> None:
        restarted = pod("Running", {"tuning": ended(1), "istio-proxy": RUNNING}, spec={"restartPolicy": "OnFailure"})
        assert said(judge({"active": 1}, restarted)) == ("OK", [], None)

    def test_one_in_a_pod_that_is_being_deleted_ends_with_it(self) -> None:
        """A drained node's sidecars may take their grace period after the main container heard SIGTERM."""
        metadata = {"deletionTimestamp": "2026-11-25T09:10:00Z", "deletionGracePeriodSeconds": 3600}
        for code in (1, 143):
            ending = pod("Running", {"tuning": ended(code), "istio-proxy": RUNNING}, metadata=metadata)
            assert said(judge({"active": 0, "terminating": 1}, ending)) == ("OK", [], None)

    @pytest.mark.parametrize("state", [RUNNING, waiting("CrashLoopBackOff")], ids=["runs for a moment", "waits"])
    def test_what_keeps_killing_a_container_is_the_cause_between_its_crashes_too(self, state: Json) -> None:
        killed = {"tuning": {**state, "restartCount": 5, "lastState": ended(137, "OOMKilled", at=A_MOMENT_AGO)}}
        result = judge({"active": 1}, pod("Running", killed, spec={"restartPolicy": "OnFailure"}))
        assert said(result) == ("ERROR", ["oom_killed", "crash_loop"], 137)

    def test_an_oom_kill_is_named(self) -> None:
        result = judge({"active": 1}, pod("Running", {"tuning": ended(137, "OOMKilled"), "istio-proxy": RUNNING}))
        assert said(result) == ("ERROR", ["oom_killed"], 137)

    def test_a_sidecar_that_failed_while_the_work_goes_on_is_a_warning(self) -> None:
        result = judge({"active": 1}, pod("Running", {"tuning": RUNNING, "fluent-bit": ended(2)}))
        assert said(result) == ("WARN", ["container_failed"], 2)
        assert result.cause == "sidecar fluent-bit ended with exit code 2: Error; tuning keeps the pod running"

    def test_one_of_several_that_do_the_work_is_no_sidecar(self) -> None:
        """The pod will fail once the others have ended: the time until then is lost."""
        result = judge({"active": 1}, pod("Running", {"ps": RUNNING, "worker": ended(2)}))
        assert said(result) == ("ERROR", ["container_failed"], 2)
        assert result.cause == "container worker ended with exit code 2: Error; ps keeps the pod running"

    @pytest.mark.parametrize("sidecar", ["istio-proxy", "cloud-sql-proxy", "vault-agent", "metrics"])
    def test_finished_work_that_a_sidecar_outlives_is_a_warning_after_a_grace(self, sidecar: str) -> None:
        result = judge({"active": 1, "ready": 0}, pod("Running", {"tuning": ended(0), sidecar: RUNNING}))
        assert said(result) == ("WARN", ["not_ending"], None)
        assert result.cause == f"container tuning finished at {ENDED}, and {sidecar} keeps the pod running"
        soon = pod("Running", {"tuning": ended(0, at=A_MOMENT_AGO), sidecar: RUNNING})
        assert said(judge({"active": 1}, soon)) == ("OK", [], None)

    def test_work_that_another_container_of_the_template_still_does_is_not_finished(self) -> None:
        both = pod(
            "Running",
            {"fetch": ended(0), "train": RUNNING},
            metadata={"annotations": {"kubectl.kubernetes.io/default-container": "train"}},
        )
        assert said(judge({"active": 1}, both)) == ("OK", [], None)

    def test_a_pod_that_the_kubelet_does_not_end_is_a_warning_after_a_grace(self) -> None:
        result = judge({"active": 1}, pod("Running", {"tuning": ended(0), "istio-proxy": ended(0)}))
        assert said(result) == ("WARN", ["not_ending"], None)
        assert "the kubelet has not ended the pod" in (result.cause or "")
        soon = pod("Running", {"tuning": ended(0, at=A_MOMENT_AGO)})
        assert said(judge({"active": 1}, soon)) == ("OK", [], None)

    def test_native_sidecars_are_ended_by_the_kubelet_itself(self) -> None:
        ending = pod("Running", {"tuning": ended(0)}, init={"istio-proxy": RUNNING}, native=("istio-proxy",))
        assert said(judge({"active": 1}, ending)) == ("OK", [], None)


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


class TestWaitingAtItsSource:
    BEHIND = waiting("PodInitializing")

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            pytest.param(
                {"init": {"a-done": ended(0), "fetch": RUNNING, "z-next": BEHIND}},
                f"init container fetch has been running since {STARTED}",
                id="the init container that runs",
            ),
            pytest.param(
                {"init": {"agent": {**RUNNING, "started": False}}, "native": ("agent",)},
                "sidecar agent has not passed its startup probe",
                id="a native sidecar's startup",
            ),
            pytest.param(
                {"init": {"agent": {**RUNNING, "started": True}, "fetch": RUNNING}, "native": ("agent",)},
                f"init container fetch has been running since {STARTED}",
                id="behind a native sidecar that runs",
            ),
            pytest.param(
                {"init": {"fetch": waiting("ContainerCreating")}},
                "init container fetch: ContainerCreating",
                id="an init container that is created",
            ),
            pytest.param({}, "container tuning: PodInitializing", id="nobody says more"),
        ],
    )
    def test_a_pod_names_what_it_waits_for(self, more: Json, words: str) -> None:
        result = judge({"active": 1, "ready": 0}, pod("Pending", {"tuning": self.BEHIND}, **more))
        assert said(result) == ("WARN", ["not_starting"], None)
        assert result.cause == f"pod p has not started: {words}"

    @pytest.mark.parametrize(
        ("native", "name"), [(("agent",), "sidecar agent"), ((), "init container agent")], ids=["native", "plain"]
    )
    def test_one_that_keeps_crashing_before_the_main_container_is_named(
        self, native: tuple[str, ...], name: str
    ) -> None:
        crashing = {
            **waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"),
            "restartCount": 9,
            "lastState": ended(1),
        }
        result = judge({"active": 1}, pod("Pending", {"tuning": self.BEHIND}, init={"agent": crashing}, native=native))
        assert said(result) == ("ERROR", ["crash_loop"], 1)
        assert result.cause == f"{name} keeps crashing: 9 restarts, last with exit code 1"

    def test_a_sidecar_that_keeps_crashing_beside_the_work_is_a_warning(self) -> None:
        crashing = {**waiting("CrashLoopBackOff"), "restartCount": 9, "lastState": ended(1)}
        for more in ({"init": {"agent": crashing}, "native": ("agent",)}, {"also": {"agent": crashing}}):
            containers = {"tuning": RUNNING, **more.pop("also", {})}  # type: ignore[dict-item]
            result = judge({"active": 1}, pod("Running", containers, **more))  # type: ignore[arg-type]
            assert said(result)[:2] == ("WARN", ["crash_loop"])
            assert (result.cause or "").startswith("sidecar agent keeps crashing")

    @pytest.mark.parametrize("reason", ["ImagePullBackOff", "CreateContainerConfigError"])
    def test_a_sidecar_that_cannot_start_beside_the_work_is_a_warning(self, reason: str) -> None:
        proxy = {"istio-proxy": waiting(reason)}
        beside = judge({"active": 1}, pod("Pending", {"tuning": RUNNING, **proxy}))
        assert said(beside)[0] == "WARN"
        left = judge({"active": 1}, pod("Pending", {"tuning": ended(0), **proxy}))
        assert said(left)[0] == "ERROR"
