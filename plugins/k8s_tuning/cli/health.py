"""`k8s-tuning health`: D33, one snapshot of the Jobs and what it means.

Exit code: OK 0; WARN 0, or 1 with --strict; ERROR 2; 3 where the Jobs could not be listed, so that nothing is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from k8s_tuning.cli import flags
from k8s_tuning.cluster.monitor import K8sJobMonitor
from k8s_tuning.stages.health.evaluate import HealthPolicy, K8sHealthEvaluator, generate_health_report_text
from k8s_tuning.stages.monitor.snapshot import K8sMonitorSnapshot
from k8s_tuning.stages.pipeline.result import health_exit_code
from k8s_tuning.usecases.check_target import judge


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("health", help="judge the Jobs' health (D33)", description=__doc__)
    add_flags(parser, run)


def run(args: argparse.Namespace) -> int:
    health = judge(evaluator(args), read_snapshot(args), expected=args.expect)
    flags.show(args, health, generate_health_report_text(health))
    return health_exit_code(health.overall_health, args.strict, jobs_listed=health.jobs_listed)


def add_flags(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    """What one check needs; `record` has the same."""
    flags.add_selection(parser)
    flags.add_cluster(parser)
    parser.add_argument("--strict", action="store_true", help="exit 1 on WARN")
    parser.add_argument("--no-warn-on-pending", action="store_true", help="a pending Job is OK")
    parser.add_argument("--unknown-as-warn", action="store_true", help="an unknown phase is WARN instead of ERROR")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="levels and graces, as include/configs/health.yaml")
    parser.add_argument(
        "--expect", action="append", default=[], metavar="JOB", help="a Job that must be there (may be repeated)"
    )
    flags.add_run(parser, run)


def read_snapshot(args: argparse.Namespace, max_log_lines: int = 0, cluster: str | None = None) -> K8sMonitorSnapshot:
    """One snapshot of the cluster, by its name in the history."""
    return K8sJobMonitor(
        args.namespace, args.label_selector, args.kubeconfig, args.context, max_log_lines, cluster=cluster
    ).load_snapshot()


def evaluator(args: argparse.Namespace) -> K8sHealthEvaluator:
    """What the flags say of levels and graces."""
    policy = HealthPolicy.load(args.policy) if args.policy else None
    return K8sHealthEvaluator(not args.no_warn_on_pending, not args.unknown_as_warn, policy)
