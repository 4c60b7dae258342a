"""What our DAGs cost Airflow: the pipeline beside the same DAG of empty tasks, and parsing beside a DAG without tasks.

The peer of the pipeline has its tasks, edges, trigger rules, branch and mapping, and operators that return at once.
Both go through `dag.test()` in fresh processes, in turns: our imports count, once a run. `dag.test()` runs the tasks in
one process, so that a scheduler's own time, which both would pay, does not hide ours.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from k8s_tuning_sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = "k8s_tuning_pipeline"
GOES, PARSES = 3, 3
RUN_LIMIT, PARSE_LIMIT = 1.5, 1.3

_PEER = """
from datetime import UTC, datetime

from airflow.sdk import DAG, BaseBranchOperator, BaseOperator


class Nothing(BaseOperator):
    def execute(self, context):
        return None


class Branch(BaseBranchOperator):
    def choose_branch(self, context):
        return "suppress_alerts"


class One(BaseOperator):
    def __init__(self, *, one=None, **kwargs):
        super().__init__(**kwargs)
        self.one = one

    def execute(self, context):
        return None


class Listing(BaseOperator):
    def execute(self, context):
        return []


with DAG("empty_pipeline", schedule="0 0 * * *", start_date=datetime(2025, 1, 1, tzinfo=UTC), catchup=False) as dag:
    generate, validate, apply = (Nothing(task_id=name) for name in ("generate_jobs", "validate_jobs", "apply_jobs"))
    wait = Nothing(task_id="wait_for_jobs")
    monitor = Nothing(task_id="monitor_jobs", trigger_rule="none_failed")
    evaluate = Nothing(task_id="evaluate_health", trigger_rule="none_failed")
    events, record = Nothing(task_id="collect_events"), Nothing(task_id="record_history")
    plan = Listing(task_id="plan_alerts")
    choose = Branch(task_id="choose_alerts")
    send = One.partial(task_id="send_alerts").expand(one=plan.output)
    suppress = Nothing(task_id="suppress_alerts")
    report = Nothing(task_id="report", trigger_rule="all_done")
    generate >> validate >> apply >> wait >> monitor >> evaluate >> events >> record >> plan >> choose
    choose >> [send, suppress] >> report
"""

_ONLY_IMPORTS = """
from datetime import UTC, datetime

from airflow.sdk import DAG

with DAG("only_imports", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)) as dag:
    pass
"""

# The last line printed is the answer; Airflow logs to standard output as well.
_RUN = """
import json, runpy, sys, time
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
start = time.perf_counter()
bag = DagBag(dag_folder=sys.argv[1], collect_dags=False)
bag.process_file(sys.argv[1])
if bag.import_errors:
    raise SystemExit(str(bag.import_errors))
dag = bag.dags[sys.argv[2]]
run = dag.test(run_conf=json.loads(sys.argv[3]) or None)
seconds = time.perf_counter() - start
states = {task.task_id: str(task.state) for task in run.get_task_instances()}
print()
print(json.dumps({"seconds": seconds, "state": str(run.state), "states": states}))
"""


def run() -> list[dict[str, Any]]:
    """Rows of {name, ours_s, peer_s, ratio, limit}: seconds, medians; on a sandbox and a database of its own."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(directory=Path(folder, "sandbox")) as sandbox:
        # An Airflow a side, for `dag.test()` parses all that is in the DAGs folder.
        env = _airflow(Path(folder, "ours"), str(sandbox.kubeconfig))
        bare = _airflow(Path(folder, "bare"), str(sandbox.kubeconfig))
        ours, peer = (Path(one["AIRFLOW__CORE__DAGS_FOLDER"], "pipeline.py") for one in (env, bare))
        ours.symlink_to(ROOT / "dags" / f"{PIPELINE}.py")
        peer.write_text(_PEER)
        idle = Path(folder, "only_imports.py")
        idle.write_text(_ONLY_IMPORTS)
        mine, theirs = [], []
        for number in range(GOES + 1):
            times = _dag_run(bare, peer, "empty_pipeline"), _dag_run(env, ours, PIPELINE)
            # The first of each writes the DAG into its database.
            if number:
                theirs.append(times[0])
                mine.append(times[1])
        rows = [_row("pipeline DAG, dry run, vs the same of empty tasks", mine, theirs, RUN_LIMIT)]
        files = sorted((ROOT / "dags").glob("*.py"))
        rounds = [{path: _parse(env, path) for path in (idle, *files)} for _ in range(PARSES)]
        for path in files:
            name = f"parsing {path.name} vs a DAG that only imports airflow.sdk"
            one, other = ([times[side] for times in rounds] for side in (path, idle))
            rows.append(_row(name, one, other, PARSE_LIMIT))
        return rows


def _dag_run(env: dict[str, str], path: Path, dag_id: str) -> float:
    lines = _python(env, "-c", _RUN, str(path), dag_id, "{}").strip().splitlines()
    answer = json.loads(lines[-1])
    if answer["state"] != "success":
        raise RuntimeError(f"{dag_id} ended as {answer['state']}: {answer['states']}")
    return float(answer["seconds"])


def _parse(env: dict[str, str], path: Path) -> float:
    start = time.perf_counter()
    _python(env, "-c", "import runpy, sys; runpy.run_path(sys.argv[1])", str(path))
    return time.perf_counter() - start


def _python(env: dict[str, str], *words: str) -> str:
    done = subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[-2:]}: exit code {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    return done.stdout


def _airflow(home: Path, kubeconfig: str) -> dict[str, str]:
    """A new home with a database and an empty DAGs folder; the environment that leads there."""
    (home / "dags").mkdir(parents=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    env = inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(
            {"conn_type": "kubernetes", "extra": {"kube_config_path": kubeconfig}}
        ),
        "K8S_TUNING_HISTORY_DIR": str(home / "history"),
        "KUBECONFIG": kubeconfig,
    }
    _python(env, "-m", "airflow", "db", "migrate")
    return env


def _row(name: str, ours: list[float], peer: list[float], limit: float) -> dict[str, Any]:
    mine, theirs = statistics.median(ours), statistics.median(peer)
    return {"name": name, "ours_s": mine, "peer_s": theirs, "ratio": mine / theirs, "limit": limit}


if __name__ == "__main__":
    for row in run():
        print(json.dumps(row))
