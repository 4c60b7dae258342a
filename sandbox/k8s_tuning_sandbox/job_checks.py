"""What the API server refuses of a Job's newer fields; an older server has dropped them before it comes here. Pure.

(k8s.io/kubernetes/pkg/apis/batch/validation/validation.go)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from k8s_tuning.kubernetes_names import dns_label_problem
from k8s_tuning.stages.quantities import parse_quantity
from k8s_tuning_sandbox import indexes
from k8s_tuning_sandbox.status import Cause, required, unsupported, wrong

Object = Mapping[str, Any]

IMMUTABLE = (
    "completions",
    "selector",
    "template",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "successPolicy",
    "managedBy",
)
_MODES = ("NonIndexed", "Indexed")
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")


def causes(job: Object) -> Iterator[Cause]:
    """Everything that is wrong with the fields that came after v1.20."""
    spec = job["spec"]
    indexed = spec.get("completionMode") == "Indexed"
    yield from _among("spec.completionMode", spec.get("completionMode", "NonIndexed"), _MODES)
    if indexed and "completions" not in spec:
        yield required("spec.completions", "when completion mode is Indexed")
    elif indexed and dns_label_problem(last := f"{job['metadata'].get('name', '')}-{max(spec['completions'] - 1, 0)}"):
        yield wrong("metadata.name", last, "will not able to create pod with invalid DNS label")
    for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
        if spec.get(field, 0) < 0:
            yield wrong(f"spec.{field}", spec[field], "must be greater than or equal to 0")
        if field in spec and not indexed:
            yield wrong(f"spec.{field}", spec[field], "requires indexed completion mode")
    if "maxFailedIndexes" in spec:
        if "backoffLimitPerIndex" not in spec:
            yield required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified")
        if spec["maxFailedIndexes"] > spec.get("completions", spec["maxFailedIndexes"]):
            yield wrong("spec.maxFailedIndexes", spec["maxFailedIndexes"], "must be less than or equal to completions")
    if "managedBy" in spec and not re.fullmatch(r"[a-z0-9][-a-z0-9.]*/[^/ ]+", spec["managedBy"]):
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield wrong("spec.managedBy", spec["managedBy"], text)
    if "podReplacementPolicy" in spec:
        supported = _REPLACEMENTS[:1] if "podFailurePolicy" in spec else _REPLACEMENTS
        yield from _among("spec.podReplacementPolicy", spec["podReplacementPolicy"], supported)
    yield from _failure_causes(spec)
    yield from _success_causes(spec, indexed=indexed)


def warnings(job: Object) -> Iterator[str]:
    """What a server of today accepts and warns of."""
    if why := dns_label_problem(job["metadata"].get("name", "")):
        yield (
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior;"
            f" a DNS label is recommended: [{why}]"
        )
    pod = job["spec"]["template"]["spec"]
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(pod.get(kind, ())):
            for side, wanted in (container.get("resources") or {}).items():
                amount = parse_quantity(wanted["memory"]) if isinstance(wanted, dict) and "memory" in wanted else None
                if amount is not None and amount != int(amount):
                    place = f"spec.template.spec.{kind}[{number}].resources.{side}[memory]"
                    yield f'{place}: fractional byte value "{wanted["memory"]}" is invalid, must be an integer'


def _among(field: str, value: str, supported: tuple[str, ...], *, empty: bool = True) -> Iterator[Cause]:
    """What is wrong where the value is none of these; without `empty`, an empty one counts as not given."""
    if not value and not empty:
        yield required(field, "valid values: [" + " ".join(f'"{one}"' for one in supported) + "]")
    elif value not in supported:
        yield unsupported(field, value, supported)


def _failure_causes(spec: Object) -> Iterator[Cause]:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return
    if (restart := spec["template"]["spec"]["restartPolicy"]) != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        yield wrong("spec.template.spec.restartPolicy", restart, text)
    pod = spec["template"]["spec"]
    names = {one.get("name") for one in (*pod.get("initContainers", ()), *pod.get("containers", ()))}
    rules = policy.get("rules") or []
    if len(rules) > 20:
        yield Cause("spec.podFailurePolicy.rules", "FieldValueTooMany", f"Too many: {len(rules)}: must have at most 20")
    for number, rule in enumerate(rules):
        yield from _rule_causes(f"spec.podFailurePolicy.rules[{number}]", rule, names, spec)


def _rule_causes(place: str, rule: Object, names: set[Any], spec: Object) -> Iterator[Cause]:
    action, codes, conditions = rule.get("action", ""), rule.get("onExitCodes"), rule.get("onPodConditions")
    yield from _among(f"{place}.action", action, _ACTIONS, empty=False)
    if action == "FailIndex" and "backoffLimitPerIndex" not in spec:
        yield wrong(f"{place}.action", action, "requires the backoffLimitPerIndex to be set")
    if (codes is None) == (not conditions):
        what = "specifying one of OnExitCodes and OnPodConditions is required"
        both = "specifying both OnExitCodes and OnPodConditions is not supported"
        yield wrong(place, "field", what if codes is None else both)
    if codes is not None:
        below = f"{place}.onExitCodes"
        yield from _among(f"{below}.operator", codes.get("operator", ""), _OPERATORS, empty=False)
        if codes.get("containerName") is not None and codes["containerName"] not in names:
            text = "must be one of the container or initContainer names in the pod template"
            yield wrong(f"{below}.containerName", codes["containerName"], text)
        values = codes.get("values") or []
        if not values:
            yield wrong(f"{below}.values", values, "at least one value is required")
        elif values != sorted(values):
            yield wrong(f"{below}.values", values, "must be ordered")
        for number, value in enumerate(values):
            if value in values[:number]:
                yield Cause(f"{below}.values[{number}]", "FieldValueDuplicate", f"Duplicate value: {value}")
        if 0 in values and codes.get("operator") == "In":
            yield wrong(f"{below}.values[{values.index(0)}]", 0, "must not be 0 for the In operator")
    for number, pattern in enumerate(conditions or ()):
        yield from _among(f"{place}.onPodConditions[{number}].status", pattern.get("status", "True"), _STATUSES)


def _success_causes(spec: Object, *, indexed: bool) -> Iterator[Cause]:
    policy = spec.get("successPolicy")
    if policy is None:
        return
    if not indexed:
        yield wrong("spec.successPolicy", policy, "requires indexed completion mode")
        return
    rules, completions = policy.get("rules") or [], spec.get("completions", 0)
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        yield required("spec.successPolicy.rules", text)
    for number, rule in enumerate(rules):
        place, wanted, count = f"spec.successPolicy.rules[{number}]", rule.get("succeededIndexes"), None
        if wanted is None and "succeededCount" not in rule:
            yield required(place, "at least one of succeededCount or succeededIndexes must be specified")
        if wanted is not None:
            try:
                found = indexes.parse(wanted)
            except ValueError:
                yield wrong(f"{place}.succeededIndexes", wanted, "error parsing succeededIndexes")
                continue
            count = len(found)
            if max(found, default=0) >= completions:
                yield wrong(f"{place}.succeededIndexes", wanted, "error parsing succeededIndexes: too large index")
        most = completions if count is None else count
        if rule.get("succeededCount", 0) > most:
            text = f"must be less than or equal to {most} (the number of indexes)"
            yield wrong(f"{place}.succeededCount", rule["succeededCount"], text)
