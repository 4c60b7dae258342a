"""What pods tell of a Job: disruptions, nodes that are gone, what holds them."""

from __future__ import annotations

import pytest
from tests.stages.api_objects import (
    A_MOMENT_AGO,
    FAILED,
    LATER,
    RUNNING,
    Json,
    disrupted,
    ended,
    judge,
    pod,
    said,
)

DELETED: Json = {"deletionTimestamp": "2026-11-25T06:06:30Z", "deletionGracePeriodSeconds": 30}
READY: Json = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-25T06:01:00Z"}


DISRUPTIONS = {
    "PreemptionByScheduler": "default-scheduler: preempting to accommodate a higher priority pod",
    "DeletionByTaintManager": "Taint manager: deleting due to NoExecute taint",
    "EvictionByEvictionAPI": "Eviction API: evicting",
    "DeletionByPodGC": "PodGC: node no longer exists",
    "TerminationByKubelet": "The node was low on resource: memory.",
}
REJECTIONS = {
    "NodeShutdown": "Pod was rejected as the node is shutting down.",
    "NodeAffinity": "Predicate NodeAffinity failed",
    "OutOfcpu": "Node didn't have enough resource: cpu, requested: 4000, used: 30000, capacity: 32000",
    "OutOfmemory": "Node didn't have enough resource: memory",
    "OutOfpods": "Node didn't have enough resource: pods",
    "OutOfnvidia.com/gpu": "Node didn't have enough resource: nvidia.com/gpu",
    "UnexpectedAdmissionError": "Allocate failed due to no healthy devices present; cannot allocate nvidia.com/gpu",
    "TopologyAffinityError": "Resources cannot be allocated with Topology locality",
    "Preempting": "Preempted in order to admit critical pod",
    "Shutdown": "Node is shutting, evicting pods",
    "Terminated": "Pod was terminated in response to imminent node shutdown.",
    "Evicted": "The node was low on resource: memory. Container c was using 9Gi, which exceeds its request of 1Gi.",
    "WordOf2030": "whatever a later kubelet rejects a pod for",
}


class TestDisruptions:
    @pytest.mark.parametrize("reason", DISRUPTIONS)
    @pytest.mark.parametrize(
        "state", [ended(143), ended(137), RUNNING, ended(137, "ContainerStatusUnknown")], ids=["143", "137", "-", "?"]
    )
    def test_a_disruption_is_the_cause_and_the_exit_code_it_made_is_none(self, reason: str, state: Json) -> None:
        failed = pod("Failed", {"tuning": state}, conditions=(disrupted(reason, DISRUPTIONS[reason]),))
        result = judge(FAILED, failed)
        assert said(result) == ("ERROR", ["evicted"], None)
        assert result.cause == f"pod p was evicted: {reason}: {DISRUPTIONS[reason]}"

    @pytest.mark.parametrize("reason", REJECTIONS)
    def test_the_kubelets_words_are_known(self, reason: str) -> None:
        result = judge(FAILED, pod("Failed", reason=reason, message=REJECTIONS[reason]))
        assert said(result) == ("ERROR", ["evicted"], None)
        assert f"{reason}: {REJECTIONS[reason]}" in (result.cause or "")

    @pytest.mark.parametrize(
        "disruption",
        [
            *({"conditions": (disrupted(reason, message),)} for reason, message in DISRUPTIONS.items()),
            *({"reason": reason, "message": message} for reason, message in REJECTIONS.items()),
        ],
        ids=[*DISRUPTIONS, *REJECTIONS],
    )
    @pytest.mark.parametrize("status", [{"active": 1, "failed": 1}, {"failed": 1}], ids=["runs again", "between"])
    def test_a_retry_that_it_led_to_is_no_fault_of_the_application(self, disruption: Json, status: Json) -> None:
        first = pod("Failed", name="first", **disruption)
        then = [pod("Running", {"tuning": RUNNING})] if "active" in status else []
        result = judge(status, first, *then, spec={"backoffLimit": 3})
        assert said(result) == ("OK", ["evicted"], None)
        assert (result.cause or "").endswith("; the Job goes on")

    @pytest.mark.parametrize(
        "message",
        [
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
            "Container tuning exceeded its local ephemeral storage limit 1Gi. ",
            'Usage of EmptyDir volume "scratch" exceeds the limit "1Gi". ',
        ],
    )
    def test_a_pod_that_broke_its_own_limit_will_do_so_again(self, message: str) -> None:
        over = pod("Failed", {"tuning": ended(137)}, reason="Evicted", message=message, name="first")
        assert said(judge(FAILED, over)) == ("ERROR", ["evicted"], None)
        again = judge({"active": 1, "failed": 1}, over, pod("Running", {"tuning": RUNNING}), spec={"backoffLimit": 3})
        assert said(again) == ("WARN", ["evicted"], None)

    @pytest.mark.parametrize("reason", ["AppArmor", "SysctlForbidden", "PodOSNotSupported"])
    def test_what_no_node_takes_is_the_manifests_fault(self, reason: str) -> None:
        result = judge(FAILED, pod("Failed", reason=reason, message="forbidden sysctl"))
        assert said(result) == ("ERROR", ["config_error"], None)
        assert result.cause == f"node node-7 rejected pod p: {reason}: forbidden sysctl"

    def test_a_failure_of_its_own_before_the_eviction_stays_the_cause(self) -> None:
        failed = pod(
            "Failed",
            {"tuning": ended(3), "istio-proxy": ended(143, at=LATER)},
            conditions=(disrupted("EvictionByEvictionAPI", "Eviction API: evicting", LATER),),
        )
        assert said(judge(FAILED, failed)) == ("ERROR", ["job_failed", "evicted"], 3)

    def test_an_attempt_that_failed_by_itself_comes_before_one_that_was_evicted(self) -> None:
        evicted = pod("Failed", reason="Evicted", message="The node was low on resource: memory.", name="a")
        result = judge({**FAILED, "failed": 2}, evicted, pod("Failed", {"tuning": ended(3)}, name="b"))
        assert said(result) == ("ERROR", ["job_failed", "evicted"], 3)

    def test_a_pod_that_is_being_evicted_is_mentioned(self) -> None:
        leaving = pod(
            "Running",
            {"tuning": RUNNING},
            metadata={"deletionTimestamp": "2026-11-25T09:00:20Z", "deletionGracePeriodSeconds": 30},
            conditions=(disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),),
        )
        result = judge({"active": 1}, leaving)
        assert said(result) == ("OK", ["evicted"], None)
        assert result.cause == "pod p is being evicted: EvictionByEvictionAPI: Eviction API: evicting"

    def test_a_container_that_its_node_lost(self) -> None:
        message = "The container could not be located when the pod was terminated"
        lost = pod("Failed", {"tuning": ended(137, "ContainerStatusUnknown", message=message)}, name="a")
        assert said(judge(FAILED, lost))[:2] == ("ERROR", ["node_lost"])
        again = judge({"active": 1, "failed": 1}, lost, pod("Running", {"tuning": RUNNING}), spec={"backoffLimit": 3})
        assert said(again)[:2] == ("OK", ["node_lost"])


class TestANodeThatIsGone:
    @pytest.mark.parametrize(
        "more",
        [
            pytest.param({"metadata": DELETED}, id="it cannot be stopped"),
            pytest.param({"metadata": {"deletionTimestamp": "2026-11-25T06:06:30Z"}}, id="deleted, no grace given"),
            pytest.param(
                {"metadata": DELETED, "conditions": (READY, disrupted("DeletionByTaintManager", "Taint manager"))},
                id="tainted, then deleted",
            ),
            pytest.param({"conditions": (READY,)}, id="Ready is False, and its containers are ready"),
            pytest.param({"conditions": ({**READY, "status": "Unknown"},)}, id="Ready is Unknown"),
            pytest.param(
                {"conditions": ({**READY, "status": "Unknown", "reason": "NodeStatusUnknown"},)}, id="with a reason"
            ),
            pytest.param({"conditions": ({"type": "Ready", "status": "Unknown"},)}, id="nobody knows since when"),
            pytest.param({"phase": "Unknown"}, id="as before 1.13"),
        ],
    )
    def test_its_pod_is_lost_though_it_stands_as_running(self, more: Json) -> None:
        lost = pod(more.get("phase", "Running"), {"tuning": RUNNING}, **{k: v for k, v in more.items() if k != "phase"})
        for status in ({"active": 1}, {"active": 0, "ready": 0, "terminating": 1}):
            result = judge(status, lost)
            assert said(result) == ("WARN", ["node_lost"], None)
            assert "node node-7" in (result.cause or "")

    @pytest.mark.parametrize(
        "more",
        [
            pytest.param(
                {"metadata": {**DELETED, "deletionTimestamp": "2026-11-25T08:59:45Z"}}, id="within its grace period"
            ),
            pytest.param(
                {"metadata": {**DELETED, "deletionTimestamp": "2026-11-25T08:59:00Z"}}, id="only just past it"
            ),
            pytest.param({"conditions": ({**READY, "lastTransitionTime": A_MOMENT_AGO},)}, id="a short silence"),
            pytest.param({"conditions": ({**READY, "reason": "ReadinessGatesNotReady"},)}, id="a readiness gate"),
            pytest.param({"conditions": ({"type": "Ready", "status": "True"},)}, id="well"),
        ],
    )
    def test_one_that_may_still_answer_is_not(self, more: Json) -> None:
        assert said(judge({"active": 1}, pod("Running", {"tuning": RUNNING}, **more))) == ("OK", [], None)

    def test_a_readiness_probe_that_fails_is_not(self) -> None:
        unready = {**READY, "reason": "ContainersNotReady"}
        still = pod("Running", {"tuning": {**RUNNING, "ready": False}}, conditions=(unready,))
        assert said(judge({"active": 1}, still)) == ("OK", [], None)
