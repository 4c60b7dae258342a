"""What differs between the Kubernetes versions that the sandbox speaks: today's by default, and v1.20's.

Seen on real control planes of both versions. Whatever is not here is the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from k8s_tuning.errors import InputError
from k8s_tuning_sandbox import counting_plan, tracking_plan
from k8s_tuning_sandbox.plans import Plan, Situation
from k8s_tuning_sandbox.schema import Schema

_PREFIX = "batch.kubernetes.io/"


@dataclass(frozen=True)
class Dialect:
    """One version's answers."""

    name: str
    minor: str
    schema: Schema
    # The Job controller.
    plan: Callable[[Situation], Plan]
    tracks_pods: bool  # a finalizer keeps each pod until it is counted, and a pod that is deleted ends before it goes
    failures_delay_counting: bool  # a retry waits because the controller reads the failed pod later
    # What is written into objects.
    label_prefixes: tuple[str, ...]  # of a Job's pods: controller-uid and job-name; the selector has the first
    job_defaults: Mapping[str, Any]
    counts_generations: bool
    events_name_reporter: bool
    names_disruptions: bool  # the pod condition DisruptionTarget
    # What is accepted and how it is refused.
    env_name: re.Pattern[str]
    env_name_rule: str
    checks_fields: bool  # fieldValidation; Warning headers for what is dropped or left behind
    quantities_are_texts: bool  # server-side apply refuses a quantity that is a number
    names_typed_object: bool  # an apply that its type does not allow says of which object
    unparsable_version: tuple[int, str]  # code and reason for ?resourceVersion=abc
    # Tables.
    shows_job_status: bool
    restarts_type: str
    version: str = field(default="")

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
    name="1.36",
    minor="36",
    version="v1.36.2-sandbox",
    schema=Schema("v1.36.0-local", {}),
    plan=tracking_plan.plan,
    tracks_pods=True,
    failures_delay_counting=False,
    label_prefixes=(_PREFIX, ""),
    job_defaults={"manualSelector": False, "completionMode": "NonIndexed", "suspend": False},
    counts_generations=True,
    events_name_reporter=True,
    names_disruptions=True,
    env_name=re.compile(r"[ -<>-~]+"),
    env_name_rule=_ENV_NAME,
    checks_fields=True,
    quantities_are_texts=False,
    names_typed_object=True,
    unparsable_version=(400, "BadRequest"),
    shows_job_status=True,
    restarts_type="string",
)
V1_20 = Dialect(
    name="1.20",
    minor="20",
    version="v1.20.2-sandbox",
    schema=Schema("v1.25.0-local", _AFTER_1_20),
    plan=counting_plan.plan,
    tracks_pods=False,
    failures_delay_counting=True,
    label_prefixes=("",),
    job_defaults={},
    counts_generations=False,
    events_name_reporter=False,
    names_disruptions=False,
    env_name=re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*"),
    env_name_rule=_OLD_ENV_NAME,
    checks_fields=False,
    quantities_are_texts=True,
    names_typed_object=False,
    unparsable_version=(500, ""),
    shows_job_status=False,
    restarts_type="integer",
)
DIALECTS = {dialect.name: dialect for dialect in (TODAY, V1_20)}


def named(name: str) -> Dialect:
    """The dialect of that name; InputError names those that there are."""
    if name not in DIALECTS:
        raise InputError(f"unknown dialect {name!r}; known are {', '.join(sorted(DIALECTS))}")
    return DIALECTS[name]
