"""Applying where server, network or files misbehave: nothing half-done, and the reason in plain words."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cluster.api_double import TOKEN, Answer, page, refusal

from k8s_tuning import plain_values
from k8s_tuning.cluster import apply
from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.errors import ConfigError, InputError, RefusedError, Unauthorized, Unreachable
from k8s_tuning.stages.apply.plan import ApplyStatus, K8sApplyPlan, apply_exit_code, generate_apply_report_text
from k8s_tuning.stages.apply.policy import ApplyPolicy
from k8s_tuning.stages.generate.jobs import generate_jobs
from k8s_tuning.stages.generate.session import load_session

SESSION = load_session(Path(__file__).parents[2] / "include/configs/d29-k8s-demo-session.yaml")


@pytest.fixture
def jobs(tmp_path):
    """A directory with the baseline session's two Jobs."""
    generate_jobs(SESSION, tmp_path / "jobs")
    return tmp_path / "jobs"


def execute(kubeconfig, jobs, dry_run=False, **options):
    executor = K8sApplyExecutor(dry_run, kubeconfig, **options)
    return executor.execute_plan(executor.build_plan(jobs))


def empty_cluster(request):
    """No Job anywhere; every apply is accepted."""
    if request.method == "PATCH":
        return Answer({"kind": "Job"}, 201)
    return page("Job", []) if request.path.endswith("/jobs") else refusal(404, "not found", "NotFound")


def impatient(api, tmp_path):
    return ClusterAccess(kubeconfig=api.kubeconfig(tmp_path), retry_seconds=0, connect_seconds=1, read_seconds=1)


def test_a_job_is_sent_as_a_server_side_apply_with_our_field_manager_and_without_force(api, jobs, tmp_path):
    api.answer = empty_cluster
    result = execute(api.kubeconfig(tmp_path), jobs)
    assert (result.successful_jobs, result.failed_jobs) == (2, 0)
    sent = [request for request in api.requests if request.method != "GET"]
    assert {request.method for request in sent} == {"PATCH"}
    for request in sent:
        assert request.headers["content-type"] == "application/apply-patch+yaml"
        assert request.query == {"fieldManager": "k8s-tuning", "fieldValidation": "Strict"}
        assert request.path.startswith("/apis/batch/v1/namespaces/trading-bots/jobs/arb-tuning-d29-k8s-demo-session-")


@pytest.mark.parametrize("answer", [{}, {"metadata": None}, {"kind": "Status", "status": "Success"}])
def test_an_answer_that_is_no_job_is_no_success(answer, api, jobs, tmp_path):
    """Of a gateway that says `200 OK` to whatever it is sent."""
    api.answer = lambda request: Answer(answer) if request.method == "PATCH" else empty_cluster(request)
    result = execute(api.kubeconfig(tmp_path), jobs)
    assert (result.successful_jobs, result.failed_jobs) == (0, 2)
    assert "something that is no Job; check the address and any proxy" in result.job_results[0].stderr


def test_a_dry_run_sends_nothing_without_dry_run_all(api, jobs, tmp_path):
    api.answer = empty_cluster
    result = execute(api.kubeconfig(tmp_path), jobs, dry_run=True)
    assert result.skipped_jobs == 2
    assert "127.0.0.1" in result.server
    patches = [request for request in api.requests if request.method != "GET"]
    assert len(patches) == 2
    assert all(request.query["dryRun"] == "All" for request in patches)


def test_dry_run_is_the_default():
    assert K8sApplyExecutor().dry_run is True


def test_many_jobs_ask_for_the_names_that_are_there_once(api, tmp_path):
    api.answer = empty_cluster
    generate_jobs(replace(SESSION, workers=30, total_iterations=30), tmp_path / "jobs")
    result = execute(api.kubeconfig(tmp_path), tmp_path / "jobs")
    assert result.successful_jobs == 30
    assert len([request for request in api.requests if request.method == "GET"]) == 1


def test_no_more_requests_than_the_limit_are_under_way_at_once(api, tmp_path, monkeypatch):
    import threading
    import time

    running, most, lock = [0], [0], threading.Lock()

    def slow(request):
        if request.method != "PATCH":
            return empty_cluster(request)
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return Answer({"kind": "Job"}, 201)

    api.answer = slow
    monkeypatch.setattr(apply, "CONCURRENCY", 4)
    generate_jobs(replace(SESSION, workers=30, total_iterations=30), tmp_path / "jobs")
    assert execute(api.kubeconfig(tmp_path), tmp_path / "jobs").successful_jobs == 30
    assert 1 < most[0] <= 4


# --- nothing is sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "apply"])
def test_a_namespace_outside_the_allow_list_is_refused_before_anything_is_sent(api, jobs, tmp_path, dry_run):
    with pytest.raises(RefusedError, match="trading-bots is not on the allow-list"):
        execute(api.kubeconfig(tmp_path), jobs, dry_run, policy=ApplyPolicy(["dev"]))
    assert api.requests == []


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "apply"])
def test_a_context_outside_the_allow_list_is_refused_before_anything_is_sent(api, jobs, tmp_path, dry_run):
    with pytest.raises(RefusedError, match="context here is not on the allow-list"):
        execute(api.kubeconfig(tmp_path), jobs, dry_run, policy=ApplyPolicy(None, ["staging"]))
    assert api.requests == []


def test_while_one_manifest_is_invalid_none_is_applied(api, jobs, tmp_path):
    (jobs / "job-09-broken.yaml").write_text("kind: [")
    result = execute(api.kubeconfig(tmp_path), jobs)
    assert api.requests == []
    assert (result.total_jobs, result.failed_jobs, result.skipped_jobs) == (3, 1, 2)
    assert apply_exit_code(result) == 1
    text = generate_apply_report_text(result)
    assert "nothing was applied: the directory holds invalid manifests" in text
    assert "job-09-broken.yaml" in text


def test_a_dry_run_asks_about_the_good_ones_and_names_the_invalid(api, jobs, tmp_path):
    api.answer = empty_cluster
    (jobs / "job-09-broken.yaml").write_text("kind: [")
    result = execute(api.kubeconfig(tmp_path), jobs, dry_run=True)
    assert [item.return_code for item in result.job_results] == [0, 0, 1]
    assert apply_exit_code(result) == 0


def test_a_file_that_changed_since_the_plan_is_not_sent(api, jobs, tmp_path):
    api.answer = empty_cluster
    executor = K8sApplyExecutor(False, api.kubeconfig(tmp_path))
    plan = executor.build_plan(jobs)
    first = Path(plan.jobs[0].yaml_path)
    first.write_text(first.read_text().replace("1.0.0", "6.6.6"))
    result = executor.execute_plan(plan)
    assert "changed since the plan was made" in result.job_results[0].stderr
    assert [item.status for item in result.job_results] == [ApplyStatus.FAILED, ApplyStatus.SUCCESS]


def test_a_plan_survives_json_and_can_be_executed_by_another_process(api, jobs, tmp_path):
    api.answer = empty_cluster
    plan = json.loads(json.dumps(plain_values.dump(K8sApplyExecutor(False).build_plan(jobs))))
    result = K8sApplyExecutor(False, api.kubeconfig(tmp_path)).execute_plan(plain_values.load(K8sApplyPlan, plan))
    assert result.successful_jobs == 2


def test_a_plan_that_points_out_of_its_directory_sends_nothing_of_it(api, jobs, tmp_path):
    api.answer = empty_cluster
    executor = K8sApplyExecutor(False, api.kubeconfig(tmp_path))
    plan = executor.build_plan(jobs)
    outside = tmp_path / "outside.yaml"
    outside.write_bytes(Path(plan.jobs[0].yaml_path).read_bytes())
    plan.jobs[0].yaml_path = str(outside)
    assert "a link to a file outside the directory" in executor.execute_plan(plan).job_results[0].stderr


def test_an_item_without_a_digest_is_validated_and_must_hold_the_planned_job(api, jobs, tmp_path):
    api.answer = empty_cluster
    executor = K8sApplyExecutor(False, api.kubeconfig(tmp_path))
    plan = executor.build_plan(jobs)
    plan.jobs = [replace(plan.jobs[0], digest=""), replace(plan.jobs[1], digest="", job_name="another")]
    result = executor.execute_plan(plan)
    assert result.job_results[0].status is ApplyStatus.SUCCESS
    assert "not the planned Job; plan again" in result.job_results[1].stderr


def test_an_empty_directory_plans_nothing_and_a_missing_one_is_an_error(tmp_path):
    executor = K8sApplyExecutor()
    plan = executor.build_plan(tmp_path)
    assert (plan.jobs, plan.total_jobs) == ([], 0)
    assert "no Job to apply" in executor.execute_plan(plan).notes[0]
    with pytest.raises(InputError, match="nowhere"):
        executor.build_plan(tmp_path / "nowhere")


# --- no server, or a failing one ------------------------------------------------------------------------------------


def test_a_dry_run_without_any_cluster_works_and_says_that_none_was_asked(jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    result = execute(None, jobs, dry_run=True)
    assert (result.server, result.skipped_jobs) == (None, 2)
    assert "NO SERVER WAS ASKED" in generate_apply_report_text(result)
    assert apply_exit_code(result) == 0


def test_an_apply_without_any_cluster_is_an_error(jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(ConfigError):
        execute(None, jobs)


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "apply"])
def test_a_kubeconfig_that_was_named_and_is_missing_is_an_error_even_in_a_dry_run(jobs, tmp_path, dry_run):
    with pytest.raises(ConfigError, match="nowhere"):
        execute(str(tmp_path / "nowhere"), jobs, dry_run)


def nobody_listens(api, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api.url = f"http://127.0.0.1:{port}"
    return impatient(api, tmp_path)


def test_a_dry_run_with_nobody_listening_says_so_once(api, jobs, tmp_path):
    result = execute(None, jobs, True, access=nobody_listens(api, tmp_path))
    assert result.server is None
    assert "no server answered" in result.notes[0]
    assert [item.return_code for item in result.job_results] == [0, 0]


def test_an_apply_with_nobody_listening_is_an_error_that_may_be_tried_again(api, jobs, tmp_path):
    with pytest.raises(Unreachable) as caught:
        execute(None, jobs, access=nobody_listens(api, tmp_path))
    assert caught.value.retryable


def test_a_server_that_goes_silent_midway_is_not_asked_for_every_job(api, tmp_path, monkeypatch):
    """What went through is kept apart from what did not, and the apply can be run again."""
    generate_jobs(replace(SESSION, workers=9, total_iterations=9), tmp_path / "jobs")
    accepted = []

    def dies(request):
        if request.method == "PATCH" and len(accepted) == 3:
            return Answer(raw=b"")
        if request.method == "PATCH":
            accepted.append(request.path)
        return Answer(raw=b"") if len(accepted) == 3 and request.method == "GET" else empty_cluster(request)

    api.answer = dies
    monkeypatch.setattr(apply, "CONCURRENCY", 1)
    result = execute(None, tmp_path / "jobs", access=impatient(api, tmp_path))
    assert (result.successful_jobs, result.failed_jobs) == (3, 6)
    assert "not sent: " in result.job_results[-1].stderr
    assert len(api.requests) < 20


def test_an_expired_token_stops_an_apply_and_never_shows(api, jobs, tmp_path):
    api.script(refusal(401, "Unauthorized", "Unauthorized"))
    with pytest.raises(Unauthorized, match="expired or wrong token") as caught:
        execute(api.kubeconfig(tmp_path), jobs)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(403, 'jobs.batch is forbidden: User "x" cannot patch', "Forbidden"), "may not patch jobs"),
        (refusal(409, 'conflict with "helm": .spec.parallelism', "Conflict"), 'conflict with "helm"'),
        (refusal(422, "spec.template: field is immutable", "Invalid"), "field is immutable"),
        (refusal(404, 'namespaces "trading-bots" not found', "NotFound"), 'namespaces "trading-bots" not found'),
        (refusal(500, ".spec.x: field not declared in schema"), "this cluster is too old for the field; remove it"),
        (Answer(b"<html>login</html>", 200, {"Content-Type": "text/html"}), "not as the Kubernetes API"),
        (Answer(b"<html>login</html>", 502, {"Content-Type": "text/html"}), "a web page"),
        (Answer({}, 302, {"Location": "http://169.254.169.254/"}), "redirect"),
        (refusal(429, "slow down", "TooManyRequests"), "throttling"),
    ],
    ids=["403", "409", "422", "404", "unknown field", "html", "html 502", "302", "429"],
)
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "apply"])
def test_a_refusal_is_reported_in_the_servers_words_and_hides_no_other_job(api, jobs, tmp_path, answer, said, dry_run):
    def refuses_worker_1(request):
        return answer if request.method == "PATCH" and "worker-1" in request.path else empty_cluster(request)

    api.answer = refuses_worker_1
    result = execute(None, jobs, dry_run, access=impatient(api, tmp_path))
    bad, good = result.job_results
    assert said in bad.stderr
    assert bad.return_code == 1
    assert good.return_code == 0
    assert bad.status is (ApplyStatus.SKIPPED if dry_run else ApplyStatus.FAILED)
    assert apply_exit_code(result) == (0 if dry_run else 1)


def test_a_throttled_apply_is_tried_again(api, jobs, tmp_path):
    refused = []

    def throttles_once(request):
        if request.method == "PATCH" and request.path not in refused:
            refused.append(request.path)
            return Answer(refusal(429, "slow down").body, 429, {"Retry-After": "0"})
        return empty_cluster(request)

    api.answer = throttles_once
    assert execute(api.kubeconfig(tmp_path), jobs).successful_jobs == 2
    assert len(refused) == 2


def answers_once(api, answer):
    """Each Job's first apply gets `answer`; the applies that were sent."""
    applied = []

    def behave(request):
        if request.method == "PATCH":
            applied.append(request.path)
            if applied.count(request.path) == 1:
                return answer
        return empty_cluster(request)

    api.answer = behave
    return applied


@pytest.mark.parametrize(
    "answer",
    [
        refusal(409, 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified; please apply'),
        refusal(403, 'jobs.batch "a" is forbidden: status unknown for quota: q, resources: count/jobs.batch'),
    ],
    ids=["two creations at once", "a new quota"],
)
def test_a_collision_on_the_quotas_bookkeeping_is_tried_again(api, jobs, tmp_path, answer):
    applied = answers_once(api, answer)
    assert execute(api.kubeconfig(tmp_path), jobs).successful_jobs == 2
    assert len(applied) == 4


FINAL = {
    "duplicate env": refusal(500, 'failed to create typed patch object: .env: duplicate entries for key [name="A"]'),
    "integer quantity": refusal(500, "failed to create typed patch object: .cpu: expected string, got &value{}"),
    "field conflict": refusal(409, 'Apply failed with 1 conflict: conflict with "kubectl": .spec.parallelism'),
    "uid": refusal(409, 'Operation cannot be fulfilled on jobs.batch "a": uid mismatch: the provided object …'),
    "quota": refusal(403, 'jobs.batch "a" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'),
    "webhook": refusal(403, 'admission webhook "a.b" denied the request: no'),
    "terminating": refusal(403, "unable to create new content in namespace x because it is being terminated"),
}


@pytest.mark.parametrize("answer", FINAL.values(), ids=FINAL)
def test_what_no_repetition_changes_is_asked_once(api, jobs, tmp_path, answer):
    """It took 31 s a Job before."""
    applied = answers_once(api, answer)
    result = execute(api.kubeconfig(tmp_path), jobs)
    assert result.failed_jobs == 2
    assert len(applied) == 2
