"""Kubernetes' field selectors: text to a value that matches objects. Pure; no I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from k8s_tuning.errors import SelectorError


@dataclass(frozen=True)
class FieldSelector:
    """A parsed field selector: (field path, whether it must equal, value) each."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these fields is selected; a field that is not there counts as empty."""
        return all((fields.get(field, "") == value) == equal for field, equal, value in self.terms)


def parse_fields(text: str) -> FieldSelector:
    """A field selector from its text, e.g. `metadata.name=a,status.phase!=Failed`; `\\` escapes `,` `=` `\\`."""
    terms = []
    for part in re.findall(r"(?:\\.|[^,\\]|\\\Z)+", text, re.DOTALL):
        match = re.match(r"(.*?)(!=|==|=)(.*)", part, re.DOTALL)
        if match is None or re.fullmatch(r"(?:\\[\\,=]|[^\\,=])*", match[3]) is None:
            raise SelectorError(f"field selector {text!r}: cannot read {part!r}; write field=value or field!=value")
        terms.append((match[1], match[2] != "!=", re.sub(r"\\(.)", r"\1", match[3])))
    return FieldSelector(tuple(terms))
