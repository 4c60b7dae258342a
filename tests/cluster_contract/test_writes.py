"""Create, apply, patch, replace and delete, and what the server refuses, on the sandbox and on a real control plane."""

from typing import Any

import httpx
import pytest
from tests.cluster_contract.calls import APPLY, MERGE, causes, create, idle, jobs_path, settled
from tests.clusters import Cluster, job_manifest

pytestmark = pytest.mark.slow

INVALID = "FieldValueInvalid"
REQUIRED = "FieldValueRequired"
CONTAINERS = "spec.template.spec.containers"


def changed(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The manifest with the value at a dotted path replaced; None takes it out."""
    *parents, last = path.split(".")
    holder: Any = manifest
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return manifest


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("metadata.name", "Bad_Name", [("metadata.name", INVALID)]),
        ("metadata.name", None, [("metadata.name", REQUIRED)]),
        ("metadata.labels", {"a": "-b", "c/d/e": "x"}, [("metadata.labels", INVALID)] * 2),
        ("metadata.labels", {"worker": "한국"}, [("metadata.labels", INVALID)]),
        ("metadata.annotations", {"-a": "b"}, [("metadata.annotations", INVALID)]),
        ("spec.template.metadata.labels", {"a": "b c"}, [("spec.template.labels", INVALID)]),
        ("spec.template.spec.containers", [], [(CONTAINERS, REQUIRED)]),
        ("spec.template.spec.containers.0.name", "C_", [(f"{CONTAINERS}[0].name", INVALID)]),
        ("spec.template.spec.containers.0.image", None, [(f"{CONTAINERS}[0].image", REQUIRED)]),
        ("spec.template.spec.containers.0.env", [{"name": "a=b"}], [(f"{CONTAINERS}[0].env[0].name", INVALID)]),
        (
            "spec.template.spec.containers.0.resources",
            {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
            [(f"{CONTAINERS}[0].resources.requests", INVALID)],
        ),
        (
            "spec.template.spec.containers",
            [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}],
            [(f"{CONTAINERS}[1].name", "FieldValueDuplicate")],
        ),
        ("spec.template.spec.restartPolicy", "Always", [("spec.template.spec.restartPolicy", REQUIRED)]),
        ("spec.template.spec.restartPolicy", None, [("spec.template.spec.restartPolicy", REQUIRED)]),
        ("spec.backoffLimit", -1, [("spec.backoffLimit", INVALID)]),
        ("spec.parallelism", -1, [("spec.parallelism", INVALID)]),
        ("spec.activeDeadlineSeconds", -1, [("spec.activeDeadlineSeconds", INVALID)]),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_an_invalid_job_is_refused_with_every_cause(
    cluster: Cluster, path: str, value: Any, found: list[tuple[str, str]]
) -> None:
    manifest = changed(job_manifest(cluster.job("a")), path, value)
    with cluster.client() as http:
        for query in ({}, {"dryRun": "All"}):
            answer = http.post(jobs_path(cluster), json=manifest, params=query)
            status = answer.json()
            assert (answer.status_code, status["reason"], status["status"]) == (422, "Invalid", "Failure")
            assert causes(answer) == found
            assert all(cause["message"] in status["message"] for cause in status["details"]["causes"])


def test_a_name_that_is_no_label_value_is_refused_once_for_each_label_that_would_hold_it(cluster: Cluster) -> None:
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=job_manifest("a" * 64))
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert causes(answer) == [("spec.template.labels", INVALID)] * (2 if cluster.since(27) else 1)


@pytest.mark.parametrize("name", ["1x", "a b", "x:y"])
def test_names_of_variables_may_be_odder_today_than_they_were(cluster: Cluster, name: str) -> None:
    manifest = changed(job_manifest(cluster.job("a")), "spec.template.spec.containers.0.env", [{"name": name}])
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=manifest, params={"dryRun": "All"})
    assert answer.status_code == (201 if cluster.since(32) else 422)
    if not cluster.since(32):
        assert causes(answer) == [(f"{CONTAINERS}[0].env[0].name", INVALID)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.backoffLimit", "x"),
        ("spec.backoffLimit", 1.5),
        ("spec.template.spec.containers", {"name": "c"}),
        ("spec.template.spec.containers.0.env", [{"name": "A", "value": 5}]),
        ("spec.template.spec.containers.0.resources", {"requests": {"cpu": "abc"}}),
        ("metadata.labels", {"a": 1}),
        ("metadata.namespace", "another"),
        ("kind", "Pod"),
        ("apiVersion", "v1"),
    ],
)
def test_a_job_that_cannot_be_read_is_a_bad_request(cluster: Cluster, path: str, value: Any) -> None:
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=changed(job_manifest(cluster.job("a")), path, value))
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("body", "media", "code"),
    [
        (b"{not json", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"a: b: c", "application/yaml", 400),
        (b"{}", "text/plain", 415),
    ],
)
def test_a_body_that_is_no_object_is_refused(cluster: Cluster, body: bytes, media: str, code: int) -> None:
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), content=body, headers={"Content-Type": media})
        assert answer.status_code == code
        assert answer.json()["kind"] == "Status"


def test_defaults_are_filled_in_and_null_and_empty_fields_go(cluster: Cluster) -> None:
    manifest = job_manifest(cluster.job("a"), parallelism=None, backoffLimit=None)
    del manifest["metadata"]["labels"]
    manifest["spec"]["template"]["spec"]["containers"][0] |= {"args": [], "env": None, "image": "registry:5000/x"}
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=manifest, params={"dryRun": "All"})
    assert answer.status_code == 201
    job = answer.json()
    spec, (container,) = job["spec"], job["spec"]["template"]["spec"]["containers"]
    assert (spec["parallelism"], spec["completions"], spec["backoffLimit"]) == (1, 1, 6)
    assert container["imagePullPolicy"] == "Always"
    assert not {"args", "env"} & set(container)
    assert job["metadata"]["labels"]["job-name"] == cluster.job("a")
    assert spec["template"]["spec"]["dnsPolicy"] == "ClusterFirst"


def warned(answer: httpx.Response) -> list[str]:
    """The Warning headers."""
    return answer.headers.get_list("warning")


@pytest.mark.parametrize(
    ("validation", "code", "warns"),
    [("Strict", 400, False), ("Warn", 201, True), (None, 201, True), ("Ignore", 201, False)],
)
def test_an_unknown_field_is_refused_warned_of_or_dropped_as_the_request_says(
    cluster: Cluster, validation: str | None, code: int, warns: bool
) -> None:
    manifest = job_manifest(cluster.job("a"), **idle(backofLimit=1))
    query = {"dryRun": "All", **({"fieldValidation": validation} if validation else {})}
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=manifest, params=query)
    # An older server drops it in silence; the sandbox refuses for it, because kubectl leaves the check to the server.
    if not cluster.since(27) and cluster.sandbox is None:
        code = 201
    assert answer.status_code == code, answer.text
    if code == 400:
        assert 'strict decoding error: unknown field "spec.backofLimit"' in answer.json()["message"]
    else:
        assert "backofLimit" not in answer.json()["spec"]
    said = ['299 - "unknown field \\"spec.backofLimit\\""'] if warns and cluster.since(27) else []
    assert warned(answer) == said


def test_a_check_of_fields_that_there_is_not_is_refused_where_fields_are_checked(cluster: Cluster) -> None:
    query = {"dryRun": "All", "fieldValidation": "Sometimes"}
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=job_manifest(cluster.job("a")), params=query)
    checks = cluster.since(27) or cluster.sandbox is not None
    assert answer.status_code == (422 if checks else 201)


def test_a_merge_patch_with_an_unknown_field_is_refused_where_fields_are_checked(cluster: Cluster) -> None:
    path = jobs_path(cluster, cluster.job("a"))
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        patch = {"spec": {"backofLimit": 1}}
        strict = http.patch(path, json=patch, headers=MERGE, params={"fieldValidation": "Strict"})
        lax = http.patch(path, json=patch, headers=MERGE)
    checks = cluster.since(27) or cluster.sandbox is not None
    assert strict.status_code == (422 if checks else 200)
    assert lax.status_code == 200
    assert bool(warned(lax)) is cluster.since(27)


@pytest.mark.parametrize(
    ("container", "old", "says"),
    [
        ({"imagee": "x"}, 500, '.spec.template.spec.containers[name="tuning"].imagee: field not declared in schema'),
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            500,
            '.spec.template.spec.containers[name="tuning"].env: duplicate entries for key [name="A"]',
        ),
        ({"resources": {"limits": {"cpu": 1}}}, 500, "expected string, got &value.valueUnstructured{Value:1}"),
    ],
    ids=["unknown", "duplicate", "number"],
)
def test_an_apply_that_its_type_does_not_allow_says_where(
    cluster: Cluster, container: dict[str, Any], old: int, says: str
) -> None:
    manifest = job_manifest(cluster.job("a"), **idle())
    manifest["spec"]["template"]["spec"]["containers"][0] |= container
    path = jobs_path(cluster, cluster.job("a"))
    with cluster.client() as http:
        answer = http.patch(path, json=manifest, params={"fieldManager": "m", "dryRun": "All"}, headers=APPLY)
    if "resources" in container and cluster.since(26):
        # Quantities may be numbers today.
        assert answer.status_code == 201
        return
    assert answer.status_code == old
    whose = f" ({cluster.namespace}/{cluster.job('a')}; batch/v1, Kind=Job)" if cluster.since(26) else ""
    assert answer.json()["message"].startswith(f"failed to create typed patch object{whose}: ")
    assert says in answer.json()["message"]


def test_memory_in_parts_of_a_byte_is_warned_of(cluster: Cluster) -> None:
    manifest = job_manifest(cluster.job("a"), **idle())
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "512m"}}
    with cluster.client() as http:
        answer = http.post(jobs_path(cluster), json=manifest, params={"dryRun": "All"})
    assert answer.status_code == 201
    assert any("fractional byte value" in text for text in warned(answer)) is cluster.since(26)


def test_korean_and_emoji_pass_unharmed(cluster: Cluster) -> None:
    manifest = job_manifest(cluster.job("a"), **idle())
    manifest["metadata"]["annotations"] = {"description": "차익거래 튜닝 🚀"}
    manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "NOTE", "value": "시장 📈"}]
    with cluster.client() as http:
        http.post(jobs_path(cluster), json=manifest)
        text = http.get(jobs_path(cluster, cluster.job("a"))).text
    assert "차익거래 튜닝 🚀" in text
    assert "시장 📈" in text


def test_a_dry_run_answers_as_if_and_stores_nothing(cluster: Cluster) -> None:
    path, body = jobs_path(cluster, cluster.job("a")), job_manifest(cluster.job("a"))
    query = {"fieldManager": "one", "dryRun": "All"}
    with cluster.client() as http:
        assert http.post(jobs_path(cluster), json=body, params={"dryRun": "All"}).status_code == 201
        applied = http.patch(path, json=body, params=query, headers=APPLY)
        assert applied.status_code == 201
        assert applied.json()["metadata"]["uid"]
        assert http.get(path).status_code == 404
        create(http, cluster, "a", **idle())
        assert (
            http.patch(path, json={"spec": {"backoffLimit": 3}}, params=query, headers=MERGE).json()["spec"][
                "backoffLimit"
            ]
            == 3
        )
        assert http.delete(path, params=query).status_code == 200
        assert http.get(path).json()["spec"]["backoffLimit"] == 0
        refused = http.post(jobs_path(cluster), json=body, params={"dryRun": "Some"})
        assert (refused.status_code, causes(refused)) == (422, [("dryRun", "FieldValueNotSupported")])


def test_a_name_is_taken_once(cluster: Cluster) -> None:
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        for query in ({}, {"dryRun": "All"}):
            answer = http.post(jobs_path(cluster), json=job_manifest(cluster.job("a")), params=query)
            assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")


def test_a_generated_name_starts_as_asked(cluster: Cluster) -> None:
    manifest = job_manifest("", **idle())
    manifest["metadata"] = {"generateName": cluster.job("g-")}
    with cluster.client() as http:
        names = {http.post(jobs_path(cluster), json=manifest).json()["metadata"]["name"] for _ in range(2)}
    assert len(names) == 2
    assert all(len(name) == len(cluster.job("g-")) + 5 for name in names)


def test_an_apply_creates_then_leaves_alone(cluster: Cluster) -> None:
    path, body = jobs_path(cluster, cluster.job("a")), job_manifest(cluster.job("a"), **idle())
    with cluster.client() as http:
        first = http.patch(path, json=body, params={"fieldManager": "one"}, headers=APPLY)
        before = settled(http, cluster, "a") if cluster.since(26) else first.json()
        again = http.patch(path, json=body, params={"fieldManager": "one"}, headers=APPLY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert before["metadata"]["resourceVersion"] == again.json()["metadata"]["resourceVersion"]
    (entry,) = first.json()["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("one", "Apply", "batch/v1")
    assert entry["fieldsV1"]["f:metadata"] == {"f:labels": {"f:app": {}}}
    assert 'k:{"name":"tuning"}' in entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]


def test_an_apply_over_anothers_field_conflicts_unless_forced(cluster: Cluster) -> None:
    path, body = jobs_path(cluster, cluster.job("a")), job_manifest(cluster.job("a"), **idle())
    with cluster.client() as http:
        http.patch(path, json=body, params={"fieldManager": "one"}, headers=APPLY)
        body["metadata"]["labels"]["app"] = "another"
        refused = http.patch(path, json=body, params={"fieldManager": "two"}, headers=APPLY)
        assert (refused.status_code, refused.json()["reason"]) == (409, "Conflict")
        assert causes(refused) == [(".metadata.labels.app", "FieldManagerConflict")]
        assert 'conflict with "one"' in refused.json()["message"]
        forced = http.patch(path, json=body, params={"fieldManager": "two", "force": "true"}, headers=APPLY)
        assert forced.json()["metadata"]["labels"]["app"] == "another"
        owners = {
            entry["manager"]
            for entry in forced.json()["metadata"]["managedFields"]
            if "f:labels" in entry["fieldsV1"].get("f:metadata", {})
        }
        assert owners == {"two"}


def test_an_apply_that_drops_a_field_removes_it_where_no_other_owns_it(cluster: Cluster) -> None:
    path, body = jobs_path(cluster, cluster.job("a")), job_manifest(cluster.job("a"), **idle())
    body["metadata"]["labels"] = {"app": "a", "mine": "x", "ours": "y"}
    with cluster.client() as http:
        http.patch(path, json=body, params={"fieldManager": "one"}, headers=APPLY)
        other = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"labels": {"ours": "y"}}}
        assert http.patch(path, json=other, params={"fieldManager": "two"}, headers=APPLY).status_code == 200
        body["metadata"]["labels"] = {"app": "a"}
        answer = http.patch(path, json=body, params={"fieldManager": "one"}, headers=APPLY)
    assert answer.json()["metadata"]["labels"] == {"app": "a", "ours": "y"}


def test_an_apply_conflicts_with_who_created_the_object_otherwise(cluster: Cluster) -> None:
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        body = job_manifest(cluster.job("a"), **idle(backoffLimit=4))
        answer = http.patch(
            jobs_path(cluster, cluster.job("a")), json=body, params={"fieldManager": "one"}, headers=APPLY
        )
    assert (answer.status_code, causes(answer)) == (409, [(".spec.backoffLimit", "FieldManagerConflict")])


@pytest.mark.parametrize(
    ("query", "change", "code", "reason"),
    [
        ({}, {}, 422, "Invalid"),
        ({"fieldManager": "m"}, {"apiVersion": "batch/v2"}, 400, "BadRequest"),
        ({"fieldManager": "m"}, {"metadata": {"name": "another"}}, 400, "BadRequest"),
        ({"fieldManager": "m"}, {"metadata": {"managedFields": []}}, 400, "BadRequest"),
        ({"fieldManager": "m"}, {"metadata": {"resourceVersion": "1"}}, 409, "Conflict"),
        ({"fieldManager": "m"}, {"spec": {"unknownField": 1}}, 500, None),
    ],
    ids=["no manager", "version", "name", "managed fields", "resource version", "unknown field"],
)
def test_an_apply_that_is_wrong_in_itself_is_refused(
    cluster: Cluster, query: dict[str, str], change: dict[str, Any], code: int, reason: str | None
) -> None:
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        body = {**job_manifest(cluster.job("a"), **idle()), **change}
        answer = http.patch(jobs_path(cluster, cluster.job("a")), json=body, params=query, headers=APPLY)
        assert (answer.status_code, answer.json().get("reason")) == (code, reason)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("spec.template.spec.containers.0.image", "another", "spec.template"),
        ("spec.template.metadata.labels", {"app": "another"}, "spec.template"),
        ("spec.completions", 7, "spec.completions"),
    ],
)
@pytest.mark.parametrize("dry_run", [{}, {"dryRun": "All"}], ids=["real run", "dry run"])
def test_a_jobs_template_and_completions_are_immutable(
    cluster: Cluster, path: str, value: Any, field: str, dry_run: dict[str, str]
) -> None:
    manifest = job_manifest(cluster.job("a"), **idle(completions=1))
    url, query = jobs_path(cluster, cluster.job("a")), {"fieldManager": "m", "force": "true", **dry_run}
    with cluster.client() as http:
        http.patch(url, json=manifest, params={"fieldManager": "m"}, headers=APPLY)
        applied = http.patch(url, json=changed(manifest, path, value), params=query, headers=APPLY)
        patched = http.patch(url, json={"spec": manifest["spec"]}, params=dry_run, headers=MERGE)
    for answer in (applied, patched):
        assert (answer.status_code, causes(answer)) == (422, [(field, INVALID)])
        assert "field is immutable" in answer.json()["message"]


def test_a_replace_with_an_old_version_conflicts_and_status_is_not_its_business(cluster: Cluster) -> None:
    path = jobs_path(cluster, cluster.job("a"))
    with cluster.client() as http:
        job = create(http, cluster, "a", **idle())
        newer = http.patch(path, json={"metadata": {"labels": {"b": "c"}}}, headers=MERGE).json()
        assert newer["metadata"]["labels"] == {"app": "arbitrage-tuning", "b": "c"}
        stale = http.put(path, json=job)
        assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
        newer["metadata"]["labels"] = {"only": "this"}
        newer["status"] = {"succeeded": 5}
        replaced = http.put(path, json=newer).json()
        assert replaced["metadata"]["labels"] == {"only": "this"}
        assert "succeeded" not in replaced["status"]
        assert replaced["metadata"]["uid"] == job["metadata"]["uid"]


def test_json_patches_and_strategic_patches_work_on_lists(cluster: Cluster) -> None:
    path = jobs_path(cluster, cluster.job("a"))
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    with cluster.client() as http:
        create(http, cluster, "a", **idle())
        steps = [
            {"op": "add", "path": "/metadata/labels/x~1y", "value": "z"},
            {"op": "remove", "path": "/metadata/labels/app"},
        ]
        patched = http.patch(path, json=steps, headers={"Content-Type": "application/json-patch+json"})
        assert patched.json()["metadata"]["labels"] == {"x/y": "z"}
        # The one container, named again with nothing new, is no change: lists of containers merge by name.
        same = {"spec": {"template": {"spec": {"containers": [{"name": "tuning", "image": "python:3.11"}]}}}}
        assert http.patch(path, json=same, headers=strategic).status_code == 200
        other = {"spec": {"template": {"spec": {"containers": [{"name": "more", "image": "python:3.11"}]}}}}
        assert http.patch(path, json=other, headers=strategic).status_code == 422
        missing = [{"op": "replace", "path": "/metadata/nothing/a", "value": "b"}]
        refused = http.patch(path, json=missing, headers={"Content-Type": "application/json-patch+json"})
        assert refused.status_code == 422
        assert http.patch(path, json={}, headers={"Content-Type": "application/foo"}).status_code == 415
