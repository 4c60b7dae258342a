"""`k8s-tuning history prune`: drop what is past the limits, in the history and in all that lies beside it.

That is: records of the history; lines of the ledger, finished runs, latest snapshots, tuning sessions, and the
files of runs (`jobs/`, `handover/`), which go by their age alone. Others may write meanwhile.

Exit code: 0. 3 where a file could not be read or written.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from k8s_tuning import timestamps
from k8s_tuning.cli import flags
from k8s_tuning.errors import InputError
from k8s_tuning.stages.history.retention import RetentionPolicy
from k8s_tuning.stages.targets import load_targets
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.usecases.prune import policy_of, prune


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("prune", help="drop what is past the limits", description=__doc__)
    parser.add_argument("--history-file", default=argparse.SUPPRESS, metavar="FILE", help="JSONL file (needed)")
    parser.add_argument("--max-age-days", type=float, metavar="N", help="what is older goes")
    parser.add_argument("--max-records", type=int, metavar="N", help="each target keeps its newest N records")
    parser.add_argument("--targets-file", metavar="FILE", help="take both limits from this targets.yaml")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    if not args.history_file:
        raise InputError("--history-file is missing; name the file that `k8s-tuning record` writes")
    policy = RetentionPolicy(args.max_age_days, args.max_records)
    if args.targets_file:
        policy = policy_of(load_targets(args.targets_file).retention)
    if policy == RetentionPolicy():
        raise InputError("no limit was given; name --max-age-days, --max-records or --targets-file")
    pruned = prune(StateDir.of_history(args.history_file), policy, timestamps.now())
    dropped = asdict(pruned) if policy.max_age_days is not None else {"records": pruned.records}
    flags.show(args, dropped, "Dropped: " + ", ".join(f"{name} {count}" for name, count in dropped.items()))
    return 0
