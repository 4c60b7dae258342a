"""D29: shares, labels, annotations, refused configurations, and the manifests."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stages.generate.sessions import session

from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.generate.jobs import (
    K8sTuningJobFactory,
    build_k8s_jobs_from_orchestrator,
    generate_jobs,
    generate_summary_text,
    iteration_shares,
    job_manifest,
)
from k8s_tuning.stages.generate.search import Parameter, SearchSpace
from k8s_tuning.stages.generate.session import load_session
from k8s_tuning.stages.job_identity import spec_hash

CONFIGS = Path(__file__).parents[3] / "include/configs"
GOLDEN = Path(__file__).parents[2] / "golden/manifests"
CREATED = "2025-11-16T10:00:00Z"


@pytest.mark.parametrize("name", ["d29-k8s-demo-session", "search-example"])
def test_shipped_sessions_give_the_golden_manifests(name, tmp_path):
    """Byte for byte, so that a change of the manifests is seen in review."""
    result = generate_jobs(load_session(CONFIGS / f"{name}.yaml"), tmp_path, run_id="manual__x", created_at=CREATED)
    golden = GOLDEN / name
    assert result.files == sorted(path.name for path in golden.iterdir())
    for file in result.files:
        assert (tmp_path / file).read_text() == (golden / file).read_text(), file


def test_the_container_runs_the_session_script_with_the_contracts_arguments():
    job = build_k8s_jobs_from_orchestrator(session())[1]
    assert job.command == ["python"]
    assert " ".join(job.args) == (
        "scripts/run_d24_tuning_session.py --config configs/d23_tuning/advanced_baseline.yaml --iterations 3 "
        "--mode paper --env docker --optimizer bayesian --session-id d29-k8s-demo-session --worker-id worker-2 "
        "--output-csv outputs/d29-k8s-demo-session_worker-2.csv"
    )
    assert list(job.env) == ["APP_ENV", "REDIS_PORT", "SESSION_ID", "WORKER_ID", "MODE"]
    assert (job.restart_policy, job.backoff_limit) == ("Never", 0)


def test_labels_stand_on_the_job_and_on_its_pod_template():
    job = build_k8s_jobs_from_orchestrator(session())[0]
    manifest = job_manifest(job)
    assert manifest["metadata"]["labels"] == {
        "app": "arbitrage-tuning",
        "session_id": "d29-k8s-demo-session",
        "worker_id": "worker-1",
        "component": "tuning",
        "mode": "paper",
        "env": "docker",
    }
    assert manifest["spec"]["template"]["metadata"]["labels"] == manifest["metadata"]["labels"]


@given(st.integers(0, 5000), st.integers(1, 300))
def test_shares_add_up_and_differ_by_at_most_one(total, workers):
    shares = iteration_shares(total, workers)
    assert sum(shares) == total
    assert len(shares) == workers
    assert max(shares) - min(shares) <= 1


def test_a_worker_without_an_iteration_gets_no_job_and_the_result_says_so(tmp_path):
    result = generate_jobs(session(total_iterations=2, workers=5), tmp_path)
    assert result.total_jobs == 2
    assert "5 workers share 2 iteration(s): 3 of them would have none" in generate_summary_text(result)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"session_id": "has space"}, "session_id: 'has space' is used as a label"),
        ({"session_id": "세션"}, "session_id: '세션'"),
        ({"session_id": "x" * 64}, "session_id:.*64 characters long"),
        ({"session_id": ""}, "session_id"),
        ({"k8s_namespace": "Trading_Bots"}, "k8s_namespace: 'Trading_Bots'"),
        ({"mode": "dream"}, "mode: 'dream' must be 'paper', 'shadow' or 'live'"),
        ({"env": "moon"}, "env: 'moon'"),
        ({"optimizer": "luck"}, "optimizer: 'luck'"),
        ({"workers": -1}, "workers: -1 must be greater than or equal to 1"),
        ({"workers": 0}, "workers: 0"),
        ({"workers": 2.0}, "workers: 2.0"),
        ({"workers": True}, "workers: True"),
        ({"workers": 10_001}, "workers: 10001"),
        ({"total_iterations": 0}, "total_iterations: 0"),
        ({"image": "a b"}, "image: 'a b' has white space"),
        ({"image": ""}, "image"),
        ({"extra_env": {"1BAD": "x"}}, "extra_env.1BAD: '1BAD' may hold only"),
        ({"extra_env": {"MODE": "x"}}, "extra_env.MODE: is set by the generator"),
        ({"extra_env": {"A": "x\0y"}}, "extra_env.A: holds a NUL"),
        ({"resources": {"requests": {"cpu": "lots"}}}, "resources.requests.cpu: 'lots' is not a quantity"),
        ({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}}, "requests.cpu: 2 is above the limit"),
        ({"resources": {"request": {}}}, "resources.request: unknown key; did you mean 'requests'"),
        ({"node_selector": {"bad key": "x"}}, "node_selector.bad key: 'bad key'"),
        ({"tolerations": [{"effect": "Never"}]}, "tolerations.0.effect: 'Never'"),
        ({"tolerations": [{"keys": "x"}]}, "tolerations.0.keys: unknown key; did you mean 'key'"),
        ({"queue": "a/b"}, "queue: 'a/b'"),
        ({"priority_class": "Höher"}, "priority_class"),
        ({"active_deadline_seconds": 0}, "active_deadline_seconds: 0"),
        ({"security_context": "open"}, "security_context: 'open'"),
        ({"run_as_user": 0}, "run_as_user: 0"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_config_that_kubernetes_would_refuse_is_refused_with_its_key(changes, said):
    with pytest.raises(ConfigError, match=said):
        build_k8s_jobs_from_orchestrator(session(**changes))


@pytest.mark.parametrize("worker_id", ["", "a b", "x" * 64, "-a"])
def test_a_worker_id_that_is_no_label_value_is_refused_with_the_label(worker_id):
    with pytest.raises(ConfigError, match="label worker_id"):
        K8sTuningJobFactory(session()).create_job_for_worker(worker_id, 1, 0)


def test_annotations_carry_session_run_creation_and_hash():
    job = build_k8s_jobs_from_orchestrator(session(), run_id="scheduled__2025-11-16T00:00:00+00:00")[0]
    assert job.annotations["description"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", job.annotations["created_at"])
    assert job.annotations["k8s-tuning.io/session-id"] == "d29-k8s-demo-session"
    assert job.annotations["k8s-tuning.io/run-id"] == "scheduled__2025-11-16T00:00:00+00:00"
    assert job.annotations["k8s-tuning.io/spec-hash"] == spec_hash(job_manifest(job))


def test_security_is_restrictive_by_default_and_can_be_switched_off():
    pod = job_manifest(build_k8s_jobs_from_orchestrator(session())[0])["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    open_pod = job_manifest(build_k8s_jobs_from_orchestrator(session(security_context="none"))[0])
    assert "securityContext" not in str(open_pod)


def test_options_of_a_job_reach_its_manifest():
    config = session(
        ttl_seconds_after_finished=60,
        active_deadline_seconds=3600,
        backoff_limit=2,
        service_account="tuner",
        node_selector={"disk": "ssd"},
        tolerations=[{"key": "batch", "operator": "Exists"}],
        priority_class="low",
        queue="tuning",
        run_as_user=1000,
    )
    manifest = job_manifest(build_k8s_jobs_from_orchestrator(config)[0])
    spec, pod = manifest["spec"], manifest["spec"]["template"]["spec"]
    assert (spec["ttlSecondsAfterFinished"], spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (60, 3600, 2)
    assert pod["serviceAccountName"] == "tuner"
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [{"key": "batch", "operator": "Exists"}]
    assert pod["priorityClassName"] == "low"
    assert pod["securityContext"]["runAsUser"] == 1000
    assert "automountServiceAccountToken" not in pod
    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "tuning"
    assert "kueue.x-k8s.io/queue-name" not in spec["template"]["metadata"]["labels"]


def test_each_job_gets_its_combination_as_env_and_annotation():
    space = SearchSpace("grid", {"spread-min": Parameter(values=[0.1, 0.2]), "hedge": Parameter(values=[True])})
    jobs = build_k8s_jobs_from_orchestrator(session(search=space))
    assert [job.env["TUNE_SPREAD_MIN"] for job in jobs] == ["0.1", "0.2"]
    assert jobs[0].env["TUNE_HEDGE"] == "true"
    assert jobs[1].annotations["k8s-tuning.io/parameters"] == '{"hedge":true,"spread-min":0.2}'


def test_an_amount_that_nobody_can_have_meant_is_noted_by_the_generation(tmp_path):
    result = generate_jobs(session(resources={"limits": {"cpu": 500, "memory": "512m"}}), tmp_path)
    assert result.notes == [
        "resources.limits.cpu: 500 is 500 whole cores; did you mean 500m?",
        "resources.limits.memory: 512m is 0.512 bytes (m is a thousandth); did you mean 512Mi?",
    ]


def expanded(text, variables):
    """What the kubelet makes of an argument or a value: k8s.io/kubernetes/third_party/forked/golang/expansion."""
    result, rest = "", text
    while "$" in rest:
        before, _, rest = rest.partition("$")
        result += before
        name, closed, behind = rest[1:].partition(")")
        if rest.startswith("$"):
            result, rest = result + "$", rest[1:]
        elif rest.startswith("(") and closed:
            result, rest = result + variables.get(name, f"$({name})"), behind
        elif rest.startswith("("):
            result, rest = result + "$(", rest[1:]
        else:
            result += "$"
    return result + rest


DOLLARS = ["pa$$word", "$(HOME)", "$(SECRET", "$$(A)", "cost: 5$", "$", "$$", "$$$", "$x", "${A}", "$(A)$(B)", "a$(A))"]


@given(st.sampled_from(DOLLARS) | st.text("$()AB ", max_size=12))
def test_the_container_gets_the_dollar_signs_that_the_session_has(text):
    job = build_k8s_jobs_from_orchestrator(session(extra_env={"A": "x", "B": text}, config_path=f"/configs/{text}"))[0]
    container = job_manifest(job)["spec"]["template"]["spec"]["containers"][0]
    values = {variable["name"]: variable["value"] for variable in container["env"]}
    assert expanded(values["B"], {"A": "x", "HOME": "/root"}) == text
    assert expanded(container["args"][2], {"A": "x"}) == f"/configs/{text}"


def test_a_text_without_a_reference_stands_in_the_manifest_as_it_is():
    job = build_k8s_jobs_from_orchestrator(session(extra_env={"A": "5$ ${HOME} $x a$"}))[0]
    assert job_manifest(job)["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "5$ ${HOME} $x a$"


def test_resources_given_as_numbers_become_the_texts_that_the_server_gives_back():
    job = build_k8s_jobs_from_orchestrator(session(resources={"limits": {"cpu": 1, "memory": "1Gi"}}))[0]
    assert job.resources == {"limits": {"cpu": "1", "memory": "1Gi"}}
