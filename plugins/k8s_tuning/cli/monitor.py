"""`k8s-tuning monitor`: D32, the Jobs as they are, once or again and again.

Exit code: 0 where the snapshot could be read in full, 1 where it has errors (the report names them), 3 where the Jobs
could not be listed. With --interval it runs until it is interrupted; an API server that goes away shows as errors and
comes back by itself.
"""

from __future__ import annotations

import argparse
import math
import sys

import orjson

from k8s_tuning import plain_values
from k8s_tuning.cli import CANNOT, flags
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.printable import json_text
from k8s_tuning.stages.monitor.report import generate_monitor_report_text
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot

_above_zero = flags.number(lambda seconds: 0 < seconds < math.inf, "not a number of seconds above 0")
CLEAR_SCREEN = "\x1b[H\x1b[2J"


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser(
        "monitor", aliases=["watch"], help="show the Jobs, their pods and logs (D32)", description=__doc__
    )
    flags.add_selection(parser)
    flags.add_cluster(parser)
    often = parser.add_mutually_exclusive_group()
    often.add_argument("--interval", type=_above_zero, metavar="SECONDS", help="again every SECONDS (default: once)")
    often.add_argument("--one-shot", action="store_true", help="once (the default)")
    flags.add_log_lines(parser, 100)
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    monitor = K8sJobMonitor(args.namespace, args.label_selector, args.kubeconfig, args.context, args.max_log_lines)
    if args.interval is None:
        snapshot = monitor.load_snapshot()
        flags.show(args, snapshot, generate_monitor_report_text(snapshot))
        return int(bool(snapshot.errors)) if snapshot.jobs_listed else CANNOT
    for snapshot in monitor.watch(args.interval):
        _show_again(args, snapshot)
    return 0


def _show_again(args: argparse.Namespace, snapshot: K8sMonitorSnapshot) -> None:
    if args.json:
        text = json_text(orjson.dumps(plain_values.dump(snapshot)).decode()) + "\n"
    else:
        text = (CLEAR_SCREEN if sys.stdout.isatty() else "") + generate_monitor_report_text(snapshot) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()
    flags.write_files(args, snapshot, generate_monitor_report_text(snapshot))
