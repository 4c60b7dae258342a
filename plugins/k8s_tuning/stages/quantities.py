"""Kubernetes' quantities ("500m", "1Gi", "2e3") as exact numbers.

Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal

_SUFFIXES: dict[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
# An exponent beyond this is nothing that a machine has, and would make the arithmetic slow.
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,3})|([a-zA-Z]{0,2}))")
_LONGEST = 64


def parse_quantity(text: str) -> Decimal | None:
    """The exact value in base units (cores, bytes); None where `text` is not a quantity."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    if exponent is not None:
        return Decimal(number) * Decimal(10) ** int(exponent)
    factor = _SUFFIXES.get(suffix)
    return None if factor is None else Decimal(number) * factor


def resource_problems(resources: dict[str, dict[str, object]]) -> list[tuple[str, str]]:
    """(`requests.cpu`, what is wrong and how to mend it) for quantities that don't parse and requests above limits."""
    problems: list[tuple[str, str]] = []
    parsed: dict[tuple[str, str], Decimal] = {}
    for part in ("requests", "limits"):
        for name, value in (resources.get(part) or {}).items():
            quantity = None if isinstance(value, bool) else parse_quantity(str(value))
            if quantity is None:
                problems.append((f"{part}.{name}", f"{value!r} is not a quantity; write one as 500m, 2, 512Mi or 1Gi"))
            elif quantity < 0:
                problems.append((f"{part}.{name}", f"{value!r} is negative; a quantity is 0 or more"))
            else:
                parsed[part, name] = quantity
    for (part, name), quantity in parsed.items():
        limit = parsed.get(("limits", name))
        if part == "requests" and limit is not None and quantity > limit:
            asked, allowed = resources["requests"][name], resources["limits"][name]
            problems.append(
                (f"requests.{name}", f"{asked} is above the limit of {allowed}; raise the limit or lower the request")
            )
    return problems
