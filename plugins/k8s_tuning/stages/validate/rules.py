"""What can be wrong with a Job's manifest: one small function a concern, each yielding findings. Pure.

`Finding.rule` is a stable word to search for in docs/validate.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from k8s_tuning import kubernetes_names as names
from k8s_tuning.stages.api_values import mapping
from k8s_tuning.stages.job_identity import HASH_ANNOTATION, NAME_PREFIX, spec_hash
from k8s_tuning.stages.validate.finding import Finding
from k8s_tuning.stages.validate.resources import PARTS, resource_findings
from k8s_tuning.stages.validate.schema import schema_problems
from k8s_tuning.stages.validate.values import filled_in, nulls, odd_values

RECOMMENDED_LABELS = ("app", "session_id", "worker_id", "component")
_NAME_RULE = re.compile(rf"{NAME_PREFIX}[a-z0-9-]+-[a-z0-9-]+-[0-9]+")
_HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
# https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/#JobSpec
_LEAST = {
    "backoffLimit": 0,
    "completions": 0,
    "parallelism": 0,
    "ttlSecondsAfterFinished": 0,
    "activeDeadlineSeconds": 1,
}
_PARTIAL = {
    "requests": "the limits are then asked for in full",
    "limits": "the pod may take whatever the node has left",
}
_POD = "spec.template.spec"
_error, _warning = partial(Finding, True), partial(Finding, False)
# From one check of the health monitor to the next: the schedule of dags/k8s_health_monitor.py.
CHECK_SECONDS = 300


def check_job(job: dict[str, Any]) -> list[Finding]:
    """Everything that is wrong with one manifest; the broad things first. No I/O."""
    findings = [*_type(job), *_metadata(job)]
    if job.get("kind") == "Job":
        findings += [*_spec(job), *_pod(job), *_containers(job), *_volumes(job), *_values(job)]
        odd = list(odd_values(job))
        findings += [_error("schema", *problem) for problem in odd or schema_problems(job)]
        # What JSON can't hold, neither the schema nor the hash can read.
        findings += [] if odd else _hash(job)
    # The schema's finding on a field that a rule of ours has an error for adds nothing.
    explained = {finding.path for finding in findings if finding.error and finding.rule != "schema"}
    return [finding for finding in findings if finding.rule != "schema" or finding.path not in explained]


def _type(job: dict[str, Any]) -> Iterator[Finding]:
    if job.get("apiVersion") != "batch/v1":
        yield _error("api-version", "apiVersion", f"is {_shown(job.get('apiVersion'))}; a Job needs batch/v1")
    if job.get("kind") != "Job":
        is_list = str(job.get("kind")).endswith("List") and isinstance(job.get("items"), list)
        cure = "put each item into a file of its own" if is_list else "only Jobs belong here, move the file elsewhere"
        yield _error("kind", "kind", f"is {_shown(job.get('kind'))}; {cure}")


def _metadata(job: dict[str, Any]) -> Iterator[Finding]:
    metadata = mapping(job, "metadata")
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if name is not None and not isinstance(name, str):
        yield _error("name", "metadata.name", "must be a text; put the value in quotes")
    elif name is None or not name.strip():
        yield _error("name", "metadata.name", "is missing or blank; give the Job a name")
    elif (problem := names.dns_label_problem(name)) is not None:
        yield _error("name", "metadata.name", f"{name!r} {problem}")
    elif not _NAME_RULE.fullmatch(name):
        yield _warning(
            "name-rule",
            "metadata.name",
            f"{name!r} is off the rule {NAME_PREFIX}SESSION-WORKER-INDEX; events are found by it",
        )
    if namespace is None or namespace == "":
        yield _warning("namespace", "metadata.namespace", "is missing; the Job would go to `default`")
    elif isinstance(namespace, str) and (problem := names.dns_label_problem(namespace)) is not None:
        yield _error("namespace", "metadata.namespace", f"{namespace!r} {problem}")
    labels = mapping(metadata, "labels")
    missing = [label for label in RECOMMENDED_LABELS if label not in labels]
    if missing:
        yield _warning("labels", "metadata.labels", f"{', '.join(missing)} missing; selectors and reports rely on them")
    yield from _keys_and_values("metadata", metadata)


def _keys_and_values(place: str, metadata: dict[str, Any]) -> Iterator[Finding]:
    for key, value in mapping(metadata, "labels").items():
        path = f"{place}.labels.{key}"
        if (problem := names.label_key_problem(str(key))) is not None:
            yield _error("label", path, f"the key {problem}")
        if isinstance(value, str) and (problem := names.label_value_problem(value)) is not None:
            yield _error("label", path, f"the value {value!r} {problem}")
    for key in mapping(metadata, "annotations"):
        if (problem := names.annotation_key_problem(str(key))) is not None:
            yield _error("annotation", f"{place}.annotations.{key}", f"the key {problem}")


def _values(job: dict[str, Any]) -> Iterator[Finding]:
    yield from (_error("null", path, message) for path, message in nulls(job))
    if filled := filled_in(job):
        listed = ", ".join(filled)
        yield _error("exported", filled[0], f"the cluster fills this in, as in an exported Job; remove {listed}")


def _spec(job: dict[str, Any]) -> Iterator[Finding]:
    spec = mapping(job, "spec")
    for field, least in _LEAST.items():
        value = spec.get(field)
        if isinstance(value, int) and not least <= value < 2**31:
            yield _error("range", f"spec.{field}", f"is {value}; it must be at least {least} and fit 32 bits")
    ttl = spec.get("ttlSecondsAfterFinished")
    if isinstance(ttl, int) and 0 <= ttl < CHECK_SECONDS:
        yield _warning(
            "ttl",
            "spec.ttlSecondsAfterFinished",
            f"is {ttl}: the cluster may remove the Job before the next check, {CHECK_SECONDS} s after the last, sees "
            f"how it ended; give it {2 * CHECK_SECONDS} or more",
        )


def _pod(job: dict[str, Any]) -> Iterator[Finding]:
    template = mapping(mapping(job, "spec"), "template")
    pod = mapping(template, "spec")
    yield from _keys_and_values("spec.template.metadata", mapping(template, "metadata"))
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        shown = _shown(pod.get("restartPolicy"))
        yield _error("restart-policy", f"{_POD}.restartPolicy", f"is {shown}; a Job needs Never or OnFailure")
    for field in _HOST_NAMESPACES:
        if pod.get(field) is True:
            yield _error("host-namespace", f"{_POD}.{field}", "opens the node to the pod; remove it")


def _containers(job: dict[str, Any]) -> Iterator[Finding]:
    pod = pod_spec(job)
    if not isinstance(pod.get("containers"), list) or not pod["containers"]:
        yield _error("containers", f"{_POD}.containers", "has no container; a Job needs at least one")
    seen: set[str] = set()
    for kind in ("initContainers", "containers"):
        for place, container in _entries(pod, kind):
            path = f"{_POD}.{place}"
            yield from _container(container, path, main=kind == "containers")
            name = container.get("name")
            if isinstance(name, str):
                if (problem := names.dns_label_problem(name)) is not None:
                    yield _error("name", f"{path}.name", f"{name!r} {problem}")
                if name in seen:
                    yield _error("name", f"{path}.name", f"{name!r} is there twice; container names differ")
                seen.add(name)


def _entries(source: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The mappings of a list, each with its place: `env[0]`."""
    listed = source.get(key)
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(entry, dict):
            yield f"{key}[{index}]", entry


def _container(container: dict[str, Any], path: str, main: bool) -> Iterator[Finding]:
    yield from _image(container.get("image"), f"{path}.image")
    for found in resource_findings(_resources(container)):
        yield replace(found, path=f"{path}.resources.{found.path}")
    if mapping(container, "securityContext").get("privileged") is True:
        yield _error("privileged", f"{path}.securityContext.privileged", "gives the pod the node's rights; remove it")
    for place, variable in _entries(container, "env"):
        name = variable.get("name")
        if isinstance(name, str) and (wrong := names.env_name_problem(name)) is not None:
            yield _error("env-name", f"{path}.{place}.name", f"{name!r} {wrong}")
    if main:
        for key, why in (
            ("resources", "a pod without requests and limits can starve its neighbours"),
            ("env", "the session script expects SESSION_ID, WORKER_ID and MODE"),
            ("args", "the image's default command would run"),
        ):
            if not container.get(key):
                yield _warning(f"{key}-missing", f"{path}.{key}", f"is missing; {why}")
        resources = _resources(container)
        for part in PARTS if any(resources.values()) else ():
            if not resources[part]:
                yield _warning("resources-partial", f"{path}.resources.{part}", f"is missing; {_PARTIAL[part]}")


def _image(image: Any, path: str) -> Iterator[Finding]:
    if not isinstance(image, str) or not image.strip():
        yield _error("image", path, "is missing; name the container's image")
    elif image != "".join(image.split()):
        yield _error("image", path, f"{image!r} has white space in it; write it as registry/name:tag")
    elif "@" not in image:
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            which = "has no tag, which means `latest`" if not tag else "is `latest`"
            yield _warning("image-latest", path, f"{image!r} {which}: another image tomorrow; name a version or digest")


def _volumes(job: dict[str, Any]) -> Iterator[Finding]:
    for place, volume in _entries(pod_spec(job), "volumes"):
        if "hostPath" in volume:
            yield _error("host-path", f"{_POD}.{place}.hostPath", "opens the node's files; use another volume")


def _hash(job: dict[str, Any]) -> Iterator[Finding]:
    metadata = mapping(job, "metadata")
    said = mapping(metadata, "annotations").get(HASH_ANNOTATION)
    if said is not None and isinstance(metadata.get("name"), str) and said != spec_hash(job):
        yield _warning(
            "edited",
            f"metadata.annotations.{HASH_ANNOTATION}",
            "is not this Job's hash: the file was changed by hand; change the session's config and generate again",
        )


def pod_spec(job: dict[str, Any]) -> dict[str, Any]:
    """`spec.template.spec`, empty where anything on the way is missing."""
    return mapping(mapping(mapping(job, "spec"), "template"), "spec")


def _resources(container: dict[str, Any]) -> dict[str, dict[str, object]]:
    resources = mapping(container, "resources")
    return {part: mapping(resources, part) for part in PARTS}


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value)[:60]
