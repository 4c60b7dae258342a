"""Values that no Job's manifest should hold: what JSON can't, nulls, and what a cluster fills in. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from k8s_tuning.stages.api_values import mapping
from k8s_tuning.stages.validate.schema import field_path

# Mappings of texts (or amounts), where a null is no absent field but an entry without a value.
_MAPS = ("labels", "annotations", "nodeSelector", "matchLabels", "requests", "limits")
_FILLED_IN = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "managedFields",
    "ownerReferences",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
# https://kubernetes.io/docs/reference/labels-annotations-taints/; the short ones are those of before 1.27.
_FILLED_IN_LABELS = tuple(
    f"{prefix}{name}" for prefix in ("", "batch.kubernetes.io/") for name in ("controller-uid", "job-name")
)


def odd_values(job: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field path, problem) of what YAML can say and the API's JSON can't."""
    for path, value in _leaves(job, []):
        if isinstance(value, float) and not math.isfinite(value):
            yield field_path(path), "is no number that JSON can hold; put it in quotes if it is a text"


def nulls(job: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field path, problem) of nulls that stand for no absent field: the API server makes empty values of them."""
    for path, value in _leaves(job, []):
        if value is not None:
            continue
        *above, last = path
        if isinstance(last, int):
            yield field_path(path), "is null; remove the item, or write '' for an empty text"
        elif (above and above[-1] in _MAPS) or (last == "value" and above[-2:-1] == ["env"]):
            yield field_path(path), "is null; write a value in quotes ('' for an empty text), or remove the line"


def _leaves(value: Any, path: list[Any]) -> Iterator[tuple[list[Any], Any]]:
    """(path, value) of everything in a manifest that is neither a mapping nor a list."""
    if isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, [*path, step])
    else:
        yield path, value


def filled_in(job: dict[str, Any]) -> list[str]:
    """The paths of what a cluster has filled in, as in a Job exported from one; null and empty fields are fine."""
    metadata, spec = mapping(job, "metadata"), mapping(job, "spec")
    found = [f"metadata.{field}" for field in _FILLED_IN if metadata.get(field)]
    chosen_by_hand = spec.get("manualSelector") is True
    if not chosen_by_hand:
        template = mapping(mapping(spec, "template"), "metadata")
        for place, owner in (("metadata", metadata), ("spec.template.metadata", template)):
            labels = mapping(owner, "labels")
            found += [f"{place}.labels.{label}" for label in _FILLED_IN_LABELS if label in labels]
        found += ["spec.selector"] if spec.get("selector") else []
    return [*found, *(["status"] if job.get("status") else [])]
