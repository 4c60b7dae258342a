"""`k8s-tuning record`: D34, one check of the health, appended to the history.

Beside the history the whole snapshot is kept for the health page, with log lines where --max-log-lines asks for them,
and what it says of tuning sessions.

Exit code as `health`: OK 0; WARN 0, or 1 with --strict; ERROR 2. 3 where the Jobs could not be listed (that, too, is
recorded) or the history could not be written.
"""

from __future__ import annotations

import argparse

from k8s_tuning.cli import flags
from k8s_tuning.cli.health import add_flags, evaluator, read_snapshot
from k8s_tuning.stages.history.store import K8sHealthHistoryStore, generate_record_text
from k8s_tuning.stages.pipeline.result import health_exit_code
from k8s_tuning.stages.sessions.store import SessionStore
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.check_target import judge, record_check


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser(
        "record", help="judge the health and append it to the history (D34)", description=__doc__
    )
    add_flags(parser, run)
    parser.add_argument("--history-file", required=True, metavar="FILE", help="JSONL file; made where it is missing")
    parser.add_argument("--run-id", metavar="ID", help="record what this ID finds, each finding once")
    parser.add_argument("--target", metavar="NAME", help="the target's name, for people")
    flags.add_cluster_name(parser)
    flags.add_log_lines(parser, 0)
    parser.add_argument("--keep-snapshot", action="store_true", help="put the whole health snapshot into the record")


def run(args: argparse.Namespace) -> int:
    state = StateDir.of_history(args.history_file)
    K8sHealthHistoryStore(state.history).check()
    snapshot = read_snapshot(args, args.max_log_lines, args.cluster)
    health = judge(evaluator(args), snapshot, SessionStore(state.sessions), args.expect)
    record, _ = record_check(
        state, health, snapshot, None, run_id=args.run_id, target=args.target, keep_snapshot=args.keep_snapshot
    )
    flags.show(args, record, generate_record_text(record, args.history_file))
    return health_exit_code(record.overall_health, args.strict, jobs_listed=record.jobs_listed)
