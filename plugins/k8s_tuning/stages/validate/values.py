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


def odd_values(value: Any, path: list[Any]) -> Iterator[tuple[str, str]]:
    """(field path, problem) of what YAML can say and the API's JSON can't."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from odd_values(item, [*path, key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from odd_values(item, [*path, index])
    elif isinstance(value, float) and not math.isfinite(value):
        yield field_path(path), "is no number that JSON can hold; put it in quotes if it is a text"


def nulls(value: Any, path: list[Any]) -> Iterator[tuple[str, str]]:
    """(field path, problem) of nulls that stand for no absent field: the API server makes empty values of them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        here = [*path, key]
        if item is not None:
            yield from nulls(item, here)
        elif isinstance(value, list):
            yield field_path(here), "is null; remove the item, or write '' for an empty text"
        elif (path and path[-1] in _MAPS) or _is_variables_value(here):
            yield field_path(here), "is null; write a value in quotes ('' for an empty text), or remove the line"


def _is_variables_value(path: list[Any]) -> bool:
    return path[-1] == "value" and len(path) > 2 and path[-3] == "env"


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
