"""What a Job itself says: attempts, indexes, what holds it, that it does not end."""

from __future__ import annotations

import pytest
from tests.stages.api_objects import (
    A_MOMENT_AGO,
    CREATED,
    ENDED,
    LIMIT_REACHED,
    NOW,
    RUNNING,
    STARTED,
    Json,
    ended,
    judge,
    pod,
    said,
)

from k8s_tuning.stages.health.evaluate import K8sHealthEvaluator
from k8s_tuning.stages.monitor.job_reading import job_status
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot

INDEXED: Json = {"completions": 4, "completionMode": "Indexed", "backoffLimitPerIndex": 1}
GATED: Json = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "blocked"}


class TestRetries:
    @pytest.mark.parametrize(
        "status",
        [{"failed": 2, "active": 0}, {"failed": 2}, {"failed": 2, "active": 1}, {"failed": 2, "terminating": 1}],
        ids=["active 0", "active absent", "active", "terminating"],
    )
    def test_between_two_attempts_it_is_a_warning_at_most(self, status: Json) -> None:
        killed = [pod("Failed", {"tuning": ended(137, "OOMKilled")}, name=name) for name in "ab"]
        result = judge(status, *killed, spec={"backoffLimit": 6})
        assert said(result) == ("WARN", ["oom_killed"], 137)
        assert result.cause == "container tuning was OOM-killed (exit code 137); the Job goes on"
        plain = pod("Failed", {"tuning": ended(3)})
        assert said(judge(status, plain, spec={"backoffLimit": 6})) == ("OK", [], None)

    @staticmethod
    def of_index(index: int, phase: str, state: Json) -> Json:
        labels = {"batch.kubernetes.io/job-completion-index": str(index)}
        return pod(phase, {"tuning": state}, metadata={"labels": labels}, name=f"j-{index}")

    @pytest.mark.parametrize("indexes", ["1", "0-2", "1,3", "0,1-1"])
    def test_an_index_past_its_limit_has_failed_for_good_while_the_job_runs(self, indexes: str) -> None:
        others = [self.of_index(3, "Running", RUNNING)]
        status = {"active": 1, "failed": 2, "failedIndexes": indexes}
        result = judge(status, self.of_index(1, "Failed", ended(3)), *others, spec=INDEXED)
        assert said(result) == ("ERROR", ["index_failed"], 3)
        killed = judge(status, self.of_index(1, "Failed", ended(137, "OOMKilled")), *others, spec=INDEXED)
        assert said(killed) == ("ERROR", ["oom_killed"], 137)
        without = judge(status, *others, spec=INDEXED)
        assert said(without) == ("ERROR", ["index_failed"], None)
        assert without.cause == f"index {indexes} failed and is not tried again, while the Job runs on"

    def test_an_index_that_is_tried_again_has_not(self) -> None:
        status = {"active": 2, "failed": 1, "failedIndexes": "1"}
        retried = self.of_index(0, "Failed", ended(137, "OOMKilled"))
        result = judge(status, retried, self.of_index(0, "Running", RUNNING), spec=INDEXED)
        assert said(result) == ("ERROR", ["index_failed", "oom_killed"], None)

    def test_a_success_policy_may_do_without_the_index(self) -> None:
        status = {"active": 1, "failed": 2, "failedIndexes": "1"}
        spec = {**INDEXED, "successPolicy": {"rules": [{"succeededCount": 1}]}}
        others = [self.of_index(3, "Running", RUNNING)]
        assert said(judge(status, *others, spec=spec)) == ("WARN", ["index_failed"], None)
        result = judge(status, self.of_index(1, "Failed", ended(3)), *others, spec=spec)
        assert said(result) == ("WARN", ["index_failed"], 3)
        killed = judge(status, self.of_index(1, "Failed", ended(137, "OOMKilled")), *others, spec=spec)
        assert said(killed) == ("WARN", ["oom_killed"], 137)

    def test_of_a_job_that_failed_by_an_index_only_that_index_tells_why(self) -> None:
        condition = {**LIMIT_REACHED, "reason": "FailedIndexes", "message": "Job has failed indexes"}
        result = judge(
            {"failed": 2, "succeeded": 3, "failedIndexes": "1", "conditions": [condition]},
            self.of_index(0, "Failed", ended(137, "OOMKilled", at=STARTED)),
            self.of_index(1, "Failed", ended(3)),
            spec=INDEXED,
        )
        assert said(result)[2] == 3

    def test_a_job_that_is_about_to_fail_has_failed(self) -> None:
        target = {**LIMIT_REACHED, "type": "FailureTarget"}
        result = judge({"failed": 1, "terminating": 1, "conditions": [target]}, pod("Failed", {"tuning": ended(3)}))
        assert said(result) == ("ERROR", ["job_failed"], 3)

    @pytest.mark.parametrize("reason", ["CompletionsReached", "SuccessPolicy"])
    def test_a_job_that_met_its_success_criteria_is_ok_whatever_its_other_pods_did(self, reason: str) -> None:
        criteria = {"type": "SuccessCriteriaMet", "status": "True", "reason": reason}
        result = judge({"succeeded": 1, "conditions": [criteria]}, pod("Failed", {"tuning": ended(137)}))
        assert said(result) == ("OK", [], None)

    def test_a_work_queue_runs_while_one_of_its_pods_does(self) -> None:
        pods = [pod("Succeeded", {"tuning": ended(0)}, name="a"), pod("Running", {"tuning": RUNNING}, name="b")]
        result = judge({"active": 2, "succeeded": 1}, *pods, spec={"completions": None, "parallelism": 3})
        assert (said(result), result.phase) == (("OK", [], None), "RUNNING")


class TestHeldOnPurpose:
    @pytest.mark.parametrize("gate", ["kueue.x-k8s.io/admission", "example.com/wait"])
    def test_a_gated_pod_is_pending_and_says_by_what(self, gate: str) -> None:
        spec = {"nodeName": None, "schedulingGates": [{"name": gate}]}
        held = pod("Pending", spec=spec, conditions=(GATED,))
        result = judge({"active": 1, "ready": 0}, held)
        assert said(result) == ("WARN", ["pending"], None)
        assert result.cause is not None
        assert f"pod p is held on purpose by {gate}" in result.cause
        assert ("Kueue has not admitted it" in result.cause) == gate.startswith("kueue")

    def test_nobody_minds_where_pending_is_ok(self) -> None:
        held = pod("Pending", spec={"nodeName": None}, conditions=(GATED,))
        raw = {"metadata": {"name": "j"}, "status": {"startTime": CREATED, "active": 1}}
        snapshot = K8sMonitorSnapshot("n", "a=b", [job_status(raw, [held])], [], NOW)
        assert K8sHealthEvaluator(warn_on_pending=False).evaluate(snapshot).overall_health == "OK"

    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            ({}, "the Job is suspended: it starts when somebody resumes it"),
            ({"kueue.x-k8s.io/queue-name": "lab"}, "the Job is suspended: Kueue's queue lab has not admitted it"),
        ],
    )
    @pytest.mark.parametrize(
        "status",
        [
            {},
            {"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]},
            {"startTime": None, "failed": 1},
        ],
        ids=["just made", "suspended", "preempted by Kueue after a failure"],
    )
    def test_a_suspended_job_is_pending_and_says_so(self, status: Json, labels: Json, words: str) -> None:
        earlier = pod("Failed", {"tuning": ended(3)}) if "failed" in status else None
        pods = [earlier] if earlier else []
        result = judge(status, *pods, spec={"suspend": True}, metadata={"labels": labels})
        assert (said(result), result.cause, result.phase) == (("WARN", ["pending"], None), words, "PENDING")

    def test_a_resumed_job_runs(self) -> None:
        resumed = {"type": "Suspended", "status": "False", "reason": "JobResumed"}
        assert said(judge({"active": 1, "conditions": [resumed]}, pod("Running", {"tuning": RUNNING})))[0] == "OK"

    def test_a_job_of_another_controller_says_whose(self) -> None:
        result = judge({"startTime": None}, spec={"managedBy": "kueue.x-k8s.io/multikueue"})
        assert said(result) == ("WARN", ["pending"], None)
        assert "kueue.x-k8s.io/multikueue manages it" in (result.cause or "")

    def test_a_job_without_a_pod_yet_says_so(self) -> None:
        new = judge({"ready": 0, "terminating": 0, "uncountedTerminatedPods": {}})
        assert (said(new), new.cause) == (("WARN", ["pending"], None), "the Job has no pod yet")

    def test_a_job_that_is_scaled_to_nothing_is_held_on_purpose(self) -> None:
        held = judge({"ready": 0}, spec={"parallelism": 0})
        assert said(held) == ("WARN", ["pending"], None)
        assert held.cause == "the Job's parallelism is 0: it has no pod until somebody raises that"


class TestAJobThatDoesNotEnd:
    @pytest.mark.parametrize(
        ("status", "phases"),
        [
            ({"active": 1}, ["Succeeded"]),
            ({"active": 1}, ["Failed"]),
            ({"active": 2}, ["Succeeded", "Failed"]),
            ({"uncountedTerminatedPods": {"succeeded": ["p0"]}}, ["Succeeded"]),
            ({}, ["Succeeded"]),
        ],
        ids=["one succeeded", "one failed", "two", "seen, not counted", "no count at all"],
    )
    def test_pods_that_ended_and_that_nobody_counts(self, status: Json, phases: list[str]) -> None:
        def pods(at: str) -> list[Json]:
            return [
                pod(phase, {"tuning": ended(0 if phase == "Succeeded" else 3, at=at)}, name=f"p{number}")
                for number, phase in enumerate(phases)
            ]

        spec = {"backoffLimit": 6, "completions": 2}
        result = judge(status, *pods(ENDED), spec=spec)
        reasons = ["not_ending"]
        assert said(result)[0] == "WARN"
        assert reasons[0] in result.reasons
        assert "the Job controller has not counted" in (result.cause or "")
        assert "not_ending" not in judge(status, *pods(A_MOMENT_AGO), spec=spec).reasons

    def test_a_pod_that_still_runs_is_waited_for(self) -> None:
        pods = [pod("Succeeded", {"tuning": ended(0)}, name="a"), pod("Running", {"tuning": RUNNING}, name="b")]
        assert said(judge({"active": 2}, *pods))[0] == "OK"

    @pytest.mark.parametrize(
        "status", [{"active": 1}, {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}]
    )
    def test_a_job_that_has_been_deleting_for_hours(self, status: Json) -> None:
        metadata = {"deletionTimestamp": CREATED, "finalizers": ["foregroundDeletion"]}
        result = judge(status, metadata=metadata)
        assert said(result) == ("WARN", ["not_deleted"], None)
        assert result.cause == f"the Job has been deleting since {CREATED}; its finalizers hold it: foregroundDeletion"
        assert said(judge(status, metadata={"deletionTimestamp": "2026-11-25T08:10:00Z"}))[0] == "OK"
