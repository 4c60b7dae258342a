"""What a manifest can have wrong, said with file, field path, cure and rule."""

from pathlib import Path

import pytest
from tests.stages.validate.manifests import C0, POD, changed, good_job, validate

from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator, job_manifest
from k8s_tuning.stages.generate.session import load_session

CONFIGS = Path(__file__).parents[3] / "include/configs"


def test_a_generated_job_is_valid_without_a_warning():
    result = validate(good_job())
    assert (result.valid, result.errors, result.warnings) == (True, [], [])
    assert (result.job_name, result.namespace) == ("arb-tuning-demo-worker-1-0", "trading-bots")
    assert result.job_data["kind"] == "Job"


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


@pytest.mark.parametrize("kind", ["List", "JobList"])
def test_a_list_of_jobs_has_to_be_a_file_each(kind):
    text = f"apiVersion: v1\nkind: {kind}\nitems: [{{apiVersion: batch/v1, kind: Job}}]\n"
    assert any("put each item into a file of its own" in error for error in validate(text).errors)
