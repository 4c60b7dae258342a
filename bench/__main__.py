"""`make bench`: every benchmark beside what it is compared with, one table, and build/bench.json.

    KUBECONFIG=… python -m bench [NAME …]      NAME: apply, dag_shape, dashboard, history, ledger, metrics, snapshot

Exit code: 0 every ratio that was measured is within its limit, 1 one is not, or a benchmark broke. What was not run is
said, with why: it counts neither way.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from k8s_tuning import unforeseen
from k8s_tuning.errors import TuningError

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "build" / "bench.json"
# What they need: nothing from outside, or the API at $KUBECONFIG.
WITHOUT_CLUSTER = ("history", "dashboard", "metrics", "ledger", "dag_shape")
SUITES = {"snapshot": True, "apply": True, **dict.fromkeys(WITHOUT_CLUSTER, False)}
VERSIONS = ("apache-airflow", "aiohttp", "duckdb", "numpy")


def main(names: list[str]) -> int:
    """Run the named benchmarks (all, where none is named)."""
    unknown = sorted(set(names) - SUITES.keys())
    if unknown:
        print(f"bench: no benchmark {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 3
    kubeconfig = os.environ.get("KUBECONFIG")
    rows: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for name, needs_cluster in SUITES.items():
        if names and name not in names:
            left_out[name] = "not asked for"
        elif needs_cluster and not kubeconfig:
            left_out[name] = "KUBECONFIG is not set; it compares on a real Kubernetes API"
        else:
            print(f"bench: {name} …", file=sys.stderr, flush=True)
            run: Callable[..., list[dict[str, Any]]] = import_module(f"bench.{name}").run
            try:
                with unforeseen.net():  # one that breaks must not take the others' figures along
                    found = run(kubeconfig) if needs_cluster else run()
            except TuningError as error:
                left_out[name] = f"BROKE: {error}"
            else:
                rows += [{"suite": name, **row} for row in found]
    result = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "rows": rows}
    result["not_run"] = left_out
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(result))
    print(f"Saved as {RESULT.relative_to(ROOT)}.")
    over = [row for row in rows if row["ratio"] > row["limit"]]
    return 1 if over or any(why.startswith("BROKE") for why in left_out.values()) else 0


def table(result: dict[str, Any]) -> str:
    """The result as text: a row a comparison, then what was not run, then the machine."""
    cells = [("", "ours", "peer", "ratio", "limit", "")]
    for row in result["rows"]:
        unit = row.get("unit", "s")
        kept = "ok" if row["ratio"] <= row["limit"] else "OVER"
        figures = (_figure(row["ours_s"], unit), _figure(row["peer_s"], unit))
        cells.append((row["name"], *figures, f"{row['ratio']:.2f}", f"{row['limit']:.2f}", kept))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    ]
    lines += [f"NOT RUN: {name}: {why}" for name, why in result["not_run"].items()]
    about = result["machine"]
    lines.append(f"{result['at']}; {about['cpus']} x {about['cpu']}, {about['memory_gib']} GiB, {about['system']}")
    lines.append(f"Python {about['python']}, " + ", ".join(f"{name} {one}" for name, one in about["versions"].items()))
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the figures depend on; a fact that cannot be found out is "unknown"."""
    return {
        "cpu": _proc("/proc/cpuinfo", "model name") or platform.machine() or "unknown",
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "commit": _commit(),
    }


def _proc(path: str, key: str) -> str | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _figure(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:.4g} {unit}"
    return f"{value * 1000:.2f} ms" if value < 1 else f"{value:.2f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
