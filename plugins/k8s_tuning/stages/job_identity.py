"""Who a Job is: its name, the label and annotations that tie it to its session and run, and the hash of its spec."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson

from k8s_tuning import kubernetes_names as names

NAME_PREFIX = "arb-tuning-"
SESSION_LABEL = "session_id"
SESSION_ANNOTATION = "k8s-tuning.io/session-id"
RUN_ANNOTATION = "k8s-tuning.io/run-id"
HASH_ANNOTATION = "k8s-tuning.io/spec-hash"
PARAMETERS_ANNOTATION = "k8s-tuning.io/parameters"

_SHORT_LENGTH = 24
_DIGEST_LENGTH = 8


def job_name(session_id: str, worker_id: str, index: int) -> str:
    """`arb-tuning-{session_short}-{worker_id}-{index}`: always a DNS-1123 label of at most 63 characters."""
    session = short_name(session_id, _SHORT_LENGTH)
    rest = names.LABEL_LENGTH - len(f"{NAME_PREFIX}{session}--{index}")
    return f"{NAME_PREFIX}{session}-{short_name(worker_id, rest)}-{index}"


def short_name(text: str, length: int) -> str:
    """`text` where it is a DNS-1123 label that fits; else a readable start of it and a digest, apart for each text.

    A text that has the form of such a short name is shortened too: it must not get the name of another text.
    """
    has_that_form = re.search(rf"-[0-9a-f]{{{_DIGEST_LENGTH}}}$", text) is not None
    if len(text) <= length and not has_that_form and names.dns_label_problem(text) is None and "--" not in text:
        return text
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[: length - _DIGEST_LENGTH - 1].strip("-")
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{slug}-{digest}" if slug else digest


def spec_hash(manifest: dict[str, Any]) -> str:
    """What the Job is, in 16 hex digits: name, namespace, labels and spec; not its annotations (time, run id)."""
    metadata = manifest["metadata"]
    identity = {
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
        "labels": metadata.get("labels") or {},
        "spec": manifest.get("spec"),
    }
    # Keys that are no texts, and dates, come from manifests that people write; validation names them.
    option = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    return hashlib.sha256(orjson.dumps(identity, option=option, default=repr)).hexdigest()[:16]
