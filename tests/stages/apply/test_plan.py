"""D31's decisions, command lines, exit codes and report, without a cluster."""

import shlex
from pathlib import Path

import pytest

from k8s_tuning.stages.apply.plan import (
    ApplyAction,
    ApplyStatus,
    K8sApplyJobResult,
    apply_exit_code,
    count,
    decide,
    generate_apply_report_text,
    kubectl_command,
    with_hash,
)

GOLDEN = Path(__file__).parents[2] / "golden"
HASH = "k8s-tuning.io/spec-hash"


def job(image="app:1", **metadata):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": image}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "arb-tuning-a-worker-1-0", "namespace": "bots", **metadata},
        "spec": {"template": template},
    }


def ended(kind):
    return {**with_hash(job()), "status": {"conditions": [{"type": kind, "status": "True"}]}}


def test_a_job_that_is_not_there_is_created():
    assert decide(None, job()).action is ApplyAction.CREATE


def test_the_same_spec_is_left_alone_whatever_else_the_server_added():
    live = with_hash(job())
    live["metadata"] |= {"uid": "u", "labels": {"added": "by-somebody"}}
    live["status"] = {"active": 1}
    decision = decide(live, job(annotations={"created_at": "another time"}))
    assert decision.action is ApplyAction.UNCHANGED
    assert decision.reason == "same spec, running"


@pytest.mark.parametrize(("kind", "state"), [("Complete", "finished"), ("Failed", "failed")])
def test_the_same_spec_that_has_ended_is_left_alone_and_says_how_to_run_it_again(kind, state):
    decision = decide(ended(kind), job())
    assert decision.action is ApplyAction.UNCHANGED
    assert f"same spec, {state}; to run it again, use another session id" in decision.reason


def test_another_spec_is_refused_with_the_way_out():
    decision = decide(with_hash(job("app:2")), job())
    assert decision.action is ApplyAction.REFUSE
    assert "another spec" in decision.reason
    assert "use another session id" in decision.reason
    assert "`kubectl delete job arb-tuning-a-worker-1-0 -n bots`" in decision.reason


def test_a_job_that_somebody_else_made_is_refused():
    assert decide(job(), job()).action is ApplyAction.REFUSE
    assert "was not made by k8s-tuning" in decide(job(), job()).reason


def test_a_job_that_is_being_deleted_is_waited_for():
    live = with_hash(job(deletionTimestamp="2025-11-16T10:00:00Z"))
    assert decide(live, job()).action is ApplyAction.REFUSE
    assert "being deleted; apply again" in decide(live, job()).reason


def test_what_is_sent_carries_the_hash_of_what_it_is_and_not_a_stale_one():
    stale = job(annotations={HASH: "0" * 16, "note": "한국어"})
    sent = with_hash(stale)
    assert sent["metadata"]["annotations"][HASH] == with_hash(job())["metadata"]["annotations"][HASH]
    assert sent["metadata"]["annotations"]["note"] == "한국어"
    assert stale["metadata"]["annotations"][HASH] == "0" * 16, "the manifest itself is not touched"


def test_the_namespace_is_filled_in_before_the_hash_is_taken():
    bare = job()
    del bare["metadata"]["namespace"]
    assert with_hash(bare)["metadata"]["namespace"] == "default"
    assert decide(with_hash(bare), with_hash(bare)).action is ApplyAction.UNCHANGED


def test_the_command_is_what_a_person_would_type():
    assert shlex.join(kubectl_command("jobs/a.yaml", "bots", dry_run=True)) == (
        "kubectl apply --server-side --field-manager=k8s-tuning --dry-run=server -n bots -f jobs/a.yaml"
    )
    real = kubectl_command("my jobs/a.yaml", "bots", dry_run=False, kubeconfig="/k c", context="prod")
    assert "--dry-run" not in real
    assert real[-5:] == ["--context=prod", "-n", "bots", "-f", "my jobs/a.yaml"]


def result(status, code=0, stdout="", stderr=""):
    return K8sApplyJobResult(
        "j", "bots", "jobs/j.yaml", ["kubectl", "apply"], code, stdout, stderr, status, "2025-11-16T10:00:00Z"
    )


@pytest.mark.parametrize(
    ("statuses", "code"),
    [([], 0), (["SUCCESS", "SKIPPED"], 0), (["SUCCESS", "FAILED"], 1)],
    ids=["nothing", "good", "one failed"],
)
def test_the_exit_code_is_1_where_one_failed(statuses, code):
    assert apply_exit_code(count([result(ApplyStatus(status)) for status in statuses])) == code


def test_the_report_of_a_dry_run_shouts_what_would_fail():
    items = [
        result(ApplyStatus.SKIPPED, stdout="job.batch/j serverside-applied (server dry run)"),
        result(ApplyStatus.SKIPPED, code=1, stderr="cannot patch jobs j: 한국어"),
    ]
    text = generate_apply_report_text(count(items, dry_run=True, server="10.0.0.1:6443 (context prod)"))
    assert text == (GOLDEN / "apply-dry-run.txt").read_text(encoding="utf-8")


def test_the_report_says_plainly_that_no_server_was_asked():
    text = generate_apply_report_text(
        count([result(ApplyStatus.SKIPPED)], notes=["no server was asked: no kubeconfig"])
    )
    assert "NO SERVER WAS ASKED" in text
    assert "no kubeconfig" in text
