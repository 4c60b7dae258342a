"""`k8s-tuning run`: D36, all stages one after the other; a dry run without alerts unless flags say otherwise.

Exit code: OK 0; WARN 0, or 1 with --strict; ERROR 2; 3 the pipeline itself failed (the step that did says why).
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from dataclasses import fields

from k8s_tuning.cli import flags
from k8s_tuning.runner import K8sTuningPipelineRunner
from k8s_tuning.stages.pipeline.result import K8sTuningPipelineConfig, generate_pipeline_report_text
from k8s_tuning.usecases.generate_session import namespace_of


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("run", help="the whole pipeline (D36; default: dry run)", description=__doc__)
    parser.add_argument("--jobs-dir", required=True, metavar="DIR", help="the manifests; with --config they go there")
    parser.add_argument(
        "--config",
        "--orchestrator-config",
        dest="session_config",
        metavar="FILE",
        help="generate the manifests from this session first; without it, those in --jobs-dir are taken",
    )
    parser.add_argument("--history-file", required=True, metavar="FILE", help="JSONL file; made where it is missing")
    flags.add_selection(parser)
    # Not given: the session's.
    parser.set_defaults(namespace=None)
    flags.add_cluster(parser)
    parser.add_argument(
        "--apply", "--enable-apply", dest="apply_enabled", action="store_true", help="really create the Jobs"
    )
    parser.add_argument(
        "--again", dest="apply_again", action="store_true", help="run Jobs again that ran and are gone from the cluster"
    )
    parser.add_argument("--apply-policy", metavar="FILE", help="allow-list of namespaces and contexts (YAML)")
    parser.add_argument(
        "--wait",
        dest="wait_seconds",
        type=float,
        default=0,
        metavar="SECONDS",
        help="after an apply, wait for the Jobs to end (default: 0)",
    )
    parser.add_argument("--health-policy", metavar="FILE", help="levels and graces, as include/configs/health.yaml")
    parser.add_argument("--strict", "--strict-health", dest="strict_health", action="store_true", help="exit 1 on WARN")
    parser.add_argument(
        "--alerts", "--enable-alerts", dest="alerts_enabled", action="store_true", help="really send alerts"
    )
    parser.add_argument(
        "--channel",
        "--channel-type",
        dest="channel_type",
        default="console",
        metavar="TYPE",
        help="console, slack_webhook or generic_webhook",
    )
    flags.add_webhook(parser)
    parser.add_argument("--events-limit", type=int, default=20, metavar="N", help="newest N events (default: 20)")
    parser.add_argument(
        "--history-limit",
        type=int,
        default=20,
        metavar="N",
        help="last N records an incident is read from (default: 20)",
    )
    parser.add_argument("--run-id", metavar="ID", help="the same ID records and alerts what it finds once")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    """Each flag's `dest` is the setting's name."""
    settings = {setting.name: getattr(args, setting.name) for setting in fields(K8sTuningPipelineConfig)}
    settings["namespace"] = namespace_of(args.session_config, args.namespace, "--namespace", flags.NAMESPACE)
    settings["webhook_url"] = flags.webhook_url(args)
    config = K8sTuningPipelineConfig(**settings)
    # With --json standard output is the result's alone; what the console channel prints goes beside it.
    with contextlib.redirect_stdout(sys.stderr if args.json else sys.stdout):
        result = K8sTuningPipelineRunner(config, run_id=args.run_id).run()
    flags.show(args, result, generate_pipeline_report_text(result))
    return result.exit_code
