"""`k8s-tuning history`: D34, the last health checks as a table, or the summary of all.

Exit code: 0. 3 where the history could not be read.
"""

from __future__ import annotations

import argparse

from k8s_tuning.cli import flags, history_prune
from k8s_tuning.errors import InputError
from k8s_tuning.stages.history.store import K8sHealthHistoryStore, generate_history_summary_text, generate_history_text


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("history", help="show recorded health (D34)", description=__doc__)
    parser.add_argument("--history-file", metavar="FILE", help="JSONL file (needed)")
    parser.add_argument(
        "--limit", type=flags.positive, default=20, metavar="N", help="the last N records (default: 20)"
    )
    parser.add_argument(
        "--summary",
        "--summary-only",
        action="store_true",
        help="only the counts over the whole history, and the last record",
    )
    parser.add_argument("-n", "--namespace", help="only this namespace (default: all)")
    parser.add_argument("-l", "--label-selector", help="only this selector, as it was recorded (default: all)")
    flags.add_run(parser, run)
    below = parser.add_subparsers(dest="history_command", metavar="COMMAND")
    history_prune.register(below)


def run(args: argparse.Namespace) -> int:
    if not args.history_file:
        raise InputError("--history-file is missing; name the file that `k8s-tuning record` writes")
    store = K8sHealthHistoryStore(args.history_file)
    if args.summary:
        summary = store.summarize(namespace=args.namespace, selector=args.label_selector)
        flags.show(args, summary, generate_history_summary_text(summary))
    else:
        records = store.load_recent(args.limit, namespace=args.namespace, selector=args.label_selector)
        text = generate_history_text(records)
        if not store.path.exists():
            text = f"No records: {store.path} does not exist yet; `k8s-tuning record` makes it.\n"
        flags.show(args, records, text)
    return 0
