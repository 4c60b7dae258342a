"""D31 on a cluster: plan a directory's manifests, then ask (dry run) or apply, several at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k8s_tuning import timestamps, yamlfile
from k8s_tuning.cluster.connection import ClusterAccess, Connection, run
from k8s_tuning.cluster.writer import ClusterWriter
from k8s_tuning.errors import ClusterError, ConfigError, InputError, TuningError, Unauthorized, Unreachable
from k8s_tuning.stages.apply.plan import (
    ApplyAction,
    ApplyStatus,
    InvalidManifest,
    K8sApplyJobResult,
    K8sApplyPlan,
    K8sApplyPlanItem,
    K8sApplyResult,
    count,
    decide,
    kubectl_command,
    with_hash,
)
from k8s_tuning.stages.apply.policy import ApplyPolicy
from k8s_tuning.stages.manifests import read_manifest_text
from k8s_tuning.stages.validate.plan import K8sExecutionPlanner, K8sJobValidator, text_digest

CONCURRENCY = 16
# From this many Jobs in a namespace, listing its names is cheaper than looking up each.
WORTH_A_LIST = 10
_UNASKED = "dry run: valid offline, but no server was asked"


class K8sApplyExecutor:
    """Applies the Jobs of a directory; by default a dry run, which never changes anything.

    `kubeconfig` and `context` as kubectl's; `access` instead of both for a connection that is already described.
    `policy`: where it may go.
    """

    def __init__(
        self,
        dry_run: bool = True,
        kubeconfig: str | None = None,
        context: str | None = None,
        *,
        access: ClusterAccess | None = None,
        policy: ApplyPolicy | None = None,
        now: Callable[[], str] = timestamps.now,
    ) -> None:
        self.dry_run = dry_run
        self.kubeconfig = kubeconfig
        self.context = context
        self.access = access or ClusterAccess(kubeconfig=kubeconfig, context=context)
        self.policy = policy or ApplyPolicy()
        self._now = now
        # By digest of the file's text: what was planned here need not be parsed again.
        self._manifests: dict[str, dict[str, Any]] = {}

    def build_plan(self, jobs_dir: str | Path) -> K8sApplyPlan:
        """The plan for a directory: each valid Job, and each file that is none. Nothing is sent.

        InputError where the directory can't be read.
        """
        results = K8sExecutionPlanner(K8sJobValidator()).validate_directory(jobs_dir)
        jobs: list[K8sApplyPlanItem] = []
        invalid: list[InvalidManifest] = []
        for result in results:
            path = Path(jobs_dir) / result.filename
            if not result.valid:
                invalid.append(InvalidManifest(str(path), result.errors))
                continue
            self._manifests[result.digest] = result.job_data or {}
            command = kubectl_command(
                str(path), result.namespace, dry_run=self.dry_run, kubeconfig=self.kubeconfig, context=self.context
            )
            jobs.append(K8sApplyPlanItem(result.job_name, result.namespace, str(path), command, result.digest))
        return K8sApplyPlan(jobs, len(jobs), str(jobs_dir), invalid)

    def planned(self, plan: K8sApplyPlan) -> list[dict[str, Any]]:
        """The manifests of the plan's Jobs; `plan` must be of this executor's making."""
        return [self._manifests[item.digest] for item in plan.jobs]

    def execute_plan(self, plan: K8sApplyPlan, ran: Mapping[tuple[str, str], str] | None = None) -> K8sApplyResult:
        """Ask about, or apply, every Job of the plan; each Job's failure is in its result.

        `ran`: how those Jobs ended, by namespace and name, that ran already (SessionStore.ran): one of them that is not
        in the cluster any more is left out.

        RefusedError, before anything is sent, where a namespace or the context is outside the policy; ConfigError where
        the cluster that was named can't be used; Unreachable or Unauthorized where a real apply got nowhere at all. A
        dry run without a cluster to ask says so in the result.
        """
        return run(self.execute(plan, ran))

    def applied(self, plan: K8sApplyPlan, result: K8sApplyResult) -> list[dict[str, Any]]:
        """The manifests of the plan's Jobs that are in the cluster now, whether made by this apply or there before.

        None after a dry run; `plan` must be of this executor's making.
        """
        if result.dry_run:
            return []
        done = zip(plan.jobs, result.job_results, strict=False)  # after the plan's Jobs come the invalid files
        return [self._manifests[item.digest] for item, job in done if job.return_code == 0 and job.ran is None]

    async def execute(self, plan: K8sApplyPlan, ran: Mapping[tuple[str, str], str] | None = None) -> K8sApplyResult:
        """`execute_plan` for callers with a running event loop."""
        self.policy.check("namespace", (item.namespace for item in plan.jobs))
        if plan.invalid and not self.dry_run:
            reason = f"not sent: {len(plan.invalid)} other file(s) of {plan.jobs_dir} are invalid; fix or remove them"
            return self._skipped(plan, "nothing was applied: the directory holds invalid manifests", stderr=reason)
        if not plan.jobs:
            return self._skipped(plan, f"{plan.jobs_dir or 'the plan'}: no Job to apply")
        access = self.access
        try:
            self.policy.check("context", [access.target().name])
            connection = Connection(access, writable=True)
        except ConfigError as error:
            if not self.dry_run or access.kubeconfig or access.context or access.content or access.in_cluster:
                raise
            return self._skipped(plan, f"no server was asked: {error}", _UNASKED)
        async with connection:
            run_ = _Run(ClusterWriter(connection), plan, self.dry_run, self._manifests, ran or {})
            results = await asyncio.gather(*(run_.one(item) for item in plan.jobs))
            server = f"{connection.server} (context {connection.context})"
        if run_.silence is not None and not run_.answered:
            if not self.dry_run:
                raise run_.silence
            return self._skipped(plan, f"no server answered: {run_.silence}", _UNASKED)
        return self._result(plan, results, server=server, unchanged_jobs=run_.unchanged)

    def _skipped(self, plan: K8sApplyPlan, note: str, stdout: str = "", stderr: str = "") -> K8sApplyResult:
        results = [_job_result(item, ApplyStatus.SKIPPED, stdout, stderr) for item in plan.jobs]
        return self._result(plan, results, notes=[note])

    def _result(self, plan: K8sApplyPlan, results: list[K8sApplyJobResult], **whole: Any) -> K8sApplyResult:
        status = ApplyStatus.SKIPPED if self.dry_run else ApplyStatus.FAILED
        for bad in plan.invalid:
            item = K8sApplyPlanItem("", "", bad.yaml_path, [])
            results.append(_job_result(item, status, stderr="; ".join(bad.errors)))
        timestamp = self._now()
        for result in results:
            result.timestamp = timestamp
        return count(results, dry_run=self.dry_run, **whole)


def _job_result(
    item: K8sApplyPlanItem, status: ApplyStatus, stdout: str = "", stderr: str = "", **more: Any
) -> K8sApplyJobResult:
    """What became of one manifest; the timestamp is the whole result's."""
    code, command = 1 if stderr else 0, item.kubectl_command
    return K8sApplyJobResult(
        item.job_name, item.namespace, item.yaml_path, command, code, stdout, stderr, status, timestamp="", **more
    )


@dataclass(eq=False)
class _Run:
    """One execution: its limit of concurrency, and whether the server did not answer and need not be asked again."""

    writer: ClusterWriter
    plan: K8sApplyPlan
    dry_run: bool
    manifests: dict[str, dict[str, Any]]
    ran: Mapping[tuple[str, str], str]
    names: dict[str, set[str]] = field(default_factory=dict)
    answered: bool = False
    unchanged: int = 0
    silence: ClusterError | None = None

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(CONCURRENCY)
        jobs = Counter(item.namespace for item in self.plan.jobs)
        self.listed = {namespace: asyncio.Lock() for namespace, number in jobs.items() if number > WORTH_A_LIST}

    async def one(self, item: K8sApplyPlanItem) -> K8sApplyJobResult:
        async with self.slots:
            if self.silence is not None:
                # Asking 300 more times would only make the user wait; an apply can be run again.
                return self._failed(item, f"not sent: {self.silence}", retryable=self.silence.retryable)
            try:
                return await self._apply(item)
            except (Unreachable, Unauthorized) as error:
                self.silence = error
                return self._failed(item, str(error), retryable=error.retryable)
            except ClusterError as error:
                self.answered = True
                return self._failed(item, str(error), warnings=error.warnings, retryable=error.retryable)
            except TuningError as error:
                return self._failed(item, str(error))

    async def _apply(self, item: K8sApplyPlanItem) -> K8sApplyJobResult:
        job = with_hash(self._manifest(item))
        live = await self._live(item)
        self.answered = True
        decision = decide(live, job, self.ran.get((item.namespace, item.job_name)))
        match decision.action:
            case ApplyAction.REFUSE:
                return self._failed(item, decision.reason)
            case ApplyAction.LEAVE_OUT:
                said = f"job.batch/{item.job_name} left out ({decision.reason})"
                return _job_result(item, ApplyStatus.SKIPPED, said, ran=self.ran[item.namespace, item.job_name])
            case ApplyAction.UNCHANGED:
                said = f"job.batch/{item.job_name} unchanged ({decision.reason})"
                self.unchanged += 1
                return _job_result(item, ApplyStatus.SKIPPED, said)
        warnings = await self.writer.apply(job, dry_run=self.dry_run)
        said = f"job.batch/{item.job_name} serverside-applied"
        if self.dry_run:
            return _job_result(item, ApplyStatus.SKIPPED, f"{said} (server dry run)", warnings=warnings)
        return _job_result(item, ApplyStatus.SUCCESS, said, warnings=warnings)

    async def _live(self, item: K8sApplyPlanItem) -> dict[str, Any] | None:
        """The cluster's Job of that name. Where many are to be applied, one list tells which are there at all."""
        lock = self.listed.get(item.namespace)
        if lock is not None:
            async with lock:
                if item.namespace not in self.names:
                    self.names[item.namespace] = await self.writer.names(item.namespace)
            if item.job_name not in self.names[item.namespace]:
                return None
        return await self.writer.job(item.namespace, item.job_name)

    def _manifest(self, item: K8sApplyPlanItem) -> dict[str, Any]:
        """The file again, as it was planned: from the plan's directory, unchanged, and of the planned name."""
        path = Path(item.yaml_path)
        text = read_manifest_text(path, self.plan.jobs_dir or path.parent)
        if item.digest:
            if text_digest(text) != item.digest:
                raise InputError(f"{path}: changed since the plan was made; plan and validate again")
            if (known := self.manifests.get(item.digest)) is not None:
                return known
            parsed: dict[str, Any] = yamlfile.parse(text, item.yaml_path, yamlfile.Dialect.MANIFEST)
            return parsed
        checked = K8sJobValidator().validate_job_yaml(text, item.yaml_path)
        if not checked.valid or checked.job_data is None:
            raise InputError("; ".join(checked.errors))
        if (checked.job_name, checked.namespace) != (item.job_name, item.namespace):
            raise InputError(f"{path}: holds {checked.namespace}/{checked.job_name}, not the planned Job; plan again")
        return checked.job_data

    def _failed(self, item: K8sApplyPlanItem, reason: str, **more: Any) -> K8sApplyJobResult:
        return _job_result(item, ApplyStatus.SKIPPED if self.dry_run else ApplyStatus.FAILED, stderr=reason, **more)
