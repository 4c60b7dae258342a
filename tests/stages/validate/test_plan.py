"""D30: what a manifest can have wrong, said with file, field path, cure and rule; and the plan of a directory."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import examples

from k8s_tuning.errors import InputError
from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator, generate_jobs, job_manifest
from k8s_tuning.stages.generate.session import K8sOrchestratorConfig, load_session
from k8s_tuning.stages.manifests import to_yaml
from k8s_tuning.stages.validate.plan import (
    K8sExecutionPlanner,
    K8sJobValidator,
    generate_execution_plan_text,
    validation_exit_code,
)

CONFIGS = Path(__file__).parents[3] / "include/configs"
GOLDEN = Path(__file__).parents[2] / "golden"
POD = "spec.template.spec"


def good_job():
    config = K8sOrchestratorConfig(
        session_id="demo",
        k8s_namespace="trading-bots",
        image="registry.example/app:1.0.0",
        mode="paper",
        env="docker",
        total_iterations=1,
        workers=1,
        optimizer="grid",
        resources={"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}},
    )
    job = job_manifest(build_k8s_jobs_from_orchestrator(config)[0])
    # By hand, so that the tests may change the manifest without the remark that it was changed.
    del job["metadata"]["annotations"]["k8s-tuning.io/spec-hash"]
    return job


def changed(path, value):
    """The good job with one field set (or, with `...`, removed)."""
    job = good_job()
    *steps, last = path
    place = job
    for step in steps:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return job


def validate(job, strict=False):
    text = job if isinstance(job, str) else to_yaml(job)
    return K8sJobValidator(strict_mode=strict).validate_job_yaml(text, "job-00.yaml")


def test_a_generated_job_is_valid_without_a_warning():
    result = validate(good_job())
    assert (result.valid, result.errors, result.warnings) == (True, [], [])
    assert (result.job_name, result.namespace) == ("arb-tuning-demo-worker-1-0", "trading-bots")
    assert result.job_data["kind"] == "Job"


C0 = ("spec", "template", "spec", "containers", 0)
ERRORS = [
    ("api-version", ("apiVersion",), "v1", "apiVersion: is 'v1'; a Job needs batch/v1 [api-version]"),
    ("no api-version", ("apiVersion",), ..., "apiVersion: is missing; a Job needs batch/v1 [api-version]"),
    ("kind", ("kind",), "CronJob", "kind: is 'CronJob'"),
    ("name missing", ("metadata", "name"), ..., "metadata.name: is missing or blank"),
    ("name blank", ("metadata", "name"), "  ", "metadata.name: is missing or blank"),
    ("name a number", ("metadata", "name"), 5, "metadata.name: must be a text; put the value in quotes"),
    ("name refused", ("metadata", "name"), "arb-tuning-A", "metadata.name: 'arb-tuning-A' may hold only a-z"),
    ("name too long", ("metadata", "name"), "arb-tuning-" + "x" * 53, "metadata.name: "),
    ("namespace", ("metadata", "namespace"), "Trading", "metadata.namespace: 'Trading'"),
    ("no container", ("spec", "template", "spec", "containers"), [], f"{POD}.containers: has no container"),
    ("no containers", ("spec", "template", "spec", "containers"), ..., f"{POD}.containers: has no container"),
    ("no spec", ("spec",), ..., f"{POD}.containers: has no container"),
    ("no image", (*C0, "image"), ..., f"{POD}.containers[0].image: is missing"),
    ("blank image", (*C0, "image"), " ", f"{POD}.containers[0].image: is missing"),
    ("image with space", (*C0, "image"), "a b:1", f"{POD}.containers[0].image: 'a b:1' has white space"),
    ("label value", ("metadata", "labels", "team"), "a b", "metadata.labels.team: the value 'a b'"),
    ("label key", ("metadata", "labels", "a b"), "x", "metadata.labels.a b: the key may hold only"),
    (
        "label number",
        ("metadata", "labels", "team"),
        7,
        "metadata.labels.team: must be a text; put the value in quotes",
    ),
    ("annotation key", ("metadata", "annotations", "a b"), "x", "metadata.annotations.a b: the key"),
    ("pod label", ("spec", "template", "metadata", "labels", "x"), "é", "spec.template.metadata.labels.x: the value"),
    ("quantity", (*C0, "resources"), {"limits": {"cpu": "much"}}, f"{POD}.containers[0].resources.limits.cpu: 'much'"),
    (
        "request above limit",
        (*C0, "resources"),
        {"requests": {"memory": "2Gi"}, "limits": {"memory": "1024Mi"}},
        f"{POD}.containers[0].resources.requests.memory: 2Gi is above the limit of 1024Mi",
    ),
    (
        "device name",
        (*C0, "resources"),
        {"limits": {"gpu": 1}},
        "a device's resource has a domain, such as nvidia.com/gpu",
    ),
    ("half a device", (*C0, "resources"), {"limits": {"nvidia.com/gpu": "500m"}}, "500m is no whole number"),
    ("device without limit", (*C0, "resources"), {"requests": {"nvidia.com/gpu": "1"}}, "has no limit"),
    ("privileged", (*C0, "securityContext", "privileged"), True, f"{POD}.containers[0].securityContext.privileged:"),
    ("hostNetwork", ("spec", "template", "spec", "hostNetwork"), True, f"{POD}.hostNetwork: opens the node"),
    ("hostPID", ("spec", "template", "spec", "hostPID"), True, f"{POD}.hostPID: opens the node"),
    ("hostIPC", ("spec", "template", "spec", "hostIPC"), True, f"{POD}.hostIPC: opens the node"),
    (
        "hostPath",
        ("spec", "template", "spec", "volumes"),
        [{"name": "v", "hostPath": {"path": "/"}}],
        f"{POD}.volumes[0].hostPath: opens the node's files",
    ),
    (
        "privileged init",
        ("spec", "template", "spec", "initContainers"),
        [{"name": "i", "image": "a:1", "securityContext": {"privileged": True}}],
        f"{POD}.initContainers[0].securityContext.privileged:",
    ),
    ("restartPolicy", ("spec", "template", "spec", "restartPolicy"), "Always", f"{POD}.restartPolicy: is 'Always'"),
    ("no restartPolicy", ("spec", "template", "spec", "restartPolicy"), ..., f"{POD}.restartPolicy: is missing"),
    (
        "unknown field",
        ("spec", "backofLimit"),
        1,
        "spec.backofLimit: unknown field; did you mean backoffLimit? [schema]",
    ),
    ("wrong type", ("spec", "backoffLimit"), "two", "spec.backoffLimit: must be a whole number, not a text [schema]"),
    ("negative", ("spec", "backoffLimit"), -1, "spec.backoffLimit: is -1; it must be at least 0"),
    (
        "env number",
        (*C0, "env"),
        [{"name": "PIN", "value": 98765}],
        f"{POD}.containers[0].env[0].value: must be a text",
    ),
    ("env name", (*C0, "env"), [{"name": "1A", "value": "x"}], f"{POD}.containers[0].env[0].name: '1A'"),
    ("container name", (*C0, "name"), "Main", f"{POD}.containers[0].name: 'Main'"),
    ("no container name", (*C0, "name"), ..., f"{POD}.containers[0].name: is required"),
    ("metadata a list", ("metadata",), [], "metadata.name: is missing"),
    ("null argument", (*C0, "args", 1), None, f"{POD}.containers[0].args[1]: is null; remove the item, or write ''"),
    ("null arguments", (*C0, "args"), [None], f"{POD}.containers[0].args[0]: is null"),
    ("null command", (*C0, "command"), ["python", None], f"{POD}.containers[0].command[1]: is null"),
    ("null variable", (*C0, "env"), [None], f"{POD}.containers[0].env[0]: is null; remove the item"),
    ("null value", (*C0, "env"), [{"name": "A", "value": None}], f"{POD}.containers[0].env[0].value: is null; write"),
    ("null container", ("spec", "template", "spec", "containers"), [None], f"{POD}.containers[0]: is null"),
    (
        "null init container",
        ("spec", "template", "spec", "initContainers"),
        [None],
        f"{POD}.initContainers[0]: is null",
    ),
    ("null volume", ("spec", "template", "spec", "volumes"), [None], f"{POD}.volumes[0]: is null"),
    ("null label", ("metadata", "labels", "team"), None, "metadata.labels.team: is null; write a value in quotes"),
    ("null annotation", ("metadata", "annotations", "a"), None, "metadata.annotations.a: is null"),
    (
        "null pod label",
        ("spec", "template", "metadata", "labels", "x"),
        None,
        "spec.template.metadata.labels.x: is null",
    ),
    ("null amount", (*C0, "resources"), {"limits": {"cpu": None}}, f"{POD}.containers[0].resources.limits.cpu: "),
    ("null spec", ("spec",), None, f"{POD}.containers: has no container"),
    ("spec a list", ("spec",), ["x"], "spec: must be a mapping, not a list"),
    ("template missing", ("spec", "template"), ..., "spec.template: is required; add it"),
    ("template a text", ("spec", "template"), "x", "spec.template: must be a mapping, not a text"),
    ("pod spec null", ("spec", "template", "spec"), None, f"{POD}.containers: has no container"),
    (
        "containers a mapping",
        ("spec", "template", "spec", "containers"),
        {"a": 1},
        f"{POD}.containers: has no container",
    ),
    ("hash without spec", ("metadata", "annotations", "k8s-tuning.io/spec-hash"), 5, "must be a text"),
    ("exported uid", ("metadata", "uid"), "1-2-3", "metadata.uid: the cluster fills this in"),
    (
        "exported status",
        ("status",),
        {"succeeded": 1},
        "status: the cluster fills this in, as in an exported Job; remove",
    ),
    (
        "exported owner",
        ("metadata", "ownerReferences"),
        [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1"}],
        "remove metadata.owner",
    ),
    ("selector", ("spec", "selector"), {"matchLabels": {"a": "b"}}, "spec.selector: the cluster fills this in"),
    ("spec a text", ("spec",), "x", "spec: must be a mapping, not a text"),
    ("huge number", ("metadata", "annotations", "x"), 10**30, "beyond 64 bits"),
    ("infinite", (*C0, "ttl"), float("inf"), "no number that JSON can hold"),
    ("key a number", ("metadata", "labels"), {1: "x"}, "metadata.labels.1: the key is not a text; put it in quotes"),
]


@pytest.mark.parametrize(("path", "value", "said"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_an_error_names_file_field_and_cure(path, value, said):
    result = validate(changed(path, value))
    assert not result.valid
    assert any(error.startswith("job-00.yaml: ") and said in error for error in result.errors), result.errors
    assert all(error.endswith("]") for error in result.errors), "each names its rule"


TWICE = {
    "env": ("containers", [0, "env"], {"name": "A"}, f"{POD}.containers[0].env[1].name: 'A' is there twice"),
    "mount": ("containers", [0, "volumeMounts"], {"name": "v", "mountPath": "/x"}, "volumeMounts[1].mountPath: '/x'"),
    "port": ("containers", [0, "ports"], {"containerPort": 80}, "ports[1].containerPort: 80 is there twice"),
    "volume": ("volumes", [], {"name": "v", "emptyDir": {}}, f"{POD}.volumes[1].name: 'v' is there twice"),
    "pull secret": ("imagePullSecrets", [], {"name": "s"}, "imagePullSecrets[1].name: 's' is there twice"),
    "host alias": ("hostAliases", [], {"ip": "1.2.3.4"}, "hostAliases[1].ip: '1.2.3.4' is there twice"),
    "gate": ("schedulingGates", [], {"name": "a/b"}, "schedulingGates[1].name: 'a/b' is there twice"),
}


@pytest.mark.parametrize(("field", "path", "entry", "said"), TWICE.values(), ids=TWICE)
def test_an_entry_that_server_side_apply_refuses_as_a_duplicate_is_an_error(field, path, entry, said):
    """The server answers it with a 500 as if it were a fault of its own."""
    job = good_job()
    place = job["spec"]["template"]["spec"]
    for step in (field, *path[:-1]):
        place = place[step] if isinstance(step, int) or step in place else place.setdefault(step, [])
    if path:
        place[path[-1]] = [dict(entry), dict(entry)]
    else:
        place += [dict(entry), dict(entry)]
    found = validate(job)
    assert not found.valid
    assert [error for error in found.errors if said in error], found.errors


def test_a_default_counts_as_its_value():
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}]
    job = good_job()
    job["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
    (error,) = validate(job).errors
    assert "ports[1].containerPort: 80, 'TCP' is there twice, here and in entry 0" in error


def test_a_set_holds_each_value_once():
    job = changed(["metadata", "finalizers"], ["a/b", "a/c", "a/b"])
    assert "metadata.finalizers[2]: 'a/b' is there twice" in validate(job).errors[0]


@pytest.mark.parametrize("entries", [[{"name": "A"}, {"name": "B"}], ["A", "A"], [None, None], [{"name": "A"}, 7], 7])
def test_entries_that_differ_or_are_none_are_not_duplicates_of_each_other(entries):
    job = good_job()
    job["spec"]["template"]["spec"]["containers"][0]["env"] = entries
    assert not [error for error in validate(job).errors if "twice" in error]


def test_a_wrong_value_of_an_environment_variable_is_not_repeated():
    assert "98765" not in str(validate(changed((*C0, "env"), [{"name": "PIN", "value": 98765}])).errors)


WARNINGS = [
    (
        "requests alone",
        (*C0, "resources"),
        {"requests": {"cpu": "1"}},
        "resources.limits: is missing; the pod may take",
    ),
    (
        "limits alone",
        (*C0, "resources"),
        {"limits": {"cpu": "1"}},
        "resources.requests: is missing; the limits are then",
    ),
    (
        "half a byte",
        (*C0, "resources"),
        {"limits": {"memory": "512m"}},
        f"{POD}.containers[0].resources.limits.memory: 512m is 0.512",
    ),
    (
        "512 bytes",
        (*C0, "resources"),
        {"limits": {"memory": 512}},
        "512 is 512 bytes; did you mean 512Mi? [quantity-unit]",
    ),
    ("500 cores", (*C0, "resources"), {"limits": {"cpu": 500}}, "500 is 500 whole cores; did you mean 500m?"),
    ("no namespace", ("metadata", "namespace"), ..., "metadata.namespace: is missing; the Job would go to `default`"),
    ("no labels", ("metadata", "labels"), ..., "metadata.labels: app, session_id, worker_id, component missing"),
    ("a label", ("metadata", "labels", "worker_id"), ..., "metadata.labels: worker_id missing"),
    ("resources", (*C0, "resources"), ..., f"{POD}.containers[0].resources: is missing"),
    ("env", (*C0, "env"), ..., f"{POD}.containers[0].env: is missing"),
    ("args", (*C0, "args"), ..., f"{POD}.containers[0].args: is missing"),
    ("name rule", ("metadata", "name"), "my-job", "metadata.name: 'my-job' is off the rule arb-tuning-"),
    (
        "latest",
        (*C0, "image"),
        "host:5000/app:latest",
        f"{POD}.containers[0].image: 'host:5000/app:latest' is `latest`",
    ),
    ("untagged", (*C0, "image"), "host:5000/app", "has no tag, which means `latest`"),
    (
        "a short TTL",
        ("spec", "ttlSecondsAfterFinished"),
        5,
        "spec.ttlSecondsAfterFinished: is 5: the cluster may remove",
    ),
    ("no TTL at all", ("spec", "ttlSecondsAfterFinished"), 0, "give it 600 or more"),
    ("a TTL just too short", ("spec", "ttlSecondsAfterFinished"), 299, "before the next check, 300 s after"),
]


def test_a_ttl_of_the_distance_of_two_checks_is_long_enough():
    assert validate(changed(("spec", "ttlSecondsAfterFinished"), 300)).warnings == []


@pytest.mark.parametrize(("path", "value", "said"), [row[1:] for row in WARNINGS], ids=[row[0] for row in WARNINGS])
def test_a_warning_leaves_the_job_valid_and_is_an_error_when_strict(path, value, said):
    job = changed(path, value)
    result = validate(job)
    assert result.valid
    assert any(warning.startswith("job-00.yaml: ") and said in warning for warning in result.warnings), result.warnings
    strict = validate(job, strict=True)
    assert not strict.valid
    assert any(said in error for error in strict.errors)


def test_a_job_without_a_namespace_would_go_to_default():
    assert validate(changed(("metadata", "namespace"), ...)).namespace == "default"


def test_an_image_by_digest_needs_no_tag():
    assert validate(changed((*C0, "image"), "app@sha256:" + "a" * 64)).warnings == []


def test_a_file_that_was_edited_since_its_generation_is_remarked():
    job = job_manifest(build_k8s_jobs_from_orchestrator(load_session(CONFIGS / "d29-k8s-demo-session.yaml"))[0])
    assert validate(job).warnings == []
    job["spec"]["backoffLimit"] = 3
    assert "changed by hand" in validate(job).warnings[0]


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


EXPORTED = """
apiVersion: batch/v1
kind: Job
metadata:
  creationTimestamp: "2025-11-16T10:00:00Z"
  generation: 1
  labels: {NEW-controller-uid: 5a, NEW-job-name: arb-tuning-a-b-0, app: x, session_id: a, worker_id: b, component: c}
  managedFields: [{manager: kubectl, operation: Update, apiVersion: batch/v1}]
  name: arb-tuning-a-b-0
  namespace: trading-bots
  ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: nightly, uid: 6b}]
  resourceVersion: "3908"
  uid: 5a
spec:
  backoffLimit: 6
  MANUALselector: {matchLabels: {NEW-controller-uid: 5a}}
  template:
    metadata:
      creationTimestamp: null
      labels: {NEW-controller-uid: 5a, NEW-job-name: arb-tuning-a-b-0}
    spec:
      containers: [{name: a, image: "b:1", resources: {}}]
      restartPolicy: Never
status: {succeeded: 1}
"""


@pytest.mark.parametrize("prefix", ["", "batch.kubernetes.io/"], ids=["before 1.27", "today"])
def test_an_exported_manifest_says_which_fields_to_remove(prefix):
    text = EXPORTED.replace("NEW-", prefix).replace("MANUAL", "")
    (error,) = validate(text).errors
    names = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences")
    assert error == (
        "job-00.yaml: metadata.uid: the cluster fills this in, as in an exported Job; remove "
        + ", ".join(f"metadata.{name}" for name in names)
        + f", metadata.labels.{prefix}controller-uid, metadata.labels.{prefix}job-name"
        + f", spec.template.metadata.labels.{prefix}controller-uid, spec.template.metadata.labels.{prefix}job-name"
        + ", spec.selector, status [exported]"
    )


def test_a_manifest_without_the_fields_that_were_named_is_valid():
    job = yaml.safe_load(EXPORTED.replace("NEW-", "").replace("MANUAL", ""))
    for name in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences"):
        del job["metadata"][name]
    for owner in (job["metadata"], job["spec"]["template"]["metadata"]):
        del owner["labels"]["controller-uid"], owner["labels"]["job-name"]
    del job["spec"]["selector"], job["status"]
    assert validate(job).errors == []


def test_what_kubectl_writes_empty_is_no_leftover():
    """`kubectl create job … --dry-run=client -o yaml` has both."""
    job = changed(("metadata", "creationTimestamp"), None)
    job["status"] = {}
    assert validate(job).errors == []


def test_a_selector_that_was_chosen_by_hand_stays():
    job = changed(("spec", "selector"), {"matchLabels": {"job-name": "x"}})
    job["spec"]["manualSelector"] = True
    job["spec"]["template"]["metadata"]["labels"]["job-name"] = "x"
    assert validate(job).errors == []


@pytest.mark.parametrize("kind", ["List", "JobList"])
def test_a_list_of_jobs_has_to_be_a_file_each(kind):
    text = f"apiVersion: v1\nkind: {kind}\nitems: [{{apiVersion: batch/v1, kind: Job}}]\n"
    assert any("put each item into a file of its own" in error for error in validate(text).errors)


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
