"""What containers tell of a Job: which of them failed first, which outlives the work."""

from __future__ import annotations

import pytest
from tests.stages.api_objects import (
    A_MOMENT_AGO,
    ENDED,
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
        """A drained node's sidecars may take their grace period after the main container received SIGTERM."""
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
