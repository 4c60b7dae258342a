"""`k8s-tuning generate`: a session's Job manifests (D29). Exit 0 written, 3 not: bad configuration or directory."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from k8s_tuning import yamlfile
from k8s_tuning.cli import flags
from k8s_tuning.errors import ConfigError, InputError
from k8s_tuning.stages.generate.jobs import generate_jobs, generate_summary_text
from k8s_tuning.stages.generate.session import load_session


def register(commands: Any) -> None:
    """Add the command."""
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
    flags.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Generate and report."""
    path = args.config or args.orchestrator_config
    if path is None:
        raise InputError("--config is missing; name the session's YAML file")
    config = load_session(path)
    if args.config and args.orchestrator_config:
        _check_same(args.config, args.orchestrator_config)
    if args.session_id is not None:
        config = replace(config, session_id=args.session_id)
    try:
        result = generate_jobs(config, args.output_dir, run_id=args.run_id)
    except ConfigError as error:
        # With another session id the configuration is not the file's alone, and the error may be the flag's.
        raise ConfigError(f"{path}: {error}" if args.session_id is None else str(error)) from error
    flags.show(args, result, generate_summary_text(result))
    return 0


def _check_same(session: str, orchestrator: str) -> None:
    """The guide's two files say many things twice; where they differ, one of the two would be ignored silently."""
    ours, theirs = (yamlfile.read_mapping(Path(path)) for path in (session, orchestrator))
    for key in ours.keys() & theirs.keys():
        if ours[key] != theirs[key]:
            # An environment variable may be a password: its value is never repeated.
            shown = ("one", "another") if key == "extra_env" else (repr(theirs[key]), repr(ours[key]))
            raise InputError(
                f"{orchestrator}: {key} is {shown[0]}, but {shown[1]} in {session}, from which alone the Jobs "
                "are made; make the two agree, or leave --orchestrator-config out"
            )
