"""A manifest fit to be shown: what looks like a secret in its environment, commands and arguments is `***`.

A guess by names and shapes, for people who write a password into a manifest all the same; a Secret is its place.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from k8s_tuning.stages.api_values import mapping
from k8s_tuning.stages.validate.rules import pod_spec

MASK = "***"
# kubectl apply keeps the whole manifest there.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NAME = r"passw|pgpass|pwd|secret|token|credential|webhook|dsn|signature|"
_NAME += r"api[-_]?key|private[-_]?key|access[-_]?key|[-_]key\b"
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
# scheme://user:password@host, to the last @ before the path: a password may hold one.
_USER_INFO = re.compile(r"(?P<kept>[a-z][a-z0-9+.-]*://)[^\s/]*@", re.IGNORECASE)
# What is a secret by its own looks: an Authorization header's, a webhook's path, well-known tokens, a private key.
_BY_LOOKS = re.compile(
    r"(?P<kept>\b(?:Bearer|Basic)\s+|hooks\.slack\.com/(?:services|workflows|triggers)/)(?=[a-z./+~-]*[\dA-Z=])[\w./+=~-]{8,}"
    r"|\b(?:xox[a-z]-|xapp-|gh[a-z]_|github_pat_|glpat-|AKIA|ASIA|sk-)[\w-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
# "password": "…" in JSON.
_MEMBER = re.compile(rf"(?P<kept>\"[^\"]*(?:{_NAME})[^\"]*\"\s*:\s*)\"(?:[^\"\\]|\\.)*\"", re.IGNORECASE)
# ?token=… in an address, password=… in a connection string, --api-key=… on a command line.
_ASSIGNED = re.compile(rf"(?P<kept>[\w.-]*(?:{_NAME})[\w.-]*\s*=\s*)(?:'[^']*'|\"[^\"]*\"|[^\s&;,'\"]+)", re.IGNORECASE)
_FLAG = re.compile(rf"--?[\w-]*(?:{_NAME})[\w-]*", re.IGNORECASE)


def shown_value(name: str, value: str) -> str:
    """An environment variable's value: `***` where its name is a secret's, else without the secrets inside it."""
    return MASK if _SECRET_NAME.search(name) else shown_text(value)


def shown_text(text: str) -> str:
    """A text without the user and password of its addresses, what is assigned to a secret's name, and known tokens."""
    text = _BY_LOOKS.sub(lambda found: f"{found['kept'] or ''}{MASK}", _MEMBER.sub(rf'\g<kept>"{MASK}"', text))
    return _ASSIGNED.sub(rf"\g<kept>{MASK}", _USER_INFO.sub(rf"\g<kept>{MASK}@", text))


def shown_words(words: list[Any]) -> list[Any]:
    """A command line; the word behind `--password` goes, too. What is no text stays as it is."""
    shown, hidden = [], False
    for word in words:
        if not isinstance(word, str):
            shown.append(word)
        else:
            shown.append(MASK if hidden and not word.startswith("-") else shown_text(word))
        hidden = isinstance(word, str) and _FLAG.fullmatch(word) is not None
    return shown


def masked(job: dict[str, Any]) -> dict[str, Any]:
    """A copy of a Job's manifest fit to be shown."""
    shown = copy.deepcopy(job)
    annotations = mapping(mapping(shown, "metadata"), "annotations")
    annotations.pop(LAST_APPLIED, None)
    annotations.update({name: shown_text(value) for name, value in annotations.items() if isinstance(value, str)})
    pod = pod_spec(shown)
    for kind in ("initContainers", "containers"):
        for container in pod.get(kind) or []:
            for variable in container.get("env") or []:
                if isinstance(variable.get("value"), str):
                    variable["value"] = shown_value(str(variable.get("name") or ""), variable["value"])
            for words in ("command", "args"):
                if isinstance(container.get(words), list):
                    container[words] = shown_words(container[words])
    return shown
