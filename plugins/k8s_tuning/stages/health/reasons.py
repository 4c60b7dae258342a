"""Every reason that a Job may have for its health: one table, a row a reason.

A failure that one of Kubernetes' own words names is one new row, and a line in include/configs/health.yaml and in
docs/health.md, which a test compares with this table. Where a reason needs more than a word, container_signs,
pod_signs, event_signs and job_signs read the facts. The levels of the phases are the D33 table's; the others are this
project's.

Sources of the words: kubernetes pkg/kubelet/images/types.go and container/sync_result.go (containers), pkg/kubelet
lifecycle, eviction, nodeshutdown and preemption (pods), pkg/kubelet/events/event.go (events), pkg/apis/batch/types.go
(conditions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from k8s_tuning.stages.health.level import HealthLevel


class Rank(IntEnum):
    """How well a sign explains a Job, the best first."""

    CAUSE = 0
    DEADLINE = 1
    KILLED_AT_DEADLINE = 2
    STATE = 3
    CONSEQUENCE = 4
    PHASE = 5


@dataclass(frozen=True)
class Words:
    """The words (with spaces between them) by which a reason is recognised, and the probable cause as a sentence, with
    the facts in braces. `hopeless`: those that only another manifest cures, so that no grace helps.
    """

    sentence: str
    words: str
    hopeless: str = ""


@dataclass(frozen=True)
class Reason:
    """One row. `level`: that of a reason older than `grace_seconds`; a younger one has the level `within_grace`.

    `counted_from`: where the grace begins. `tie`: of what happened in the same second, the lower is the cause. Words
    are those of: `waiting` and `ended` a container that waits or has ended; `pod` a pod that failed; `event` a pending
    pod's warning; `condition` a failed Job's condition. `sentence`: as in Words, where facts and no word find it.
    """

    level: HealthLevel
    grace_seconds: float = 0
    within_grace: HealthLevel = HealthLevel.WARN
    counted_from: str = ""
    rank: Rank = Rank.CAUSE
    tie: int = 9
    waiting: Words | None = None
    ended: Words | None = None
    pod: Words | None = None
    event: Words | None = None
    condition: Words | None = None
    sentence: str = ""


_OK, _WARN, _ERROR = HealthLevel.OK, HealthLevel.WARN, HealthLevel.ERROR
_POD_CREATION = "pod's creation"
_JOB_FAILED = "the Job failed: {why}"
_NOT_STARTED = "pod {pod} has not started: {why}"
_CANNOT_START = (
    "CreateContainerConfigError CreateContainerError RunContainerError StartError ContainerCannotRun"
    " PreCreateHookError PreStartHookError PostStartHookError"
)
# Every node rejects such a pod: the manifest asks for what it must not.
_AS_WRITTEN = (
    "AppArmor SysctlForbidden PodOSNotSupported HostNetworkNotSupported SupplementalGroupsPolicyNotSupported"
    " PodFeatureUnsupported PodLevelResourcesNotSupported"
)

REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        # What the Job's phase says.
        "pending": Reason(_WARN, rank=Rank.PHASE),
        "job_failed": Reason(
            _ERROR, rank=Rank.PHASE, sentence="the Job failed, and neither its condition nor its pods say why"
        ),
        "unknown_phase": Reason(_ERROR, rank=Rank.PHASE, sentence="the Job's status cannot be read"),
        "unexpected_phase": Reason(_WARN, rank=Rank.PHASE, sentence="{phase!r} is no phase that a Job has"),
        "missing": Reason(_ERROR, sentence="the Job was applied, and the cluster no longer has it"),
        "gone": Reason(_WARN, sentence="its TTL of {ttl} s was over before anybody looked: how it ended is not known"),
        # What its events say.
        # A quota that others use up, a service account or a webhook that comes a moment after the Job.
        "pods_refused": Reason(_ERROR, 60, counted_from="first refusal", sentence="no pod can be created: {why}"),
        # A cloud's volume is first taken off the node that had it.
        "volume_not_mounted": Reason(
            _ERROR,
            120,
            counted_from=_POD_CREATION,
            event=Words(_NOT_STARTED, "FailedMount FailedAttachVolume FailedMapVolume FailedMountOnFilesystemMismatch"),
        ),
        # A new node's network takes a while.
        "sandbox_not_created": Reason(
            _ERROR, 120, counted_from=_POD_CREATION, event=Words(_NOT_STARTED, "FailedCreatePodSandBox NetworkNotReady")
        ),
        # What its pods say.
        "oom_killed": Reason(_ERROR, tie=0, ended=Words("{who} was OOM-killed{exits}", "OOMKilled")),
        # A registry that is slow or limits its callers recovers by itself within a few tries.
        "image_pull": Reason(
            _ERROR,
            60,
            counted_from=_POD_CREATION,
            tie=1,
            waiting=Words(
                "{who} cannot pull its image: {why}",
                "ImagePullBackOff ErrImagePull ErrImageNeverPull InvalidImageName ImageInspectError"
                " RegistryUnavailable SignatureValidationFailed",
                hopeless="InvalidImageName ErrImageNeverPull",
            ),
        ),
        # The ConfigMap or Secret may be applied a moment after the Job.
        "config_error": Reason(
            _ERROR,
            30,
            counted_from=_POD_CREATION,
            tie=2,
            waiting=Words("{who} cannot start: {why}", _CANNOT_START),
            ended=Words("{who} could not start: {why}", _CANNOT_START),
            pod=Words("{node} rejected pod {pod}: {why}", _AS_WRITTEN, hopeless=_AS_WRITTEN),
        ),
        "crash_loop": Reason(
            _ERROR, tie=4, waiting=Words("{who} keeps crashing: {restarts}{exits}", "CrashLoopBackOff")
        ),
        # Pressure, a critical pod, the node's shutdown (its older and newer word).
        "evicted": Reason(
            _ERROR, tie=3, pod=Words("pod {pod} {is_or_was} evicted: {why}", "Evicted Preempting Shutdown Terminated")
        ),
        # A cluster autoscaler takes minutes to add a node.
        "unschedulable": Reason(
            _ERROR, 300, counted_from=_POD_CREATION, tie=6, sentence="no node takes pod {pod}: {why}"
        ),
        # Mounting volumes and starting init containers is normal at first.
        "not_starting": Reason(_WARN, 300, _OK, _POD_CREATION, Rank.STATE, sentence=_NOT_STARTED),
        # A node that starts anew, or whose network was away, answers again by itself.
        "node_lost": Reason(_WARN, 60, _OK, "when it should have been gone; when Ready changed", Rank.STATE),
        # A proxy that was injected is given a moment to end too, and the Job to try again.
        "container_failed": Reason(_ERROR, 60, counted_from="its end", tie=5),
        "not_ending": Reason(_WARN, 300, _OK, "the end", Rank.STATE),
        "not_deleted": Reason(
            _WARN, 3600, _OK, "that time", Rank.STATE, sentence="the Job has been deleting since {since}{held}"
        ),
        # Why a failed Job failed.
        "deadline_exceeded": Reason(_ERROR, rank=Rank.DEADLINE, condition=Words(_JOB_FAILED, "DeadlineExceeded")),
        "backoff_limit_exceeded": Reason(
            _ERROR, rank=Rank.CONSEQUENCE, condition=Words(_JOB_FAILED, "BackoffLimitExceeded")
        ),
        "index_failed": Reason(
            _ERROR, rank=Rank.CONSEQUENCE, condition=Words(_JOB_FAILED, "FailedIndexes MaxFailedIndexesExceeded")
        ),
    }
)

# What follows from another reason: beside one that explains it, it is no reason of its own.
CONSEQUENCES = frozenset(name for name, row in REASONS.items() if row.rank >= Rank.CONSEQUENCE)


@dataclass(frozen=True)
class Recognised:
    """What one of Kubernetes' words means."""

    reason: str
    sentence: str
    hopeless: bool


def _by_word(column: str) -> dict[str | None, Recognised]:
    found: dict[str | None, Recognised] = {}
    for name, row in REASONS.items():
        words: Words | None = getattr(row, column)
        if words is not None:
            hopeless = words.hopeless.split()
            found |= {word: Recognised(name, words.sentence, word in hopeless) for word in words.words.split()}
    return found


WAITING, ENDED, POD, EVENT, CONDITION = map(_by_word, ("waiting", "ended", "pod", "event", "condition"))


def sentence(reason: str, **facts: object) -> str:
    """The probable cause where facts and no word have found it."""
    return REASONS[reason].sentence.format(**facts)
