"""D29 generate: from a session's configuration to one batch/v1 Job manifest a worker. Nothing is sent to a cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from k8s_tuning import kubernetes_names as names
from k8s_tuning import timestamps
from k8s_tuning.choices import made_of
from k8s_tuning.errors import ConfigError
from k8s_tuning.stages.generate.search import Combination, combinations, env_name, env_text
from k8s_tuning.stages.generate.session import K8sOrchestratorConfig, check, session_warnings
from k8s_tuning.stages.job_identity import (
    HASH_ANNOTATION,
    PARAMETERS_ANNOTATION,
    RUN_ANNOTATION,
    SESSION_ANNOTATION,
    job_name,
    spec_hash,
)
from k8s_tuning.stages.manifests import to_yaml, write_manifests
from k8s_tuning.stages.quantities import with_text_quantities

APP = "arbitrage-tuning"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

_SCRIPT = "scripts/run_d24_tuning_session.py"


@dataclass
class K8sJobSpec:
    """One Job, before it becomes a manifest. `env` keeps its order; times in seconds; None leaves a field out.

    `command`, `args` and the values of `env` are what the container gets: a `$(NAME)` in them is no reference.
    """

    name: str
    namespace: str
    image: str
    command: list[str]
    args: list[str]
    env: dict[str, str]
    labels: dict[str, str]
    annotations: dict[str, str]
    restart_policy: str = "Never"
    backoff_limit: int = 0
    resources: dict[str, Any] | None = None
    ttl_seconds_after_finished: int | None = None
    active_deadline_seconds: int | None = None
    service_account: str | None = None
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    priority_class: str | None = None
    security_context: str = "none"
    run_as_user: int | None = None
    queue: str | None = None


@dataclass
class K8sGenerateResult:
    """What one generation wrote. `files` and `removed`: file names in `output_dir`; `notes`: for the reader."""

    session_id: str
    namespace: str
    output_dir: str
    total_jobs: int
    job_names: list[str]
    files: list[str]
    removed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class K8sTuningJobFactory:
    """Makes the Jobs of one session; ConfigError where the configuration would make one that Kubernetes refuses.

    `run_id`: the DAG run that asks for the Jobs; `created_at`: RFC 3339, now where it is not given.
    """

    def __init__(
        self, config: K8sOrchestratorConfig, *, run_id: str | None = None, created_at: str | None = None
    ) -> None:
        self.config = check(config)
        self.run_id = run_id
        self.created_at = created_at or timestamps.now()

    def create_job_for_worker(
        self, worker_id: str, iterations: int, index: int, parameters: Combination | None = None
    ) -> K8sJobSpec:
        """The Job of one worker: `iterations` of the session's total; `index` counts the session's Jobs from 0."""
        config = self.config
        if not worker_id or (problem := names.label_value_problem(worker_id)) is not None:
            raise ConfigError(f"label worker_id: {worker_id!r} {problem if worker_id else 'is empty'}")
        if iterations < 1 or index < 0:
            raise ConfigError(f"{worker_id}: iterations ({iterations}) must be at least 1, index ({index}) at least 0")
        parameters = parameters or {}
        job = made_of(
            K8sJobSpec,
            deepcopy(config),
            name=job_name(config.session_id, worker_id, index),
            namespace=config.k8s_namespace,
            command=["python"],
            args=self._args(worker_id, iterations),
            env={
                **config.extra_env,
                **{env_name(name): env_text(value) for name, value in parameters.items()},
                "SESSION_ID": config.session_id,
                "WORKER_ID": worker_id,
                "MODE": config.mode,
            },
            labels={
                "app": APP,
                "session_id": config.session_id,
                "worker_id": worker_id,
                "component": "tuning",
                "mode": config.mode,
                "env": config.env,
            },
            annotations={
                "description": f"Arbitrage tuning job for {worker_id}",
                "created_at": self.created_at,
                SESSION_ANNOTATION: config.session_id,
            },
            resources=with_text_quantities(config.resources) or None,
        )
        if self.run_id is not None:
            job.annotations[RUN_ANNOTATION] = self.run_id
        if parameters:
            job.annotations[PARAMETERS_ANNOTATION] = orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS).decode()
        job.annotations = job_manifest(job)["metadata"]["annotations"]
        return job

    def to_yaml_dict(self, job: K8sJobSpec) -> dict[str, Any]:
        """The batch/v1 manifest of a Job."""
        return job_manifest(job)

    def _args(self, worker_id: str, iterations: int) -> list[str]:
        config = self.config
        flags = {
            "config": config.config_path,
            "iterations": str(iterations),
            "mode": config.mode,
            "env": config.env,
            "optimizer": config.optimizer,
            "session-id": config.session_id,
            "worker-id": worker_id,
            "output-csv": f"outputs/{config.session_id}_{worker_id}.csv",
        }
        return [_SCRIPT, *(text for flag, value in flags.items() for text in (f"--{flag}", value))]


def build_k8s_jobs_from_orchestrator(
    config: K8sOrchestratorConfig, *, run_id: str | None = None, created_at: str | None = None
) -> list[K8sJobSpec]:
    """The Jobs of a session, worker-1 first; a worker without an iteration gets none. ConfigError names the key."""
    factory = K8sTuningJobFactory(config, run_id=run_id, created_at=created_at)
    shares = [share for share in iteration_shares(config.total_iterations, config.workers) if share]
    chosen: Sequence[Combination | None] = [None] * len(shares)
    if config.search is not None:
        chosen = combinations(config.search, len(shares), config.session_id)
    return [
        factory.create_job_for_worker(f"worker-{index + 1}", share, index, parameters)
        for index, (share, parameters) in enumerate(zip(shares, chosen, strict=True))
    ]


def generate_jobs(
    config: K8sOrchestratorConfig,
    output_dir: str | Path,
    *,
    run_id: str | None = None,
    created_at: str | None = None,
) -> K8sGenerateResult:
    """Write a session's Jobs as `job-{index:02d}-{job name}.yaml`; an earlier session's files go, others stay.

    ConfigError before anything is written; StoreError where the directory can't be written.
    """
    jobs = build_k8s_jobs_from_orchestrator(config, run_id=run_id, created_at=created_at)
    texts = {f"job-{index:02d}-{job.name}.yaml": to_yaml(job_manifest(job)) for index, job in enumerate(jobs)}
    removed, foreign = write_manifests(texts, Path(output_dir))
    notes = [f"{name} was not generated by k8s-tuning and stays; an apply would include it" for name in foreign]
    notes += session_warnings(config)
    if (idle := config.workers - len(jobs)) > 0:
        notes.append(
            f"{config.workers} workers share {config.total_iterations} iteration(s): "
            f"{idle} of them would have none and get no Job"
        )
    return K8sGenerateResult(
        session_id=config.session_id,
        namespace=config.k8s_namespace,
        output_dir=str(output_dir),
        total_jobs=len(jobs),
        job_names=[job.name for job in jobs],
        files=list(texts),
        removed=removed,
        notes=notes,
    )


def job_manifest(job: K8sJobSpec) -> dict[str, Any]:
    """The batch/v1 manifest with its spec's hash; no part is there twice (YAML would make aliases of it)."""
    labels = {**job.labels, QUEUE_LABEL: job.queue} if job.queue else dict(job.labels)
    container: dict[str, Any] = {
        "name": job.name,
        "image": job.image,
        "command": [_literal(text) for text in job.command],
        "args": [_literal(text) for text in job.args],
        "env": [{"name": name, "value": _literal(value)} for name, value in job.env.items()],
    }
    if job.resources:
        container["resources"] = {part: dict(amounts) for part, amounts in job.resources.items()}
    pod: dict[str, Any] = {"containers": [container], "restartPolicy": job.restart_policy}
    pod |= _present(
        serviceAccountName=job.service_account,
        nodeSelector=dict(job.node_selector) or None,
        tolerations=[dict(toleration) for toleration in job.tolerations] or None,
        priorityClassName=job.priority_class,
    )
    if job.security_context == "restricted":
        # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
        container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        pod["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        if job.service_account is None:
            pod["automountServiceAccountToken"] = False
    if job.run_as_user is not None:
        pod.setdefault("securityContext", {})["runAsUser"] = job.run_as_user
    spec: dict[str, Any] = {"backoffLimit": job.backoff_limit}
    spec |= _present(
        activeDeadlineSeconds=job.active_deadline_seconds,
        ttlSecondsAfterFinished=job.ttl_seconds_after_finished,
    )
    # Kueue's label stays off the pods: with Kueue's pod integration on, it would queue each of them once more.
    spec["template"] = {"metadata": {"labels": dict(job.labels)}, "spec": pod}
    annotations = dict(job.annotations)
    metadata = {"name": job.name, "namespace": job.namespace, "labels": labels, "annotations": annotations}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    annotations[HASH_ANNOTATION] = spec_hash(manifest)
    return manifest


def iteration_shares(total: int, workers: int) -> list[int]:
    """`total` shared out over `workers`: the counts differ by at most one, the larger ones first."""
    share, rest = divmod(total, workers)
    return [share + (worker < rest) for worker in range(workers)]


def generate_summary_text(result: K8sGenerateResult) -> str:
    """The report of one generation."""
    lines = [
        f"Session {result.session_id}: {result.total_jobs} Job(s) for namespace {result.namespace}",
        f"Directory: {result.output_dir}",
        *(f"  {name}" for name in result.files),
    ]
    lines += [f"Removed from an earlier generation: {name}" for name in result.removed]
    lines += [f"Note: {note}" for note in result.notes]
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    """The text that the container gets as this one: Kubernetes reads `$(NAME)` as a reference and `$$` as one `$`.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    return re.sub(r"\$(?=[$(])", "$$", text)


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
