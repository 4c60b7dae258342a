"""What the API server does to an object before it is stored: fill in defaults, refuse what breaks a rule.

Rules and messages are those of k8s.io/kubernetes/pkg/apis/batch and core, validation.go and defaults.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from k8s_tuning.kubernetes_names import (
    annotation_key_problem,
    dns_label_problem,
    dns_subdomain_problem,
    label_key_problem,
    label_value_problem,
)
from k8s_tuning.stages.quantities import parse_quantity
from k8s_tuning_sandbox import job_checks
from k8s_tuning_sandbox.dialect import Dialect
from k8s_tuning_sandbox.resources import EVENTS, JOBS, NAMESPACES, PODS, Object, Resource
from k8s_tuning_sandbox.status import Cause, invalid, required, unsupported, wrong

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
_RESTARTS = ("OnFailure", "Never")


def fill_in(resource: Resource, obj: Object, dialect: Dialect) -> None:
    """Set the defaults, in place. A new object has its uid, namespace and name already."""
    if resource is PODS:
        _fill_in_pod(obj.setdefault("spec", {}))
        _default(obj["spec"], serviceAccountName="default", enableServiceLinks=True, priority=0)
        obj.setdefault("status", {}).setdefault("phase", "Pending")
        obj["status"].setdefault("qosClass", _quality(obj["spec"]))
    elif resource is NAMESPACES:
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj.setdefault("status", {}).setdefault("phase", "Active")
    elif resource is EVENTS:
        obj.setdefault("involvedObject", {}).setdefault("namespace", obj["metadata"]["namespace"])
        _default(obj, source={}, firstTimestamp=None, lastTimestamp=None, eventTime=None)
        _default(obj, reportingComponent="", reportingInstance="")
    elif resource is JOBS:
        _fill_in_job(obj, dialect)


def _fill_in_job(job: Object, dialect: Dialect) -> None:
    meta, spec = job["metadata"], job.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    _default(spec, **dialect.job_defaults)
    if dialect.job_defaults:
        spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    if not spec.get("manualSelector"):
        labels |= dialect.pod_labels(meta["uid"], meta.get("name", ""))
        _default(spec.setdefault("selector", {}).setdefault("matchLabels", {}), **dialect.selector(meta["uid"]))
    template["metadata"].setdefault("creationTimestamp", None)
    if not meta.get("labels"):
        meta["labels"] = dict(labels)
    _fill_in_pod(template.setdefault("spec", {}))
    job.setdefault("status", {})


def _fill_in_pod(spec: Object) -> None:
    _default(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    _default(spec, securityContext={}, schedulerName="default-scheduler")
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        _default(container, resources={}, terminationMessagePath="/dev/termination-log")
        _default(container, terminationMessagePolicy="File")
        if "image" in container:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            container.setdefault("imagePullPolicy", "IfNotPresent" if tag not in ("", "latest") else "Always")
        for port in container.get("ports", ()):
            port.setdefault("protocol", "TCP")
        limits, requests = (container["resources"].get(side, {}) for side in ("limits", "requests"))
        if limits:
            container["resources"]["requests"] = {**limits, **requests}


def _default(obj: Object, **fields: Any) -> None:
    for name, value in fields.items():
        obj.setdefault(name, value)


def _quality(spec: Object) -> str:
    sides = [container.get("resources", {}) for container in spec.get("containers", ())]
    if not any(side.get("requests") or side.get("limits") for side in sides):
        return "BestEffort"
    guaranteed = all(
        set(side.get("limits", {})) >= {"cpu", "memory"} and side.get("requests") == side["limits"] for side in sides
    )
    return "Guaranteed" if guaranteed else "Burstable"


def check(resource: Resource, obj: Object, dialect: Dialect, old: Object | None = None) -> None:
    """Refusal 422, with every cause, where the object breaks a rule; `old` is the stored object that it replaces."""
    # A Job without labels gets its template's, which are checked there.
    defaulted = obj["spec"]["template"]["metadata"]["labels"] if resource is JOBS else None
    causes = list(_metadata_causes(resource, obj["metadata"], defaulted))
    if resource is JOBS:
        causes += _job_causes(obj, dialect, old)
    elif resource is PODS:
        if obj["spec"]["restartPolicy"] not in ("Always", *_RESTARTS):
            causes.append(unsupported("spec.restartPolicy", obj["spec"]["restartPolicy"], ("Always", *_RESTARTS)))
        causes += _pod_causes("spec", obj["spec"], dialect)
        if old is not None:
            causes += _pod_change_causes(old["spec"], obj["spec"])
    elif resource is EVENTS and obj["involvedObject"]["namespace"] != obj["metadata"]["namespace"]:
        causes.append(
            wrong("involvedObject.namespace", obj["involvedObject"]["namespace"], "does not match event.namespace")
        )
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes)


def _metadata_causes(resource: Resource, meta: Mapping[str, Any], defaulted: object) -> Iterator[Cause]:
    name = meta.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif resource is NAMESPACES:
        if dns_label_problem(name):
            yield wrong("metadata.name", name, _too_long(name, 63) or _DNS_LABEL)
    elif dns_subdomain_problem(name):
        yield wrong("metadata.name", name, _too_long(name, 253) or _DNS_SUBDOMAIN)
    if meta.get("labels") != defaulted:
        yield from _label_causes("metadata.labels", meta.get("labels") or {})
    for key in meta.get("annotations") or {}:
        if annotation_key_problem(key):
            yield wrong("metadata.annotations", key, _QUALIFIED)


def _label_causes(field: str, labels: Mapping[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        if label_key_problem(key):
            yield wrong(field, key, _TWO_SLASHES if key.count("/") > 1 else _QUALIFIED)
        if label_value_problem(value):
            yield wrong(field, value, _too_long(value, 63) or _LABEL_VALUE)


def _job_causes(job: Object, dialect: Dialect, old: Object | None) -> Iterator[Cause]:
    spec, template = job["spec"], job["spec"]["template"]
    for field in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"):
        if spec.get(field, 0) < 0:
            yield wrong(f"spec.{field}", spec[field], "must be greater than or equal to 0")
    uid = job["metadata"]["uid"]
    if not spec.get("manualSelector") and spec["selector"] != {"matchLabels": dialect.selector(uid)}:
        yield wrong("spec.selector", spec["selector"], "`selector` not auto-generated")
    yield from _label_causes("spec.template.labels", template["metadata"]["labels"])
    yield from _pod_causes("spec.template.spec", template["spec"], dialect)
    policy = template["spec"]["restartPolicy"]
    if policy == "Always":
        yield required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    elif policy not in _RESTARTS:
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always", *_RESTARTS))
        yield unsupported("spec.template.spec.restartPolicy", policy, _RESTARTS)
    yield from job_checks.causes(job)
    if old is not None:
        for field in job_checks.IMMUTABLE:
            if _template_key(spec.get(field)) != _template_key(old["spec"].get(field)):
                yield wrong(f"spec.{field}", spec.get(field), "field is immutable")


def _pod_causes(path: str, spec: Object, dialect: Dialect) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    seen = set()
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind, ())):
            place, name = f"{path}.{kind}[{index}]", container.get("name", "")
            if not name:
                yield required(f"{place}.name")
            elif dns_label_problem(name):
                yield wrong(f"{place}.name", name, _too_long(name, 63) or _DNS_LABEL)
            elif name in seen:
                yield Cause(f"{place}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
            seen.add(name)
            if not container.get("image"):
                yield required(f"{place}.image")
            for number, env in enumerate(container.get("env", ())):
                if not env.get("name"):
                    yield required(f"{place}.env[{number}].name")
                elif not dialect.env_name.fullmatch(env["name"]):
                    yield wrong(f"{place}.env[{number}].name", env["name"], dialect.env_name_rule)
            yield from _resource_causes(f"{place}.resources", container.get("resources", {}))


def _pod_change_causes(old: Object, new: Object) -> Iterator[Cause]:
    if any(gate not in old.get("schedulingGates", ()) for gate in new.get("schedulingGates", ())):
        text = "Forbidden: only deletion is allowed, but found new scheduling gate"
        yield Cause("spec.schedulingGates", "FieldValueForbidden", text)
    if _template_key({**old, "schedulingGates": None}) != _template_key({**new, "schedulingGates": None}):
        yield Cause("spec", "FieldValueForbidden", "Forbidden: pod updates may not change most fields")


def _resource_causes(place: str, resources: Mapping[str, Mapping[str, str]]) -> Iterator[Cause]:
    limits = resources.get("limits", {})
    for side in ("limits", "requests"):
        for name, text in resources.get(side, {}).items():
            amount, limit = parse_quantity(text), parse_quantity(limits.get(name, ""))
            if amount is not None and amount < 0:
                yield wrong(f"{place}.{side}[{name}]", text, "must be greater than or equal to 0")
            elif side == "requests" and amount is not None and limit is not None and amount > limit:
                yield wrong(f"{place}.requests", text, f"must be less than or equal to {name} limit")


def _template_key(value: Any) -> Any:
    # An absent field and an empty one are one to the server's types.
    if isinstance(value, dict):
        return {key: kept for key, inner in value.items() if (kept := _template_key(inner)) not in (None, "", [], {})}
    return [_template_key(item) for item in value] if isinstance(value, list) else value


def _too_long(text: str, longest: int) -> str:
    return f"must be no more than {longest} characters" if len(text) > longest else ""
