"""Where an apply may go: the allow-list of namespaces and contexts that keeps a slip away from production."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError, RefusedError

_Pattern = Annotated[str, Strict(), Field(min_length=1)]


@dataclass(frozen=True)
class ApplyPolicy:
    """Shell-style patterns (`trading-*`). None allows all; an empty list allows nothing."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    allowed_namespaces: list[_Pattern] | None = field(default=None)
    allowed_contexts: list[_Pattern] | None = field(default=None)

    def check(self, what: Literal["namespace", "context"], given: Iterable[str]) -> None:
        """RefusedError where a namespace, or the kubeconfig's context, is not on the list."""
        allowed = self.allowed_namespaces if what == "namespace" else self.allowed_contexts
        if allowed is None:
            return
        outside = sorted({name for name in given if not any(fnmatchcase(name, pattern) for pattern in allowed)})
        if outside:
            raise RefusedError(
                f"{what} {', '.join(outside)} is not on the allow-list ({', '.join(allowed) or 'which is empty'}); "
                f"nothing was sent. Correct the Jobs' {what}, or add it to allowed_{what}s"
            )


def load_policy(path: str | Path) -> ApplyPolicy:
    """The policy's YAML file; ConfigError names the file and the key."""
    data = yamlfile.read_mapping(Path(path))
    try:
        return TypeAdapter(ApplyPolicy).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        known = ", ".join(item.name for item in fields(ApplyPolicy))
        said = f"unknown key; known keys: {known}" if first["type"] == "unexpected_keyword_argument" else first["msg"]
        said += "; put it in quotes" if first["type"] == "string_type" else ""
        raise ConfigError(f"{path}: {key}: {said}") from error
