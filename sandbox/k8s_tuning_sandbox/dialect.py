"""What differs between the Kubernetes versions that the sandbox speaks: today's by default, and v1.20's.

Seen on real control planes of both versions. Whatever is not here is the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from k8s_tuning.errors import InputError
from k8s_tuning_sandbox import counting_plan, tracking_plan
from k8s_tuning_sandbox.plans import Plan, Situation
from k8s_tuning_sandbox.schema import Schema

_PREFIX = "batch.kubernetes.io/"


@dataclass(frozen=True)
class Dialect:
    """One version's answers."""

    minor: int
    schema: Schema
    plan: Callable[[Situation], Plan]  # the Job controller
    label_prefixes: tuple[str, ...]  # of a Job's pods: controller-uid and job-name; the selector has the first
    job_defaults: Mapping[str, Any]
    env_name: re.Pattern[str]
    env_name_rule: str

    @property
    def version(self) -> str:
        """What /version says."""
        return f"v1.{self.minor}.2-sandbox"

    @property
    def tracks_pods(self) -> bool:
        """Whether a finalizer keeps each pod until it is counted, and a pod that is deleted ends before it goes."""
        return self.since(26)

    def since(self, minor: int) -> bool:
        """Whether it is Kubernetes 1.`minor` or newer."""
        return self.minor >= minor

    def pod_labels(self, uid: str, name: str) -> dict[str, str]:
        """The labels that a Job's pods get."""
        keys = {"controller-uid": uid, "job-name": name}
        return {f"{prefix}{key}": value for prefix in self.label_prefixes for key, value in keys.items()}

    def selector(self, uid: str) -> dict[str, str]:
        """The labels by which a Job finds its pods."""
        return {f"{self.label_prefixes[0]}controller-uid": uid}


_OLD_ENV_NAME = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not"
    " start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is"
    " '[-._a-zA-Z][-._a-zA-Z0-9]*')"
)
_ENV_NAME = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
    " (e.g. 'my-env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1')"
)

# What came after v1.20 into the oldest schemas that kubernetes-validate has.
_AFTER_1_20: Mapping[str, frozenset[str]] = {
    "io.k8s.api.batch.v1.JobSpec": frozenset(("completionMode", "podFailurePolicy", "suspend")),
    "io.k8s.api.batch.v1.JobStatus": frozenset(("completedIndexes", "ready", "uncountedTerminatedPods")),
    "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry": frozenset(("subresource",)),
    "io.k8s.api.core.v1.PodSpec": frozenset(("hostUsers", "os")),
    "io.k8s.api.core.v1.PodAffinityTerm": frozenset(("namespaceSelector",)),
    "io.k8s.api.core.v1.Probe": frozenset(("grpc", "terminationGracePeriodSeconds")),
    "io.k8s.api.core.v1.TopologySpreadConstraint": frozenset(
        ("matchLabelKeys", "minDomains", "nodeAffinityPolicy", "nodeTaintsPolicy")
    ),
}

TODAY = Dialect(
    minor=36,
    schema=Schema("v1.36.0-local", {}),
    plan=tracking_plan.plan,
    label_prefixes=(_PREFIX, ""),
    job_defaults={"manualSelector": False, "completionMode": "NonIndexed", "suspend": False},
    env_name=re.compile(r"[ -<>-~]+"),
    env_name_rule=_ENV_NAME,
)
V1_20 = Dialect(
    minor=20,
    schema=Schema("v1.25.0-local", _AFTER_1_20),
    plan=counting_plan.plan,
    label_prefixes=("",),
    job_defaults={},
    env_name=re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*"),
    env_name_rule=_OLD_ENV_NAME,
)
DIALECTS = {f"1.{dialect.minor}": dialect for dialect in (TODAY, V1_20)}


def named(name: str) -> Dialect:
    """The dialect of that name; InputError names those that there are."""
    if name not in DIALECTS:
        raise InputError(f"unknown dialect {name!r}; known are {', '.join(sorted(DIALECTS))}")
    return DIALECTS[name]
