"""D36 without Airflow: the stages one after the other in one process, for cron, CI systems and scripts.

    result = K8sTuningPipelineRunner(config).run()
    sys.exit(result.exit_code)

The DAG runs the same use cases as tasks. Here a stage that fails ends the run: nothing after it pretends to have run.
Only an apply that fails in part does not: the Jobs that it did apply are watched, recorded and alerted first.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable

from k8s_tuning import timestamps, unforeseen
from k8s_tuning.errors import TuningError
from k8s_tuning.runner.steps import Steps
from k8s_tuning.stages.pipeline.result import (
    PIPELINE_FAILED,
    K8sTuningPipelineConfig,
    K8sTuningPipelineResult,
    pipeline_mode,
)
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.end_run import record_run

__all__ = ["K8sTuningPipelineRunner"]


class K8sTuningPipelineRunner:
    """Runs the pipeline once a call of `run`.

    `run_id`: a run of the same id that finds the same neither records nor alerts twice; random where it is not
    given. `show`: takes what a dry run of the alerts would send. `clock`: monotonic seconds.
    """

    def __init__(
        self,
        config: K8sTuningPipelineConfig,
        *,
        run_id: str | None = None,
        now: Callable[[], str] = timestamps.now,
        clock: Callable[[], float] = time.monotonic,
        show: Callable[[str], object] | None = None,
    ) -> None:
        self.config = config
        self._run_id = run_id
        self._now = now
        self._clock = clock
        self._show = show or (lambda text: sys.stdout.write(text))

    def run(self) -> K8sTuningPipelineResult:
        """All stages. A failing one does not raise: `exit_code` is 3, and its step says why."""
        config = self.config
        result = K8sTuningPipelineResult(mode=pipeline_mode(config.apply_enabled, config.alerts_enabled))
        run_id = self._run_id or f"run__{self._now()}__{secrets.token_hex(4)}"
        seconds: dict[str, float] = {}
        step = "config"
        try:
            with unforeseen.net():
                for step, work in Steps(config, result, run_id, self._now, self._show).in_order():
                    start = self._clock()
                    result.steps.append(f"{step}: {work()}")
                    seconds[step] = self._clock() - start
        except TuningError as error:
            result.steps.append(f"{step}: failed: {error}")
            result.exit_code = PIPELINE_FAILED
        try:
            record_run(StateDir.of_history(config.history_file), result, run_id, self._now(), seconds)
        except TuningError as error:
            result.steps.append(f"journal: failed: {error}")
            result.exit_code = PIPELINE_FAILED
        return result
