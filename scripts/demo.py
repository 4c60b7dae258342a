"""`make demo`: the whole pipeline through Airflow, as a dry run and then for real, with trouble in the cluster."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local_airflow import BIN, ROOT, cluster, environment, migrate

HOME = ROOT / ".airflow" / "demo"
DAG = "k8s_tuning_pipeline"
STARTING = re.compile(r"\[DAG TEST\] starting task_id=(\S+)")
ENDED = re.compile(r"\[DAG TEST\] end task task_id=(\S+)")
STATE = re.compile(r"new_state=(\w+)")
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+ \[\w+ *\] (.*?)\s*(\[[\w.]+\] .*)?$")
REPORT = "operators.pipeline.ReportPipelineOperator"


class Run:
    """One `airflow dags test`, its log in a file, its stages on the terminal as they come."""

    def __init__(self, env: dict[str, str], name: str, conf: dict[str, object]) -> None:
        self.log = HOME / f"{name}.log"
        self.summary: list[str] = []
        self.message: list[str] = []
        self._task, self._state = "", ""
        command = [str(BIN / "airflow"), "dags", "test", DAG, "-c", json.dumps(conf)]
        with (
            self.log.open("w", encoding="utf-8") as log,
            subprocess.Popen(
                command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
            ) as process,
        ):
            for line in process.stdout or ():
                log.write(line)
                self._see(line.rstrip("\n"))
        code = re.search(r"Exit code: +(\d)", "\n".join(self.summary))
        self.exit_code = int(code[1]) if code else None

    def _see(self, line: str) -> None:
        if found := STARTING.search(line):
            self._task, self._state = found[1], ""
            print(f"  {self._task:<16} ", end="", flush=True)
        elif self._task and (found := STATE.search(line)):
            self._state = found[1]
        elif self._task and ENDED.search(line):
            print(self._state or "ended", flush=True)
            self._task = ""
        elif REPORT in line and (found := LOG_LINE.match(line)):
            self.summary.append(found[1])
        elif self._task == "send_alerts" and not LOG_LINE.match(line):
            self.message.append(line)


def main() -> int:
    """Both runs; 0 where they ended as they should."""
    shutil.rmtree(HOME / "history", ignore_errors=True)
    HOME.mkdir(parents=True, exist_ok=True)
    with cluster() as (kubeconfig, is_sandbox):
        env = environment(HOME, kubeconfig)
        print(f"Cluster: {'the sandbox, a Kubernetes API in this process' if is_sandbox else kubeconfig}")
        print("Preparing Airflow's database …", flush=True)
        migrate(env, HOME / "migrate.log")
        print(f"\n1. Dry run: nothing is created, nothing is sent. Airflow's log: {shown(HOME / 'dry-run.log')}")
        dry = Run(env, "dry-run", {})
        print("\n".join(["", *dry.summary]))
        if dry.exit_code is None or dry.exit_code == 3:
            return failed(dry)
        if not (is_sandbox or os.environ.get("APPLY") == "1"):
            print("\nThis is your own cluster, so that was all. To create the Jobs there: APPLY=1 make demo")
            return 0
        print(f"\n2. For real: Jobs are created, alerts go to the console. Airflow's log: {shown(HOME / 'apply.log')}")
        if is_sandbox:
            print("   In the sandbox one worker runs out of memory, and the other's image cannot be pulled.")
        wait = 20 if is_sandbox else 600
        real = Run(env, "apply", {"apply_enabled": True, "alerts_enabled": True, "wait_seconds": wait})
        print("\n".join(["", *real.summary]))
        if real.exit_code is None or real.exit_code == 3:
            return failed(real)
        if real.message:
            print("\nThe incident, as the console channel was sent it:\n")
            print("\n".join(f"  | {line}" for line in real.message).rstrip())
    if real.exit_code:
        print("\nThe task report failed the run: that is how exit codes 1 and 2 (health is not OK) show in Airflow.")
    print(AFTERWARDS.format(history=shown(HOME / "history")))
    # The scenario has failures on purpose: health ERROR is what the sandbox's second run has to find.
    return 0 if not is_sandbox or real.exit_code == 2 else failed(real)


def failed(run: Run) -> int:
    """Say where to look."""
    print(
        f"\nThat did not go as it should; the end of {shown(run.log)}:\n{run.log.read_text()[-3000:]}", file=sys.stderr
    )
    return 1


def shown(path: Path) -> str:
    """A path as somebody in the checkout would type it."""
    return str(path.relative_to(ROOT))


AFTERWARDS = """
Where things are:
  {history}/health.jsonl         the health history, a line a run
  {history}/alerts-ledger.jsonl  every alert decision, sent or not, and why
  {history}/jobs/                the manifests of each run

What next:
  make up                        Airflow with its UI and the health page, this DAG and the sandbox behind it
  .venv/bin/k8s-tuning history --history-file {history}/health.jsonl
  KUBECONFIG=~/.kube/config make demo    the same as a dry run on your own cluster"""


if __name__ == "__main__":
    sys.exit(main())
