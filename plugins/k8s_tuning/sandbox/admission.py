"""What the API server does to an object before it is stored: fill in defaults, refuse what breaks a rule.

Rules and messages are those of v1.20 (k8s.io/kubernetes/pkg/apis/batch and core, validation.go and defaults.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8s_tuning.kubernetes_names import (
    annotation_key_problem,
    dns_label_problem,
    dns_subdomain_problem,
    env_name_problem,
    label_key_problem,
    label_value_problem,
)
from k8s_tuning.sandbox.resources import EVENTS, JOBS, NAMESPACES, PODS, Resource
from k8s_tuning.sandbox.status import Cause, invalid_object
from k8s_tuning.stages.quantities import parse_quantity

Object = dict[str, Any]

_DNS_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_DNS_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_TWO_SLASHES = (
    _QUALIFIED.replace("name part", "a qualified name")
    + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_ENV_NAME = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not"
    " start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is"
    " '[-._a-zA-Z][-._a-zA-Z0-9]*')"
)
_RESTARTS = ("OnFailure", "Never")


def fill_in(resource: Resource, obj: Object) -> None:
    """Set the defaults, in place. A new object has its uid, namespace and name already."""
    if resource is PODS:
        _fill_in_pod(obj.setdefault("spec", {}))
        obj["spec"].setdefault("serviceAccountName", "default")
        obj["spec"].setdefault("enableServiceLinks", True)
        obj["spec"].setdefault("priority", 0)
        obj.setdefault("status", {}).setdefault("phase", "Pending")
        obj["status"].setdefault("qosClass", _quality(obj["spec"]))
    elif resource is NAMESPACES:
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj.setdefault("status", {}).setdefault("phase", "Active")
    elif resource is EVENTS:
        obj.setdefault("involvedObject", {}).setdefault("namespace", obj["metadata"]["namespace"])
        obj.setdefault("source", {})
        for field in ("firstTimestamp", "lastTimestamp", "eventTime"):
            obj.setdefault(field, None)
        for field in ("reportingComponent", "reportingInstance"):
            obj.setdefault(field, "")
    elif resource is JOBS:
        _fill_in_job(obj)


def _fill_in_job(job: Object) -> None:
    meta, spec = job["metadata"], job.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    if not spec.get("manualSelector"):
        labels["controller-uid"], labels["job-name"] = meta["uid"], meta.get("name", "")
        selector = spec.setdefault("selector", {}).setdefault("matchLabels", {})
        selector.setdefault("controller-uid", meta["uid"])
    template["metadata"].setdefault("creationTimestamp", None)
    if not meta.get("labels"):
        meta["labels"] = dict(labels)
    _fill_in_pod(template.setdefault("spec", {}))
    job.setdefault("status", {})


def _fill_in_pod(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        if "image" in container:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            container.setdefault("imagePullPolicy", "IfNotPresent" if tag not in ("", "latest") else "Always")
        for port in container.get("ports", ()):
            port.setdefault("protocol", "TCP")
        limits, requests = (container["resources"].get(side, {}) for side in ("limits", "requests"))
        if limits:
            container["resources"]["requests"] = {**limits, **requests}


def _quality(spec: Object) -> str:
    sides = [container.get("resources", {}) for container in spec.get("containers", ())]
    if not any(side.get("requests") or side.get("limits") for side in sides):
        return "BestEffort"
    guaranteed = all(
        set(side.get("limits", {})) >= {"cpu", "memory"} and side.get("requests") == side["limits"] for side in sides
    )
    return "Guaranteed" if guaranteed else "Burstable"


def check(resource: Resource, obj: Object, old: Object | None = None) -> None:
    """Refusal 422, with every cause, where the object breaks a rule; `old` is the stored object that it replaces."""
    # A Job without labels gets its template's, which are checked there.
    defaulted = obj["spec"]["template"]["metadata"]["labels"] if resource is JOBS else None
    causes = list(_metadata_causes(resource, obj["metadata"], defaulted))
    if resource is JOBS:
        causes += _job_causes(obj, old)
    elif resource is PODS:
        if obj["spec"]["restartPolicy"] not in ("Always", *_RESTARTS):
            causes.append(_unsupported("spec.restartPolicy", obj["spec"]["restartPolicy"], ("Always", *_RESTARTS)))
        causes += _pod_causes("spec", obj["spec"])
        if old is not None and _template_key(old["spec"]) != _template_key(obj["spec"]):
            causes.append(Cause("spec", "FieldValueForbidden", "Forbidden: pod updates may not change most fields"))
    elif resource is EVENTS and obj["involvedObject"]["namespace"] != obj["metadata"]["namespace"]:
        causes.append(
            _wrong("involvedObject.namespace", obj["involvedObject"]["namespace"], "does not match event.namespace")
        )
    if causes:
        raise invalid_object(resource, obj["metadata"].get("name", ""), causes)


def _metadata_causes(resource: Resource, meta: Mapping[str, Any], defaulted: object) -> Iterator[Cause]:
    name = meta.get("name", "")
    if not name:
        yield Cause("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
    elif resource is NAMESPACES:
        if dns_label_problem(name):
            yield _wrong("metadata.name", name, _too_long(name, 63) or _DNS_LABEL)
    elif dns_subdomain_problem(name):
        yield _wrong("metadata.name", name, _too_long(name, 253) or _DNS_SUBDOMAIN)
    if meta.get("labels") != defaulted:
        yield from _label_causes("metadata.labels", meta.get("labels") or {})
    for key in meta.get("annotations") or {}:
        if annotation_key_problem(key):
            yield _wrong("metadata.annotations", key, _QUALIFIED)


def _label_causes(field: str, labels: Mapping[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        if label_key_problem(key):
            yield _wrong(field, key, _TWO_SLASHES if key.count("/") > 1 else _QUALIFIED)
        if label_value_problem(value):
            yield _wrong(field, value, _too_long(value, 63) or _LABEL_VALUE)


def _job_causes(job: Object, old: Object | None) -> Iterator[Cause]:
    spec, template = job["spec"], job["spec"]["template"]
    for field in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"):
        if spec.get(field, 0) < 0:
            yield _wrong(f"spec.{field}", spec[field], "must be greater than or equal to 0")
    uid = job["metadata"]["uid"]
    if not spec.get("manualSelector") and spec["selector"] != {"matchLabels": {"controller-uid": uid}}:
        yield _wrong("spec.selector", spec["selector"], "`selector` not auto-generated")
    yield from _label_causes("spec.template.labels", template["metadata"]["labels"])
    yield from _pod_causes("spec.template.spec", template["spec"])
    policy = template["spec"]["restartPolicy"]
    if policy == "Always":
        valid = 'Required value: valid values: "OnFailure", "Never"'
        yield Cause("spec.template.spec.restartPolicy", "FieldValueRequired", valid)
    elif policy not in _RESTARTS:
        yield _unsupported("spec.template.spec.restartPolicy", policy, ("Always", *_RESTARTS))
        yield _unsupported("spec.template.spec.restartPolicy", policy, _RESTARTS)
    if old is not None:
        for field in ("completions", "selector", "template"):
            if _template_key(spec.get(field)) != _template_key(old["spec"].get(field)):
                yield _wrong(f"spec.{field}", spec.get(field), "field is immutable")


def _pod_causes(path: str, spec: Object) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield Cause(f"{path}.containers", "FieldValueRequired", "Required value")
    seen = set()
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind, ())):
            place, name = f"{path}.{kind}[{index}]", container.get("name", "")
            if not name:
                yield Cause(f"{place}.name", "FieldValueRequired", "Required value")
            elif dns_label_problem(name):
                yield _wrong(f"{place}.name", name, _too_long(name, 63) or _DNS_LABEL)
            elif name in seen:
                yield Cause(f"{place}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
            seen.add(name)
            if not container.get("image"):
                yield Cause(f"{place}.image", "FieldValueRequired", "Required value")
            for number, env in enumerate(container.get("env", ())):
                if not env.get("name"):
                    yield Cause(f"{place}.env[{number}].name", "FieldValueRequired", "Required value")
                elif env_name_problem(env["name"]):
                    yield _wrong(f"{place}.env[{number}].name", env["name"], _ENV_NAME)
            yield from _resource_causes(f"{place}.resources", container.get("resources", {}))


def _resource_causes(place: str, resources: Mapping[str, Mapping[str, str]]) -> Iterator[Cause]:
    limits = resources.get("limits", {})
    for side in ("limits", "requests"):
        for name, text in resources.get(side, {}).items():
            amount, limit = parse_quantity(text), parse_quantity(limits.get(name, ""))
            if amount is not None and amount < 0:
                yield _wrong(f"{place}.{side}[{name}]", text, "must be greater than or equal to 0")
            elif side == "requests" and amount is not None and limit is not None and amount > limit:
                yield _wrong(f"{place}.requests", text, f"must be less than or equal to {name} limit")


def _template_key(value: Any) -> Any:
    # An absent field and an empty one are one to the server's types.
    if isinstance(value, dict):
        return {key: kept for key, inner in value.items() if (kept := _template_key(inner)) not in (None, "", [], {})}
    return [_template_key(item) for item in value] if isinstance(value, list) else value


def _wrong(field: str, value: Any, why: str) -> Cause:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause(field, "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def _unsupported(field: str, value: str, supported: tuple[str, ...]) -> Cause:
    listed = ", ".join(f'"{one}"' for one in supported)
    return Cause(field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {listed}')


def _too_long(text: str, longest: int) -> str:
    return f"must be no more than {longest} characters" if len(text) > longest else ""
