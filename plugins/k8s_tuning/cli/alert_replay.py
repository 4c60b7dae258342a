"""`k8s-tuning alert replay`: today's configuration over the recorded history: what would have been sent. Sends nothing.

For trying out a threshold or a route before it is live. Exit code: 0; 3 where a file cannot be used.
"""

from __future__ import annotations

import argparse

from k8s_tuning.alerts.config import load_config
from k8s_tuning.alerts.replay import Replay, replay
from k8s_tuning.cli import flags
from k8s_tuning.cli.alert_sending import add_config, since
from k8s_tuning.errors import InputError
from k8s_tuning.stages.history.store import K8sHealthHistoryStore

# Half a year of checks every five minutes for twenty targets; what bounds the memory that one replay takes.
_MOST_RECORDS = 1_000_000


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("replay", help="what a configuration would have sent", description=__doc__)
    parser.add_argument("--history-file", required=True, metavar="FILE", help="JSONL file that `record` writes")
    parser.add_argument(
        "--since", type=since, required=True, metavar="TIME", help="a timestamp, or how long ago: 7d, 12h"
    )
    parser.add_argument("-n", "--namespace", help="only this namespace (default: all)")
    parser.add_argument("-l", "--label-selector", help="only this selector, as it was recorded (default: all)")
    add_config(parser)
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    store = K8sHealthHistoryStore(args.history_file)
    records = store.load_recent(_MOST_RECORDS, namespace=args.namespace, selector=args.label_selector)
    if not records:
        raise InputError(f"{store.path}: no records to replay; `k8s-tuning record` writes them")
    result = replay(config, records, args.since)
    flags.show(args, result, _text(result))
    return 0


def _text(result: Replay) -> str:
    lines = [f"{result.records} records since {result.since}: {len(result.notices)} messages would have been sent."]
    lines += [
        f"{notice.at}  {notice.receiver}/{notice.channel}  {notice.status} "
        f"({', '.join(notice.decisions)})  {notice.title}"
        for notice in result.notices
    ]
    lines.append("Decisions: " + (", ".join(f"{name} {count}" for name, count in result.decisions.items()) or "none"))
    return "\n".join(lines)
