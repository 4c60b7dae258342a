"""D30: texts that are no manifest, and the plan of a directory."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples
from tests.stages.validate.manifests import C0, changed, good_job, validate

from k8s_tuning.errors import InputError
from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator, generate_jobs, job_manifest
from k8s_tuning.stages.generate.session import load_session
from k8s_tuning.stages.manifests import to_yaml
from k8s_tuning.stages.validate.plan import (
    K8sExecutionPlanner,
    K8sJobValidator,
    generate_execution_plan_text,
    validation_exit_code,
)

CONFIGS = Path(__file__).parents[3] / "include/configs"
GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a Job"),
        ("just text", "expected a Job's `key: value` lines, found a text"),
        ("- a", "found a list"),
        ("a: [", "not YAML"),
        ("a: b: c", "line 1: not YAML"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document begins"),
        ("a: &x [1]\nb: &y [" + "*x, " * 1000 + "]\nc: [" + "*y, " * 1000 + "]\n", "line 1: its aliases, written out"),
        ("a: 1\na: 2\n", "line 2: the key 'a' is there twice"),
        ("a: " + "[" * 1000, "nested deeper"),
        ("x" * 1_000_001, "larger than 1,000,000 bytes"),
        ("\x00", "not YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("a: 2025-13-45\n", "apiVersion: is missing"),
        ("? [a]\n: b\n", "line 1: the key is not a text"),
    ],
    ids=lambda text: repr(text)[:24],
)
def test_text_that_is_no_manifest_is_an_error_and_no_traceback(text, said):
    result = validate(text)
    assert not result.valid
    assert any(part in result.errors[0] for part in said.split("|")), result.errors
    assert "job-00.yaml" in result.errors[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
PLACES = [(), ("metadata",), ("metadata", "labels"), ("spec",), ("spec", "template"), ("spec", "template", "spec"), C0]
FIELDS = ["name", "labels", "annotations", "spec", "metadata", "template", "containers", "env", "image", "resources"]


@given(st.sampled_from(PLACES), st.sampled_from([*FIELDS, "securityContext", "volumes", "backoffLimit"]), JSON)
@settings(max_examples=examples(150))
def test_no_manifest_however_odd_ends_in_a_traceback(place, field, value):
    validate(yaml.safe_dump(changed((*place, field), value), allow_unicode=True))


def test_a_hash_without_a_spec_is_no_traceback():
    job = job_manifest(build_k8s_jobs_from_orchestrator(load_session(CONFIGS / "d29-k8s-demo-session.yaml"))[0])
    del job["spec"]
    assert not validate(job).valid


@pytest.mark.parametrize("value", ["no", "on", "y", "010", "1_000", "0b1"])
@pytest.mark.parametrize("path", [("metadata", "labels", "team"), (*C0, "env", 0, "value"), ("spec", "suspend")])
def test_a_value_that_kubectl_reads_as_another_is_an_error_with_field_line_and_cure(path, value):
    text = to_yaml(changed(path, "PLACEHOLDER")).replace("PLACEHOLDER", value)
    line = text[: text.index(f": {value}\n")].count("\n") + 1
    (error,) = validate(text).errors
    field = ".".join(str(step) for step in path).replace(".0", "[0]")
    assert error.startswith(f"job-00.yaml: {field}: ")
    assert error.endswith(f"(line {line}) [yaml]")
    assert "put it in quotes" in error


def every_path(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from every_path(item, (*path, key))


@given(
    st.sampled_from([path for path in every_path(good_job()) if path]),
    JSON | st.sampled_from([None, [None], {"a": None}]),
)
def test_whatever_stands_in_one_file_the_others_are_reported(tmp_path_factory, path, value):
    folder = tmp_path_factory.getbasetemp() / "odd"
    folder.mkdir(exist_ok=True)
    (folder / "good.yaml").write_text(to_yaml(good_job()))
    job = changed(path, value)
    job["metadata"] = {**job["metadata"], "name": "arb-tuning-odd-a-0"} if isinstance(job["metadata"], dict) else value
    (folder / "odd.yaml").write_text(yaml.safe_dump(job, allow_unicode=True), encoding="utf-8")
    result = plan(folder)
    assert "good.yaml" in result.files
    assert "good.yaml" in generate_execution_plan_text(result)


# --- directories ---------------------------------------------------------------------------------------------------


def plan(folder, strict=False):
    return K8sExecutionPlanner(K8sJobValidator(strict_mode=strict)).plan_from_directory(folder)


def test_a_broken_file_among_a_thousand_is_reported_beside_the_good_ones(tmp_path):
    good = to_yaml(good_job())
    for index in range(60):
        name = f"arb-tuning-demo-worker-1-{index}"
        (tmp_path / f"job-{index:02d}.yaml").write_text(good.replace("arb-tuning-demo-worker-1-0", name))
    (tmp_path / "job-30.yaml").write_text("kind: [")
    result = plan(tmp_path)
    assert (result.total_jobs, result.valid_jobs, result.invalid_jobs) == (60, 59, 1)
    assert result.invalid_files == ["job-30.yaml"]
    assert len(result.errors) == 1
    assert validation_exit_code(result) == 1


def test_a_directory_of_oddities_names_each(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "good.yaml").write_text(to_yaml(good_job()))
    (folder / "binary.yaml").write_bytes(b"\x89PNG\r\n\xff\xfe")
    (folder / "config.yml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    (folder / "notes.txt").write_text("not looked at")
    (folder / "folder.yaml").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    (folder / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "outside.yaml").write_text(to_yaml(good_job()))
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    with (folder / "large.yaml").open("wb") as handle:
        handle.truncate(100_000_000)
    result = plan(folder)
    assert result.files == ["good.yaml"]
    said = {error.split(": ")[0].rpartition("/")[2]: error for error in result.errors}
    for name, part in {
        "binary.yaml": "not UTF-8",
        "config.yml": "api-version",
        "folder.yaml": "not a regular file",
        "pipe.yaml": "not a regular file",
        "gone.yaml": "a link that leads nowhere?",
        "link.yaml": "a link to a file outside the directory",
        "loop.yaml": "loop.yaml",
        "large.yaml": "larger than",
    }.items():
        assert any(name in error and part in error for error in result.errors), (name, said)


def test_a_link_within_the_directory_is_read(tmp_path):
    """As a mounted ConfigMap has it: each file is a link to ..data/file."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "job.yaml").write_text(to_yaml(good_job()))
    (tmp_path / "job.yaml").symlink_to("..data/job.yaml")
    assert plan(tmp_path).files == ["job.yaml"]


def test_two_files_with_one_name_are_both_refused_and_name_each_other(tmp_path):
    (tmp_path / "a.yaml").write_text(to_yaml(good_job()))
    (tmp_path / "b.yaml").write_text(to_yaml(good_job()))
    (tmp_path / "c.yaml").write_text(to_yaml(changed(("metadata", "namespace"), "elsewhere")))
    result = plan(tmp_path)
    assert result.files == ["c.yaml"]
    assert "a.yaml: metadata.name: 'arb-tuning-demo-worker-1-0' is also in b.yaml" in result.errors[0]


def test_an_empty_directory_is_not_all_valid(tmp_path):
    result = plan(tmp_path)
    assert "no .yaml file in it; run `k8s-tuning generate" in result.errors[0]
    assert validation_exit_code(result) == 1


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: No such file"):
        plan(tmp_path / "nowhere")


def test_the_plans_text_tells_all_of_every_job(tmp_path):
    generate_jobs(load_session(CONFIGS / "d29-k8s-demo-session.yaml"), tmp_path, created_at="2025-11-16T10:00:00Z")
    (tmp_path / "job-09-broken.yaml").write_text("kind: Job\n")
    (tmp_path / "job-10-extra.yaml").write_text(to_yaml(changed((*C0, "image"), "app:latest")))
    text = generate_execution_plan_text(plan(tmp_path))
    golden = GOLDEN / "execution-plan.txt"
    assert text == golden.read_text()


def test_what_looks_like_a_secret_is_masked_in_the_plan_and_kept_in_the_manifest(tmp_path):
    env = [
        {"name": "DB_PASSWORD", "value": "hunter2"},
        {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}},
        {"name": "NOTE", "value": "한국어 🚀"},
    ]
    (tmp_path / "a.yaml").write_text(to_yaml(changed((*C0, "env"), env)), encoding="utf-8")
    result = plan(tmp_path)
    text = generate_execution_plan_text(result)
    assert "hunter2" not in text + str(result)
    assert "DB_PASSWORD=***" in text
    assert "API_TOKEN=(secretKeyRef api/token)" in text
    assert "NOTE=한국어 🚀" in text


def test_the_summary_counts_and_names(tmp_path):
    generate_jobs(load_session(CONFIGS / "d29-k8s-demo-session.yaml"), tmp_path)
    assert plan(tmp_path).summary == {
        "total_jobs": 2,
        "valid_jobs": 2,
        "invalid_jobs": 0,
        "namespaces": ["trading-bots"],
        "sessions": ["d29-k8s-demo-session"],
        "images": ["your-registry/arbitrage-lite:1.0.0"],
    }
