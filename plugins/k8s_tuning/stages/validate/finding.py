"""What is wrong with a manifest, or with a part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing to correct. `error`: Kubernetes would refuse it, or nobody should run it; else a warning.

    `rule`: a word of docs/validate.md. `path`: the field, as `spec.template.spec.containers[0].image`; of a container's
    resources alone, as `requests.cpu`. `message`: what is wrong and the cure.
    """

    error: bool
    rule: str
    path: str
    message: str

    def in_file(self, filename: str) -> str:
        """The finding as a person reads it."""
        return f"{filename}: {self.path}: {self.message} [{self.rule}]"
