"""What can be wrong with a container's requests and limits: what Kubernetes refuses, and what nobody can have meant.

Rules: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/ (in code:
k8s.io/kubernetes/pkg/apis/core/validation, ValidateContainerResourceName and validateResourceRequirements).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from k8s_tuning.kubernetes_names import label_key_problem
from k8s_tuning.stages.quantities import parse_quantity
from k8s_tuning.stages.validate.finding import Finding

PARTS = ("requests", "limits")
_HUGE = "hugepages-"
_BYTES = ("memory", "ephemeral-storage")
_MIB = Decimal(1024) ** 2
# No pod asks for so many cores; whoever writes it means thousandths.
_MANY_CORES = 100
_CLOSE_MISS = re.compile(r"\s*([0-9]+(?:[.,][0-9]+)?)\s*([a-zA-Z]*)\s*")
_MEANT_BYTES = {"b": "", "k": "Ki", "m": "Mi", "g": "Gi", "t": "Ti"}
_MEANT_CORES = {"": "", "m": "m", "milli": "m", "millicore": "m", "cpu": "", "core": "", "vcpu": ""}


def resource_findings(resources: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with `{requests: {name: amount}, limits: …}`, amounts as texts or numbers; each with its cure."""
    parsed: dict[str, dict[str, Decimal]] = {part: {} for part in PARTS}
    for part in PARTS:
        for name, amount in (resources.get(part) or {}).items():
            place = f"{part}.{name}"
            if (problem := _name_problem(name)) is not None:
                yield Finding(True, "resource-name", place, problem)
                continue
            quantity = None if isinstance(amount, bool) else parse_quantity(str(amount))
            if quantity is None:
                yield Finding(True, "quantity", place, f"{amount!r} is not a quantity; {_cure(name, str(amount))}")
            elif quantity < 0:
                yield Finding(True, "quantity", place, f"{amount!r} is negative; a quantity is 0 or more")
            else:
                parsed[part][name] = quantity
                yield from _amount_findings(name, str(amount), quantity, place)
    yield from _pair_findings(resources, parsed)


def is_extended(name: str) -> bool:
    """Whether a resource is a device or a licence that somebody's domain names, such as nvidia.com/gpu."""
    return "/" in name and "kubernetes.io/" not in name


def _name_problem(name: str) -> str | None:
    if name in ("cpu", *_BYTES):
        return None
    if name.startswith(_HUGE):
        page = parse_quantity(name.removeprefix(_HUGE))
        return None if page is not None and page >= 1 else f"{name!r} names no page size; write it as hugepages-2Mi"
    if "/" not in name:
        near = next((known for known in ("cpu", *_BYTES) if name.lower() == known), None)
        cure = f"did you mean {near}?" if near else "a device's resource has a domain, such as nvidia.com/gpu"
        return f"{name!r} is no resource of a container (cpu, memory, ephemeral-storage, hugepages-SIZE); {cure}"
    if (problem := label_key_problem(name)) is not None:
        return f"{name!r} {problem}"
    if is_extended(name) and name.startswith("requests."):
        return f"{name!r} is a quota's name; write it without `requests.`"
    return None


def _amount_findings(name: str, text: str, quantity: Decimal, place: str) -> Iterator[Finding]:
    """What a quantity that parses says about this resource."""
    number = re.match(r"[+]?([0-9.]*)", text)[1]  # type: ignore[index]
    odd_unit = partial(Finding, False, "quantity-unit", place)
    if name == "cpu":
        if quantity >= _MANY_CORES:
            meant = number if text.endswith(("G", "Gi", "T", "Ti")) else f"{number}m"
            yield odd_unit(f"{text} is {_shown(quantity)} whole cores; did you mean {meant}?")
        elif 0 < quantity < Decimal("0.001"):
            cure = f"did you mean {number}m?" if text[-1].isalpha() else "write 1m or more"
            yield odd_unit(f"{text} is less than 1m, the least that a node counts; {cure}")
    elif name in _BYTES:
        if 0 < quantity < _MIB:
            meant = f"did you mean {number}Mi?" if len(number) < 6 else "write it as 512Mi or 1Gi"
            thousandth = " (m is a thousandth)" if text.endswith("m") else ""
            yield odd_unit(f"{text} is {_shown(quantity)} bytes{thousandth}; {meant}")
        elif not _is_whole(quantity):
            whole = f"{int(quantity) // 1024}Ki"
            yield odd_unit(f"{text} is no whole number of bytes ({_shown(quantity)}); write it as {whole}")
    elif name.startswith(_HUGE):
        page = parse_quantity(name.removeprefix(_HUGE)) or Decimal(1)
        if not _is_whole(quantity) or int(quantity) % int(page):
            yield Finding(True, "quantity", place, f"{text} is no multiple of the page size in {name}")
    elif is_extended(name) and not _is_whole(quantity):
        yield Finding(True, "extended-resource", place, f"{text} is no whole number; a device is not shared out")


def _pair_findings(resources: Mapping[str, Any], parsed: Mapping[str, Mapping[str, Decimal]]) -> Iterator[Finding]:
    """Requests against limits."""
    requests, limits = parsed["requests"], parsed["limits"]
    for name, asked in requests.items():
        allowed, place = limits.get(name), f"requests.{name}"
        if is_extended(name) or name.startswith(_HUGE):
            if name not in (resources.get("limits") or {}):
                problem = f"has no limit; {name} needs one of the same amount, under limits"
                yield Finding(True, "extended-resource", place, problem)
            elif allowed is not None and allowed != asked:
                given = f"{resources['requests'][name]} differs from the limit of {resources['limits'][name]}"
                problem = f"{given}; {name} needs both to be the same"
                yield Finding(True, "extended-resource", place, problem)
        elif allowed is not None and asked > allowed:
            given = f"{resources['requests'][name]} is above the limit of {resources['limits'][name]}"
            problem = f"{given}; raise the limit or lower the request"
            yield Finding(True, "request-above-limit", place, problem)
    named = {**requests, **limits}
    huge = next((name for name in named if name.startswith(_HUGE)), None)
    if huge and not named.keys() & {"cpu", "memory"}:
        part = "limits" if huge in limits else "requests"
        yield Finding(
            True, "extended-resource", f"{part}.{huge}", "needs a request or limit of cpu or memory beside it"
        )


def _cure(name: str, text: str) -> str:
    """What was meant by `512MB` or `2 cores`, where that can be known; else how this resource is written."""
    match = _CLOSE_MISS.fullmatch(text)
    number, unit = (match[1].replace(",", "."), match[2].lower()) if match else ("", "")
    if name == "cpu":
        meant = _MEANT_CORES.get(unit.removesuffix("s"))
        general = "write cores as 500m, 0.5 or 2"
    elif is_extended(name):
        meant, general = None, "write a whole number, such as 1"
    else:
        stem = unit.removesuffix("s").removesuffix("byte").removesuffix("b").removesuffix("i") or unit
        meant, general = _MEANT_BYTES.get(stem[:1]) if len(stem) == 1 else None, "write bytes as 512Mi or 1Gi"
    return f"did you mean {number}{meant}?" if number and meant is not None else general


def _is_whole(quantity: Decimal) -> bool:
    # Not with `%`, which fails where the quotient has more digits than the context.
    return quantity == quantity.to_integral_value()


def _shown(quantity: Decimal) -> str:
    return format(quantity.normalize(), ",f" if quantity < Decimal("1e24") else ".3g")
