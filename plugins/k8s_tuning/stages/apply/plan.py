"""D31 apply: what would be done for each manifest, what was, and the decisions in between. No cluster here.

A Job that is already there is never changed and never deleted: its template is immutable, and its result may be wanted.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from k8s_tuning.choices import chosen, fill
from k8s_tuning.stages.api_values import mapping, mappings
from k8s_tuning.stages.job_identity import HASH_ANNOTATION, spec_hash
from k8s_tuning.stages.quantities import with_text_quantities

FIELD_MANAGER = "k8s-tuning"


class ApplyStatus(StrEnum):
    """SKIPPED: a dry run, or a Job that is already there with the same spec; the item's `stdout` says which."""

    SKIPPED = "SKIPPED"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class ApplyAction(StrEnum):
    """What is right for a manifest, given what the cluster has under its name."""

    CREATE = "create"
    UNCHANGED = "unchanged"
    LEAVE_OUT = "leave out"
    REFUSE = "refuse"


@dataclass
class K8sApplyPlanItem:
    """One manifest. `kubectl_command`: what a person would type to do the same, word by word.

    `digest`: of the file as it was planned.
    """

    job_name: str
    namespace: str
    yaml_path: str
    kubectl_command: list[str]
    digest: str = ""


@dataclass
class InvalidManifest:
    """A file of the directory that is no valid Job, and why. While there is one, nothing is applied."""

    yaml_path: str
    errors: list[str]


@dataclass
class K8sApplyPlan:
    """The manifests of one directory, in the order of their file names. `total_jobs` counts the valid ones."""

    jobs: list[K8sApplyPlanItem]
    total_jobs: int
    jobs_dir: str = ""
    invalid: list[InvalidManifest] = field(default_factory=list)


@dataclass
class K8sApplyJobResult:
    """What became of one manifest. `command`: as in the plan; `return_code`: 0 or 1, as kubectl's would be.

    In a dry run `status` is SKIPPED whatever comes; `return_code` 1 and `stderr` then say what a real one would meet.
    `warnings`: what the server remarked about it (Warning headers), whether it took the Job or not. `retryable`: the
    same apply may succeed later. `ran`: how a Job ended that was left out because it ran already.
    """

    job_name: str
    namespace: str
    yaml_path: str
    command: list[str]
    return_code: int
    stdout: str
    stderr: str
    status: ApplyStatus
    timestamp: str
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take plain strings; InputError where one is no status."""
        fill(self, stdout="", stderr="", warnings=[])
        self.status = chosen(ApplyStatus, self.status)

    retryable: bool = False
    ran: str | None = None


@dataclass
class K8sApplyResult:
    """What became of the whole plan. `unchanged_jobs`: of the skipped ones, those that were there already.

    `server`: which cluster answered, None where none did; `notes`: what holds for the whole run.
    """

    total_jobs: int
    successful_jobs: int
    failed_jobs: int
    skipped_jobs: int
    job_results: list[K8sApplyJobResult] = field(default_factory=list)
    dry_run: bool = True
    server: str | None = None
    unchanged_jobs: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decision:
    """What to do with one manifest, and why."""

    action: ApplyAction
    reason: str


def decide(live: dict[str, Any] | None, desired: dict[str, Any], ran: str | None = None) -> Decision:
    """What is right for `desired`, given the cluster's Job of that name (None: there is none).

    `ran`: how it ended, where its session is known to have had it; it is then not run a second time.
    """
    metadata = desired["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace") or "default"
    if live is None and ran is not None:
        return Decision(
            ApplyAction.LEAVE_OUT,
            f"it ran already: {ran}; another session id runs it again, and so does --again (the param apply_again)",
        )
    if live is None:
        return Decision(ApplyAction.CREATE, "")
    by_hand = f"`kubectl delete job {shlex.quote(name)} -n {shlex.quote(namespace)}`"
    found = mapping(live, "metadata")
    if found.get("deletionTimestamp"):
        return Decision(ApplyAction.REFUSE, f"job {name} is there and being deleted; apply again when it is gone")
    known = mapping(found, "annotations").get(HASH_ANNOTATION)
    if known == spec_hash(desired):
        again = (
            ""
            if _state(live) == "running"
            else f"; to run it again, use another session id, or {by_hand} first and apply with --again"
        )
        return Decision(ApplyAction.UNCHANGED, f"same spec, {_state(live)}{again}")
    why = "was not made by k8s-tuning" if known is None else "has another spec, and a Job's template can't be changed"
    return Decision(
        ApplyAction.REFUSE,
        f"job {name} in {namespace} is already there and {why}; use another session id (new names), or, if its result "
        f"is no longer wanted, delete it by hand: {by_hand}",
    )


def with_hash(job: dict[str, Any]) -> dict[str, Any]:
    """The manifest with its namespace filled in and the hash of its present spec as annotation."""
    metadata = {**job["metadata"], "namespace": job["metadata"].get("namespace") or "default"}
    marked = {**job, "metadata": metadata}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), HASH_ANNOTATION: spec_hash(marked)}
    return marked


def as_sent(job: dict[str, Any]) -> dict[str, Any]:
    """The manifest as servers of every age take it: quantities as texts."""
    spec = job.get("spec") or {}
    template = spec.get("template") or {}
    pod = with_text_quantities(template.get("spec"))
    return {**job, "spec": {**spec, "template": {**template, "spec": pod}}}


def kubectl_command(
    yaml_path: str, namespace: str, *, dry_run: bool, kubeconfig: str | None = None, context: str | None = None
) -> list[str]:
    """The command line, word by word, so that no shell can take a path for something else."""
    words = ["kubectl", "apply", "--server-side", f"--field-manager={FIELD_MANAGER}"]
    words += ["--dry-run=server"] if dry_run else []
    words += [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
    words += [f"--context={context}"] if context else []
    return [*words, "-n", namespace, "-f", yaml_path]


def count(results: list[K8sApplyJobResult], **whole: Any) -> K8sApplyResult:
    """The result of the whole, from those of its Jobs."""
    states = [result.status for result in results]
    return K8sApplyResult(
        total_jobs=len(results),
        successful_jobs=states.count(ApplyStatus.SUCCESS),
        failed_jobs=states.count(ApplyStatus.FAILED),
        skipped_jobs=states.count(ApplyStatus.SKIPPED),
        job_results=results,
        **whole,
    )


def apply_exit_code(result: K8sApplyResult) -> int:
    """0 where all succeeded or it was a dry run, 1 where one failed (contract, D31)."""
    return 1 if result.failed_jobs else 0


def generate_apply_report_text(result: K8sApplyResult) -> str:
    """The report: whether anything was changed and who was asked, the counts, then every Job."""
    mode = "DRY RUN, nothing was changed" if result.dry_run else "APPLY"
    asked = f"the server at {result.server} was asked" if result.server else "NO SERVER WAS ASKED"
    lines = [f"Apply report: {mode}; {asked}", *(f"  Note: {note}" for note in result.notes)]
    lines.append(
        f"  Total: {result.total_jobs}   Success: {result.successful_jobs}   Failed: {result.failed_jobs}   "
        f"Skipped: {result.skipped_jobs} (of these unchanged: {result.unchanged_jobs})"
    )
    refused = [item for item in result.job_results if item.return_code and item.status is ApplyStatus.SKIPPED]
    if refused and result.dry_run:
        lines.append(f"  {len(refused)} OF {result.total_jobs} WOULD FAIL in a real apply:")
    for item in result.job_results:
        sign = "✗" if item.return_code else {ApplyStatus.SUCCESS: "✓", ApplyStatus.SKIPPED: "-"}.get(item.status, "✗")
        lines += ["", f"{sign} {item.status} {item.namespace or '?'}/{item.job_name or '?'}", f"    {item.yaml_path}"]
        lines += [f"    {text}" for text in (item.stdout, item.stderr) if text]
        lines += [f"    Warning: {text}" for text in item.warnings]
        lines += [f"    {shlex.join(item.command)}"] if item.command else []
    return "\n".join(lines) + "\n"


def _state(job: dict[str, Any]) -> str:
    for condition in mappings(mapping(job, "status"), "conditions"):
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return "finished" if condition["type"] == "Complete" else "failed"
    return "running"
