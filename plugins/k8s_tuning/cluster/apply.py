"""D31 on a cluster: plan a directory's manifests, then ask (dry run) or apply, several at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k8s_tuning import timestamps, yamlfile
from k8s_tuning.cluster.connection import ClusterAccess, Connection, connect, run
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


@dataclass(frozen=True)
class _Outcome:
    """What became of one manifest, before it is put into the contract's words."""

    status: ApplyStatus
    stdout: str = ""
    stderr: str = ""
    unchanged: bool = False
    warnings: tuple[str, ...] = ()
    retryable: bool = False
    ran: str | None = None


class K8sApplyExecutor:
    """Applies the Jobs of a directory; by default a dry run, which never changes anything.

    `kubeconfig` and `context` as kubectl's; `access` instead of both for a connection that is already described.
    `policy`: where it may go. `concurrency`: requests at a time.
    """

    def __init__(
        self,
        dry_run: bool = True,
        kubeconfig: str | None = None,
        context: str | None = None,
        *,
        access: ClusterAccess | None = None,
        policy: ApplyPolicy | None = None,
        concurrency: int = CONCURRENCY,
        now: Callable[[], str] = timestamps.now,
    ) -> None:
        self.dry_run = dry_run
        self.kubeconfig = kubeconfig
        self.context = context
        self.access = access or ClusterAccess(kubeconfig=kubeconfig, context=context)
        self.policy = policy or ApplyPolicy()
        self._concurrency = concurrency
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
        self.policy.check_namespaces(item.namespace for item in plan.jobs)
        if plan.invalid and not self.dry_run:
            return self._refuse_all(plan)
        if not plan.jobs:
            return self._result(plan, [], None, [f"{plan.jobs_dir or 'the plan'}: no Job to apply"])
        try:
            connection = self._connect()
        except ConfigError as error:
            if not self.dry_run or self._names_a_cluster():
                raise
            return self._result(plan, [_unasked()] * len(plan.jobs), None, [f"no server was asked: {error}"])
        async with connection:
            run_ = _Run(ClusterWriter(connection), plan, self.dry_run, self._concurrency, self._manifests, ran or {})
            outcomes = await asyncio.gather(*(run_.one(item) for item in plan.jobs))
            server = f"{connection.server} (context {connection.context})"
        if run_.silence is not None and not run_.answered:
            if not self.dry_run:
                raise run_.silence
            return self._result(plan, [_unasked()] * len(plan.jobs), None, [f"no server answered: {run_.silence}"])
        return self._result(plan, list(outcomes), server, [])

    def _connect(self) -> Connection:
        self.policy.check_context(self.access.target().name)
        return connect(self.access, writable=True)

    def _names_a_cluster(self) -> bool:
        access = self.access
        return bool(access.kubeconfig or access.context or access.content or access.in_cluster)

    def _refuse_all(self, plan: K8sApplyPlan) -> K8sApplyResult:
        reason = f"not sent: {len(plan.invalid)} other file(s) of {plan.jobs_dir} are invalid; fix or remove them"
        outcomes = [_Outcome(ApplyStatus.SKIPPED, stderr=reason)] * len(plan.jobs)
        return self._result(plan, outcomes, None, ["nothing was applied: the directory holds invalid manifests"])

    def _result(
        self, plan: K8sApplyPlan, outcomes: list[_Outcome], server: str | None, notes: list[str]
    ) -> K8sApplyResult:
        timestamp = self._now()
        results = [
            K8sApplyJobResult(
                job_name=item.job_name,
                namespace=item.namespace,
                yaml_path=item.yaml_path,
                command=item.kubectl_command,
                return_code=1 if outcome.stderr else 0,
                stdout=outcome.stdout,
                stderr=outcome.stderr,
                status=outcome.status,
                timestamp=timestamp,
                warnings=list(outcome.warnings),
                retryable=outcome.retryable,
                ran=outcome.ran,
            )
            for item, outcome in zip(plan.jobs, outcomes, strict=True)
        ]
        status = ApplyStatus.SKIPPED if self.dry_run else ApplyStatus.FAILED
        results += [
            K8sApplyJobResult("", "", bad.yaml_path, [], 1, "", "; ".join(bad.errors), status, timestamp)
            for bad in plan.invalid
        ]
        unchanged = sum(outcome.unchanged for outcome in outcomes)
        return count(results, dry_run=self.dry_run, server=server, unchanged_jobs=unchanged, notes=notes)


class _Run:
    """One execution: its limit of concurrency, and whether the server did not answer and need not be asked again."""

    def __init__(
        self,
        writer: ClusterWriter,
        plan: K8sApplyPlan,
        dry_run: bool,
        concurrency: int,
        manifests: dict[str, dict[str, Any]],
        ran: Mapping[tuple[str, str], str],
    ) -> None:
        self._ran = ran
        self._writer = writer
        self._jobs_dir = plan.jobs_dir
        self._dry_run = dry_run
        self._slots = asyncio.Semaphore(concurrency)
        self._manifests = manifests
        self._listed = {
            namespace: asyncio.Lock()
            for namespace, number in Counter(item.namespace for item in plan.jobs).items()
            if number > WORTH_A_LIST
        }
        self._names: dict[str, set[str]] = {}
        self.answered = False
        self.silence: ClusterError | None = None

    async def one(self, item: K8sApplyPlanItem) -> _Outcome:
        async with self._slots:
            if self.silence is not None:
                # Asking 300 more times would only make the user wait; an apply can be run again.
                return self._failed(f"not sent: {self.silence}", retryable=self.silence.retryable)
            try:
                return await self._apply(item)
            except (Unreachable, Unauthorized) as error:
                self.silence = error
                return self._failed(str(error), retryable=error.retryable)
            except TuningError as error:
                if not isinstance(error, ClusterError):
                    return self._failed(str(error))
                self.answered = True
                return self._failed(str(error), tuple(error.warnings), retryable=error.retryable)

    async def _apply(self, item: K8sApplyPlanItem) -> _Outcome:
        job = with_hash(self._manifest(item))
        live = await self._live(item)
        self.answered = True
        decision = decide(live, job, self._ran.get((item.namespace, item.job_name)))
        match decision.action:
            case ApplyAction.REFUSE:
                return self._failed(decision.reason)
            case ApplyAction.LEAVE_OUT:
                said = f"job.batch/{item.job_name} left out ({decision.reason})"
                return _Outcome(ApplyStatus.SKIPPED, said, ran=self._ran[item.namespace, item.job_name])
            case ApplyAction.UNCHANGED:
                said = f"job.batch/{item.job_name} unchanged ({decision.reason})"
                return _Outcome(ApplyStatus.SKIPPED, said, unchanged=True)
        warnings = tuple(await self._writer.apply(job, dry_run=self._dry_run))
        said = f"job.batch/{item.job_name} serverside-applied"
        if self._dry_run:
            return _Outcome(ApplyStatus.SKIPPED, f"{said} (server dry run)", warnings=warnings)
        return _Outcome(ApplyStatus.SUCCESS, said, warnings=warnings)

    async def _live(self, item: K8sApplyPlanItem) -> dict[str, Any] | None:
        """The cluster's Job of that name. Where many are to be applied, one list tells which are there at all."""
        lock = self._listed.get(item.namespace)
        if lock is not None:
            async with lock:
                if item.namespace not in self._names:
                    self._names[item.namespace] = await self._writer.names(item.namespace)
            if item.job_name not in self._names[item.namespace]:
                return None
        return await self._writer.job(item.namespace, item.job_name)

    def _manifest(self, item: K8sApplyPlanItem) -> dict[str, Any]:
        """The file again, as it was planned: from the plan's directory, unchanged, and of the planned name."""
        path = Path(item.yaml_path)
        text = read_manifest_text(path, self._jobs_dir or path.parent)
        if item.digest:
            if text_digest(text) != item.digest:
                raise InputError(f"{path}: changed since the plan was made; plan and validate again")
            if (known := self._manifests.get(item.digest)) is not None:
                return known
            parsed: dict[str, Any] = yamlfile.parse(text, item.yaml_path, yamlfile.Dialect.MANIFEST)
            return parsed
        checked = K8sJobValidator().validate_job_yaml(text, item.yaml_path)
        if not checked.valid or checked.job_data is None:
            raise InputError("; ".join(checked.errors))
        if (checked.job_name, checked.namespace) != (item.job_name, item.namespace):
            raise InputError(f"{path}: holds {checked.namespace}/{checked.job_name}, not the planned Job; plan again")
        return checked.job_data

    def _failed(self, reason: str, warnings: tuple[str, ...] = (), *, retryable: bool = False) -> _Outcome:
        status = ApplyStatus.SKIPPED if self._dry_run else ApplyStatus.FAILED
        return _Outcome(status, stderr=reason, warnings=warnings, retryable=retryable)


def _unasked() -> _Outcome:
    return _Outcome(ApplyStatus.SKIPPED, "dry run: valid offline, but no server was asked")
