"""Kubernetes' quantities ("500m", "1Gi", "2e3") as exact numbers.

Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

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
# The fields of a pod's spec that hold quantities, and those that hold mappings of them.
_QUANTITY_FIELDS = frozenset({"divisor", "sizeLimit"})
_QUANTITY_MAPS = frozenset({"limits", "overhead", "requests"})


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


def with_text_quantities(pod: Any) -> Any:
    """A copy of a pod's spec whose quantities are texts: `cpu: 1` is "1".

    Servers before 1.21 refuse numbers in a server-side apply, and text is what every server stores.
    """
    if isinstance(pod, list):
        return [with_text_quantities(item) for item in pod]
    if not isinstance(pod, dict):
        return pod
    return {key: _field(key, value) for key, value in pod.items()}


def _field(key: Any, value: Any) -> Any:
    if key in _QUANTITY_MAPS and isinstance(value, dict):
        return {name: _quantity_text(amount) for name, amount in value.items()}
    return _quantity_text(value) if key in _QUANTITY_FIELDS else with_text_quantities(value)


def _quantity_text(amount: Any) -> Any:
    """A number as the API server gives it back (`cpu: 1.0` is "1"); what is none stays."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return amount
    return str(int(amount) if isinstance(amount, float) and amount.is_integer() else amount)
