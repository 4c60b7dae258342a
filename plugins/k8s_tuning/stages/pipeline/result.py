"""D36 pipeline: the settings of a whole run, its result, and the exit code that the result means."""

from __future__ import annotations

from dataclasses import dataclass, field

from k8s_tuning.choices import chosen, fill
from k8s_tuning.stages.health.evaluate import HealthLevel

PIPELINE_FAILED = 3


@dataclass
class K8sTuningPipelineConfig:
    """The settings of one run. `jobs_dir`: manifests that D29 wrote, or where they go when `session_config` is set.

    `wait_seconds`: how long to wait, after a real apply, for the Jobs to end. `apply_policy`, `health_policy`: files
    with the allow-list and with the levels of each reason; None allows all and takes the built-in levels.
    """

    jobs_dir: str
    namespace: str
    label_selector: str
    history_file: str
    kubeconfig: str | None = None
    context: str | None = None
    apply_enabled: bool = False
    alerts_enabled: bool = False
    strict_health: bool = False
    events_limit: int = 20
    history_limit: int = 20
    channel_type: str = "console"
    webhook_url: str | None = field(default=None, repr=False)
    session_config: str | None = None
    wait_seconds: float = 0
    apply_policy: str | None = None
    health_policy: str | None = None
    apply_again: bool = False


@dataclass
class K8sTuningPipelineResult:
    """What one run did. `mode`: dry_run, apply or full_alerts. `steps`: a text a stage, `STAGE: outcome`.

    `generated_jobs`: manifests of this session, or, where the run generates none, those that stood ready.
    `applied_jobs`: Jobs that a real apply created. `incidents_sent`: incidents that a channel took in this run.
    `health_status` is of the run's own Jobs (its session's), whatever others the selection has; it is None where the
    run broke before health was known: unknown is never OK. `jobs_listed`: False where the Jobs could not be listed; the
    exit code is then 3. `idle`: there are no Jobs of this run. A stage that was not reached is not in `steps`.
    """

    mode: str
    generated_jobs: int = 0
    validated_jobs: int = 0
    applied_jobs: int = 0
    health_status: HealthLevel | None = None
    incidents_sent: int = 0
    history_appended: bool = False
    exit_code: int = PIPELINE_FAILED
    steps: list[str] = field(default_factory=list)
    jobs_listed: bool = True
    idle: bool = False

    def __post_init__(self) -> None:
        """Take plain strings; InputError where one is no level."""
        fill(self, steps=[])
        self.health_status = None if self.health_status is None else chosen(HealthLevel, self.health_status)


def health_exit_code(health: HealthLevel | None, strict: bool = False, *, jobs_listed: bool = True) -> int:
    """OK 0; WARN 0, or 1 with strict; ERROR 2; unknown, or Jobs that could not be listed, 3 (contract, D33, D36)."""
    if health is None or not jobs_listed:
        return PIPELINE_FAILED
    return {HealthLevel.OK: 0, HealthLevel.WARN: int(strict), HealthLevel.ERROR: 2}[chosen(HealthLevel, health)]


def pipeline_mode(apply_enabled: bool, alerts_enabled: bool) -> str:
    """`full_alerts` where alerts really leave, else `apply` where Jobs are applied, else `dry_run`."""
    if alerts_enabled:
        return "full_alerts"
    return "apply" if apply_enabled else "dry_run"


def generate_pipeline_report_text(result: K8sTuningPipelineResult) -> str:
    """The summary that a person reads: how it ended and why, the counts, then every step in its order."""
    meaning = {
        0: "the run did its work",
        1: "health is WARN, and strict",
        2: "health is ERROR: look at the Jobs",
        PIPELINE_FAILED: "the pipeline itself failed: look at the step that says so"
        if result.jobs_listed
        else "the Jobs could not be listed: look at the step that says why",
    }
    health = result.health_status or "not known"
    if result.health_status and not result.jobs_listed:
        health = f"{health}, not known"
    elif result.idle:
        health = f"{health}, idle: there are no Jobs of this run"
    lines = [
        "=== Tuning pipeline ===",
        f"Mode:             {result.mode}",
        f"Exit code:        {result.exit_code} ({meaning.get(result.exit_code, 'unknown')})",
        f"Health:           {health}",
        f"Generated Jobs:   {result.generated_jobs}",
        f"Validated Jobs:   {result.validated_jobs}",
        f"Applied Jobs:     {result.applied_jobs}",
        f"Incidents sent:   {result.incidents_sent}",
        f"History appended: {'yes' if result.history_appended else 'no'}",
        "",
        "Steps:",
        *(f"  {step}" for step in result.steps),
    ]
    return "\n".join(lines) + "\n"
