"""`k8s-tuning apply`: create a directory's Jobs (D31); without --apply a dry run, which changes nothing.

Exit 0 all succeeded or a dry run, 1 a Job failed, 3 refused before anything was sent, or the input is unusable.
"""

from __future__ import annotations

import argparse

from k8s_tuning.cli import flags
from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.errors import InputError
from k8s_tuning.stages.apply.plan import apply_exit_code, generate_apply_report_text
from k8s_tuning.stages.apply.policy import ApplyPolicy, load_policy
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.usecases.apply_session import apply_session


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("apply", help="create a directory's Jobs (default: dry run)", description=__doc__)
    parser.add_argument("--jobs-dir", required=True, metavar="DIR", help="directory with the manifests")
    really = parser.add_mutually_exclusive_group()
    really.add_argument("--apply", action="store_true", help="really create the Jobs")
    really.add_argument("--dry-run", dest="apply", action="store_false", help="change nothing (the default)")
    parser.add_argument("--config", metavar="FILE", help="allow-list of namespaces and contexts (YAML)")
    parser.add_argument("--allow-namespace", action="append", metavar="NAME", help="allow only these; repeatable")
    parser.add_argument("--allow-context", action="append", metavar="NAME", help="allow only these; repeatable")
    parser.add_argument("--sessions-dir", metavar="DIR", help="keep the session there, for the health page")
    parser.add_argument(
        "--again", action="store_true", help="with --sessions-dir: run Jobs again that ran and are gone"
    )
    flags.add_cluster(parser)
    flags.add_report_file(parser, "--output-report")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    policy = ApplyPolicy(args.allow_namespace, args.allow_context)
    if args.config is not None:
        if policy != ApplyPolicy():
            raise InputError("give the allow-list in --config or in --allow-namespace and --allow-context, not both")
        policy = load_policy(args.config)
    executor = K8sApplyExecutor(not args.apply, args.kubeconfig, args.context, policy=policy)
    sessions = SessionStore(args.sessions_dir) if args.sessions_dir is not None else None
    result = apply_session(executor, args.jobs_dir, sessions, again=args.again).result
    flags.show(args, result, generate_apply_report_text(result))
    return apply_exit_code(result)
