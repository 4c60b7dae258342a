"""What Kubernetes accepts as a name, a label, an annotation key, an environment variable.

Each function answers None where the text is acceptable, else the reason and the cure in one clause, ready to follow
"metadata.name 'X' ". Rules: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and …/labels/
(in code: k8s.io/apimachinery/pkg/util/validation). All of them are ASCII: a letter of another alphabet is refused.
"""

from __future__ import annotations

import re

LABEL_LENGTH = 63
SUBDOMAIN_LENGTH = 253

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")
_LABEL_TEXT = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_RULE = "may hold only A-Z, a-z, 0-9, '-', '_' and '.', and must start and end with a letter or digit"
# Servers before 1.32 refuse the wider set (any printable ASCII but `=`) that newer ones accept.
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def dns_label_problem(text: str) -> str | None:
    """DNS-1123 label: namespaces, containers, and Jobs (whose controller copies the name into a label of its pods)."""
    rule = "may hold only a-z, 0-9 and '-', and must start and end with a letter or digit"
    return _length_problem(text, LABEL_LENGTH) or (None if _DNS_LABEL.fullmatch(text) else rule)


def dns_subdomain_problem(text: str) -> str | None:
    """DNS-1123 subdomain: most other object names, and the prefix of a label key."""
    rule = "may hold only a-z, 0-9, '-' and '.', and each part must start and end with a letter or digit"
    return _length_problem(text, SUBDOMAIN_LENGTH) or (None if _DNS_SUBDOMAIN.fullmatch(text) else rule)


def label_key_problem(text: str) -> str | None:
    """A label key, `name` or `prefix/name`."""
    prefix, slash, name = text.rpartition("/")
    if slash:
        if "/" in prefix:
            return "has more than one '/'"
        if (problem := dns_subdomain_problem(prefix)) is not None:
            return f"has a prefix ({prefix!r}) that {problem}"
        if (length := _length_problem(name, LABEL_LENGTH)) is not None:
            return f"has a name part that {length}"
    return label_value_problem(name) if name else "is empty"


def label_value_problem(text: str) -> str | None:
    """A label value; the empty text is a valid one."""
    if not text:
        return None
    return _length_problem(text, LABEL_LENGTH) or (None if _LABEL_TEXT.fullmatch(text) else _LABEL_RULE)


def annotation_key_problem(text: str) -> str | None:
    """An annotation key: a label key whose prefix may hold capitals (the API server lowers it first)."""
    return label_key_problem(text.lower())


def env_name_problem(text: str) -> str | None:
    """The name of an environment variable, as every Kubernetes version accepts it."""
    if not text:
        return "is empty"
    if not _ENV_NAME.fullmatch(text):
        return "may hold only A-Z, a-z, 0-9, '_', '-' and '.', and must not start with a digit"
    if text == "." or text.startswith(".."):
        return "must not be '.' or start with '..'"
    return None


def _length_problem(text: str, longest: int) -> str | None:
    if not text:
        return "is empty"
    if len(text) > longest:
        return f"is {len(text)} characters long; at most {longest} are allowed"
    return None
