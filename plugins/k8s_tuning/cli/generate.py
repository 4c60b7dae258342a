"""`k8s-tuning generate`: a session's Job manifests (D29). Exit 0 written, 3 not: bad configuration or directory."""

from __future__ import annotations

import argparse

from k8s_tuning.cli import flags
from k8s_tuning.errors import InputError
from k8s_tuning.stages.generate.jobs import generate_summary_text
from k8s_tuning.usecases.generate_session import generate_session


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("generate", help="write a session's Job manifests", description=__doc__)
    parser.add_argument("--config", "--k8s-config", metavar="FILE", help="the session's YAML file")
    parser.add_argument(
        "--orchestrator-config",
        metavar="FILE",
        help="the stage guide's name of --config; beside --k8s-config: a file that must say the same",
    )
    parser.add_argument("--output-dir", required=True, metavar="DIR", help="where the manifests go")
    parser.add_argument("--session-id", help="take this session id instead of the file's")
    parser.add_argument("--run-id", help="the run that asks for these Jobs; kept as an annotation")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    path = args.config or args.orchestrator_config
    if path is None:
        raise InputError("--config is missing; name the session's YAML file")
    result = generate_session(
        path,
        args.output_dir,
        session_id=args.session_id,
        orchestrator=args.orchestrator_config if args.config else None,
        run_id=args.run_id,
    )
    flags.show(args, result, generate_summary_text(result))
    return 0
