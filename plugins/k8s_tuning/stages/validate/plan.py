"""D30 validate: Job manifests checked without a cluster, and the plan of what an apply would send."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k8s_tuning import yamlfile
from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.api_values import as_mapping, mapping
from k8s_tuning.stages.manifests import manifest_files, read_manifest_text
from k8s_tuning.stages.validate.finding import Finding
from k8s_tuning.stages.validate.rules import check_job, pod_spec
from k8s_tuning.stages.validate.secrets import masked


@dataclass
class K8sJobValidation:
    """One manifest. `errors` and `warnings` say file, field path, what is wrong, how to correct it, and [the rule].

    `job_name` is empty where there is none; `job_data`: the manifest as parsed, None where it is no YAML mapping;
    `digest`: SHA-256 of the text.
    """

    valid: bool
    job_name: str
    namespace: str
    errors: list[str]
    warnings: list[str]
    job_data: dict[str, Any] | None = None
    filename: str = ""
    digest: str = ""


@dataclass
class K8sExecutionPlan:
    """A directory's manifests. `jobs`: those of the valid files, in the order of `files`, masked.

    `summary`: namespaces, sessions and images of the valid Jobs, and the counts.
    """

    total_jobs: int
    valid_jobs: int
    invalid_jobs: int
    jobs: list[dict[str, Any]]
    errors: list[str]
    warnings: list[str]
    summary: dict[str, Any]
    files: list[str] = field(default_factory=list)
    invalid_files: list[str] = field(default_factory=list)


class K8sJobValidator:
    """Checks one manifest at a time. `strict_mode`: every warning is an error."""

    def __init__(self, strict_mode: bool = False) -> None:
        self.strict_mode = strict_mode

    def validate_job_yaml(self, yaml_content: str, filename: str = "") -> K8sJobValidation:
        """One manifest's text. Never raises for what stands in it; a broken one comes back with its errors."""
        name = filename or "manifest"
        try:
            if len(yaml_content) > yamlfile.MAX_BYTES:
                raise ConfigError(f"{name}: larger than {yamlfile.MAX_BYTES:,} bytes, which no manifest needs")
            job = yamlfile.parse(yaml_content, name, yamlfile.Dialect.MANIFEST)
            if not isinstance(job, dict):
                raise ConfigError(f"{name}: expected a Job's `key: value` lines, found {yamlfile.kind(job)}")
        except yamlfile.ValuesError as error:
            return broken([f"{name}: {problem} [yaml]" for problem in error.problems], filename)
        except ConfigError as error:
            return broken([f"{error} [yaml]"], filename)
        findings = check_job(job)
        errors = [finding.in_file(name) for finding in findings if finding.error or self.strict_mode]
        warnings = [finding.in_file(name) for finding in findings if not finding.error and not self.strict_mode]
        metadata = mapping(job, "metadata")
        return K8sJobValidation(
            valid=not errors,
            job_name=_string(metadata.get("name")).strip(),
            namespace=_string(metadata.get("namespace")) or "default",
            errors=errors,
            warnings=warnings,
            job_data=job,
            filename=filename,
            digest=text_digest(yaml_content),
        )


class K8sExecutionPlanner:
    """Checks a directory: each file with `validator`, and all of them against each other."""

    def __init__(self, validator: K8sJobValidator) -> None:
        self.validator = validator

    def validate_directory(self, jobs_dir: str | Path) -> list[K8sJobValidation]:
        """Every YAML file of the directory, by name. InputError where the directory itself can't be read."""
        results = []
        for path in manifest_files(jobs_dir):
            try:
                text = read_manifest_text(path, jobs_dir)
            except ConfigError as error:
                results.append(broken([f"{error} [file]"], path.name))
            else:
                results.append(self.validator.validate_job_yaml(text, path.name))
        _mark_duplicates(results)
        return results

    def plan_from_directory(self, jobs_dir: str | Path) -> K8sExecutionPlan:
        """The plan of a directory; one broken file is reported beside the good ones."""
        results = self.validate_directory(jobs_dir)
        good = [result for result in results if result.valid]
        bad = [result for result in results if not result.valid]
        jobs = [masked(result.job_data or {}) for result in good]
        errors = [error for result in bad for error in result.errors]
        if not results:
            errors.append(f"{jobs_dir}: no .yaml file in it; run `k8s-tuning generate --output-dir {jobs_dir}` first")
        counts = {"total_jobs": len(results), "valid_jobs": len(good), "invalid_jobs": len(bad)}
        return K8sExecutionPlan(
            **counts,
            jobs=jobs,
            errors=errors,
            warnings=[warning for result in results for warning in result.warnings],
            summary={
                **counts,
                "namespaces": sorted({result.namespace for result in good}),
                "sessions": sorted({str(_labels(job)["session_id"]) for job in jobs if "session_id" in _labels(job)}),
                "images": sorted({str(image["image"]) for job in jobs for image in pod_spec(job)["containers"]}),
            },
            files=[result.filename for result in good],
            invalid_files=[result.filename for result in bad],
        )


def validation_exit_code(plan: K8sExecutionPlan) -> int:
    """0 where all are valid, else 1; 1 also where there is nothing to validate."""
    return 1 if plan.errors else 0


def broken(errors: list[str], filename: str) -> K8sJobValidation:
    """The validation of a file that gives no manifest at all."""
    return K8sJobValidation(False, "", "", errors, [], None, filename)


def text_digest(text: str) -> str:
    """SHA-256 of a manifest's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _mark_duplicates(results: list[K8sJobValidation]) -> None:
    """Which of two Jobs of one name is meant cannot be known: both files are errors."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        if result.job_name:
            places[result.namespace, result.job_name].append(result.filename)
    for result in results:
        others = [name for name in places[result.namespace, result.job_name] if name != result.filename]
        if result.job_name and others:
            message = f"{result.job_name!r} is also in {', '.join(others[:3])}; rename or remove one"
            result.valid = False
            result.errors.append(Finding(True, "duplicate", "metadata.name", message).in_file(result.filename))


def generate_execution_plan_text(plan: K8sExecutionPlan) -> str:
    """The plan as text: counts, each invalid file and why, the warnings, then each valid Job in full."""
    lines = [
        "Execution plan",
        f"  Total Jobs:   {plan.total_jobs}",
        f"  Valid Jobs:   {plan.valid_jobs}",
        f"  Invalid Jobs: {plan.invalid_jobs}",
        f"  Namespaces:   {', '.join(plan.summary['namespaces']) or '-'}",
    ]
    if plan.errors:
        lines += ["", f"Errors ({len(plan.errors)})", *(f"  ✗ {error}" for error in plan.errors)]
    if plan.warnings:
        lines += ["", f"Warnings ({len(plan.warnings)})", *(f"  ! {warning}" for warning in plan.warnings)]
    for file, job in zip(plan.files, plan.jobs, strict=True):
        lines += ["", *_job_lines(file, job)]
    return "\n".join(lines) + "\n"


def _job_lines(file: str, job: dict[str, Any]) -> list[str]:
    metadata = job["metadata"]
    lines = [
        f"✓ {metadata['name']}",
        f"  File:      {file}",
        f"  Namespace: {metadata.get('namespace') or 'default'}",
        f"  Labels:    {', '.join(f'{key}={value}' for key, value in _labels(job).items()) or '-'}",
    ]
    for container in pod_spec(job)["containers"]:
        resources = mapping(container, "resources")
        lines += [
            f"  Image:     {container['image']}",
            f"  Command:   {' '.join(container.get('command') or []) or '-'}",
            f"  Args:      {' '.join(container.get('args') or []) or '-'}",
            "  Environment:" if container.get("env") else "  Environment: -",
            *(f"    {variable['name']}={_value(variable)}" for variable in container.get("env") or []),
            f"  Requests:  {_amounts(resources.get('requests'))}",
            f"  Limits:    {_amounts(resources.get('limits'))}",
        ]
    return lines


def _value(variable: dict[str, Any]) -> str:
    source = mapping(variable, "valueFrom")
    for kind, reference in source.items():
        named = as_mapping(reference)
        return f"({kind} {named.get('name', '')}/{named.get('key', '')})"
    return str(variable.get("value") or "")


def _amounts(amounts: Any) -> str:
    return ", ".join(f"{name}={amount}" for name, amount in as_mapping(amounts).items()) or "-"


def _labels(job: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(job, "metadata"), "labels")


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
