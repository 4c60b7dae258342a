"""`k8s-tuning validate`: a directory of Job manifests (D30). Exit 0 all valid, 1 not (or no such directory)."""

from __future__ import annotations

import argparse

from k8s_tuning.cli import flags, streams
from k8s_tuning.errors import InputError
from k8s_tuning.stages.validate.plan import (
    K8sExecutionPlanner,
    K8sJobValidator,
    generate_execution_plan_text,
    validation_exit_code,
)


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("validate", help="check Job manifests without a cluster", description=__doc__)
    parser.add_argument("--jobs-dir", required=True, metavar="DIR", help="directory with the manifests")
    parser.add_argument("--strict", action="store_true", help="warnings are errors")
    flags.add_report_file(parser, "--output-plan")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    try:
        plan = K8sExecutionPlanner(K8sJobValidator(strict_mode=args.strict)).plan_from_directory(args.jobs_dir)
    except InputError as error:
        # A directory that is not there holds no valid Job: to a script that is the code of "not all are valid".
        streams.say(f"k8s-tuning validate: {error}")
        return 1
    flags.show(args, plan, generate_execution_plan_text(plan))
    return validation_exit_code(plan)
