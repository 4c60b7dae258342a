"""What a Job's podFailurePolicy and successPolicy say of its pods. Pure.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy and #success-policy
"""

from __future__ import annotations

from collections.abc import Collection

from k8s_tuning_sandbox import indexes
from k8s_tuning_sandbox.resources import Object


def on_failure(job: Object, pod: Object) -> tuple[str, str]:
    """What the first rule that matches a failed pod does (`Count` where none does), and the message of a FailJob."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    meta = pod["metadata"]
    for number, rule in enumerate(rules):
        action = rule["action"]
        end = f"matching {action} rule at index {number}"
        if (wanted := rule.get("onExitCodes")) is not None:
            if (container := _exited(pod, wanted)) is not None:
                code = container["state"]["terminated"]["exitCode"]
                where = f"Container {container['name']} for pod {meta['namespace']}/{meta['name']}"
                return action, f"{where} failed with exit code {code} {end}"
        elif (kind := _condition(pod, rule.get("onPodConditions") or ())) is not None:
            return action, f"Pod {meta['namespace']}/{meta['name']} has condition {kind} {end}"
    return "Count", ""


def _exited(pod: Object, wanted: Object) -> Object | None:
    for kind in ("containerStatuses", "initContainerStatuses"):
        for container in pod["status"].get(kind) or ():
            ended = container["state"].get("terminated")
            named = wanted.get("containerName") in (None, container["name"])
            if ended is not None and ended["exitCode"] and named:
                found: Object = container
                if (ended["exitCode"] in wanted["values"]) == (wanted["operator"] == "In"):
                    return found
    return None


def _condition(pod: Object, patterns: Collection[Object]) -> str | None:
    for found in pod["status"].get("conditions") or ():
        if any((found["type"], found["status"]) == (one["type"], one.get("status", "True")) for one in patterns):
            return str(found["type"])
    return None


def success(job: Object, succeeded: set[int]) -> str | None:
    """The message of the first success rule that is met, None for none."""
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        wanted, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        if wanted is None:
            met = count is not None and len(succeeded) >= count
        else:
            needed = indexes.parse(wanted)
            have = len(succeeded & needed)
            met = have == len(needed) or (count is not None and have >= count)
        if met and succeeded:
            return f"Matched rules at index {number}"
    return None
