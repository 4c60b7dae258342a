"""D29: names, shares, labels, annotations, hashes, search spaces, and the files."""

import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples

from k8s_tuning import kubernetes_names as names
from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError, StoreError
from k8s_tuning.stages.generate.jobs import (
    K8sTuningJobFactory,
    build_k8s_jobs_from_orchestrator,
    generate_jobs,
    generate_summary_text,
    iteration_shares,
    job_manifest,
)
from k8s_tuning.stages.generate.search import Parameter, SearchSpace
from k8s_tuning.stages.generate.session import K8sOrchestratorConfig, load_session
from k8s_tuning.stages.job_identity import job_name, spec_hash
from k8s_tuning.stages.manifests import to_yaml
from k8s_tuning.yamlfile import Dialect

CONFIGS = Path(__file__).parents[3] / "include/configs"
GOLDEN = Path(__file__).parents[2] / "golden/manifests"
CREATED = "2025-11-16T10:00:00Z"
LABEL_TEXT = st.from_regex(r"\A[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")


def session(**changes):
    config = K8sOrchestratorConfig(
        session_id="d29-k8s-demo-session",
        k8s_namespace="trading-bots",
        image="registry.example/arbitrage-lite:1.0.0",
        mode="paper",
        env="docker",
        total_iterations=6,
        workers=2,
        optimizer="bayesian",
        config_path="configs/d23_tuning/advanced_baseline.yaml",
        extra_env={"APP_ENV": "docker", "REDIS_PORT": "6379"},
        resources={"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    )
    return replace(config, **changes)


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


@given(LABEL_TEXT, LABEL_TEXT, st.integers(0, 99_999))
def test_a_job_name_is_always_a_dns_label_that_fits(session_id, worker_id, index):
    name = job_name(session_id, worker_id, index)
    assert names.dns_label_problem(name) is None
    assert name.startswith("arb-tuning-")
    assert name.endswith(f"-{index}")
    assert "--" not in name


@given(st.lists(LABEL_TEXT, min_size=2, max_size=2, unique=True), st.text("ab-", max_size=40))
def test_two_sessions_never_share_a_name(ids, prefix):
    """Above all not two that begin alike or differ only in capitals and punctuation."""
    first, second = (f"{prefix.strip('-')}{text}" for text in ids)
    assert job_name(first, "worker-1", 0) != job_name(second, "worker-1", 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("d29-k8s-demo-session", "d29-k8s-other-session"),
        ("a.b", "a-b"),
        ("Session", "session"),
        ("a-very-long-session-name-of-monday", "a-very-long-session-name-of-tuesday"),
    ],
)
def test_sessions_that_look_alike_stay_apart(first, second):
    assert job_name(first, "worker-1", 0) != job_name(second, "worker-1", 0)


def test_a_session_named_like_anothers_short_form_stays_apart():
    long = "a-very-long-session-name-of-monday"
    short = job_name(long, "worker-1", 0).removeprefix("arb-tuning-").removesuffix("-worker-1-0")
    assert job_name(short, "worker-1", 0) != job_name(long, "worker-1", 0)


def test_a_short_session_id_is_readable_in_the_name():
    assert job_name("d29-k8s-demo-session", "worker-1", 0) == "arb-tuning-d29-k8s-demo-session-worker-1-0"


@given(st.integers(1, 60), st.integers(1, 60))
def test_names_are_unique_within_a_session(total, workers):
    jobs = build_k8s_jobs_from_orchestrator(session(total_iterations=total, workers=workers))
    assert not [name for name, count in Counter(job.name for job in jobs).items() if count > 1]
    assert len(jobs) == min(total, workers)


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


def test_the_hash_knows_the_spec_and_neither_the_time_nor_the_run():
    def hashes(config, **keywords):
        jobs = build_k8s_jobs_from_orchestrator(config, **keywords)
        return [job.annotations["k8s-tuning.io/spec-hash"] for job in jobs]

    assert hashes(session(), created_at=CREATED, run_id="a") == hashes(session(), created_at="2026-01-01T00:00:00Z")
    assert hashes(session()) != hashes(session(image="registry.example/arbitrage-lite:1.0.1"))
    assert len(set(hashes(session()))) == 2


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


def test_twice_the_same_gives_the_same_files_and_an_earlier_larger_session_is_gone(tmp_path):
    generate_jobs(session(total_iterations=12, workers=12), tmp_path, created_at=CREATED)
    result = generate_jobs(session(), tmp_path, created_at=CREATED)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(result.removed) == 10
    assert sorted(first) == result.files
    assert generate_jobs(session(), tmp_path, created_at=CREATED).removed == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_files_that_somebody_else_wrote_stay_and_are_named(tmp_path):
    """Even one whose name looks like ours, and a link with such a name."""
    mine = tmp_path / "job-07-arb-tuning-by-hand.yaml"
    mine.write_text("kind: Job\n")
    (tmp_path / "job-08-link.yaml").symlink_to(mine)
    (tmp_path / "README.md").write_text("read me")
    result = generate_jobs(session(), tmp_path)
    assert mine.exists()
    assert (tmp_path / "README.md").exists()
    assert result.removed == []
    assert [note.split()[0] for note in result.notes] == ["job-07-arb-tuning-by-hand.yaml", "job-08-link.yaml"]


def test_an_output_directory_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="check that the output directory can be written"):
        generate_jobs(session(), tmp_path / "file" / "jobs")


def test_a_refused_config_writes_nothing(tmp_path):
    with pytest.raises(ConfigError):
        generate_jobs(session(mode="dream"), tmp_path / "jobs")
    assert not (tmp_path / "jobs").exists()


AWKWARD = st.one_of(
    st.sampled_from(
        [
            "1e3",
            "0o17",
            "y",
            "NO",
            "~",
            "null",
            "1_000",
            "2025-11-16",
            "=",
            "<<",
            "한글 🚀",
            "a: b",
            "*x",
            "- a",
            "\x85",
            "a\u2028b",
            "two\nlines\n",
        ]
    ),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30),
)


@given(st.lists(AWKWARD, max_size=4))
def test_any_text_comes_back_from_the_yaml_as_it_was(texts):
    job = build_k8s_jobs_from_orchestrator(session(extra_env={f"V{n}": text for n, text in enumerate(texts)}))[0]
    written = to_yaml(job_manifest(job))
    for dialect in Dialect:
        assert yamlfile.parse(written, "job.yaml", dialect) == job_manifest(job)
    assert not [event for event in yaml.parse(written) if getattr(event, "anchor", None)]


@given(st.lists(AWKWARD | st.text("0123456789abefoxABEFOX+-._:~ynT=<", max_size=8), min_size=50, max_size=80))
@settings(max_examples=examples(10))
def test_kubectl_reads_each_text_as_it_was(texts):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    pairs = {f"{text}-{index}"[-60:]: text for index, text in enumerate(texts)}
    written = to_yaml(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "texts": texts, "pairs": pairs}
    )
    command = [kubectl, "patch", "--local", "-f", "-", "-p", "{}", "--type", "merge", "-o", "json"]
    done = subprocess.run(command, input=written.encode(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert (read["texts"], read["pairs"]) == (texts, pairs)


@pytest.mark.parametrize("text", ["1e3", "0o17", "y", "no", "1_000"])
def test_a_text_that_another_reader_takes_for_a_number_is_quoted(text):
    """PyYAML reads 1e3 as a text, kubectl as a number."""
    assert to_yaml({"value": text}) == f'value: "{text}"\n'


def test_korean_and_emoji_stand_in_the_file_as_they_are(tmp_path):
    result = generate_jobs(session(extra_env={"NOTE": "한국어 🚀"}), tmp_path)
    assert "한국어 🚀" in (tmp_path / result.files[0]).read_text(encoding="utf-8")


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
