"""`k8s-tuning alert history`: what was decided and sent, from the ledger, newest last.

Exit code: 0; 3 where the ledger could not be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.alerts.reason import ATTEMPTED, Result
from k8s_tuning.cli import flags
from k8s_tuning.cli.alert_sending import since
from k8s_tuning.stages.alert.incident import IncidentSeverity

_OUTCOMES = [*Result][:-1]
# The flags that have the name of a field.
_EXACT = ("outcome", "severity", "receiver", "channel", "decision", "run_id", "namespace", "target")


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("history", help="what was decided and sent", description=__doc__)
    parser.add_argument("--ledger-file", required=True, type=Path, metavar="FILE", help="the ledger")
    parser.add_argument("--limit", type=flags.positive, default=20, metavar="N", help="the last N lines (default: 20)")
    parser.add_argument("--since", type=since, metavar="TIME", help="a timestamp, or how long ago: 7d, 12h")
    parser.add_argument("--attempts", action="store_true", help="only what was sent or tried, not what was decided")
    parser.add_argument("--outcome", choices=_OUTCOMES, help="only this outcome")
    parser.add_argument("--severity", choices=list(IncidentSeverity), help="only this severity")
    for name, what in (
        ("incident", "this incident's id"),
        ("receiver", "this receiver"),
        ("channel", "this channel"),
        ("decision", "this decision (first, repeat_due, muted, …)"),
        ("run-id", "this run"),
        ("namespace", "this namespace"),
        ("target", "this target"),
    ):
        parser.add_argument(f"--{name}", help=f"only {what}")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    ledger = Ledger(args.ledger_file)
    lines = list(islice((line for line in ledger.newest_first() if _wanted(args, line)), args.limit))[::-1]
    text = _table(lines) if lines else "No lines.\n"
    if not args.ledger_file.exists():
        text = f"No lines: {args.ledger_file} does not exist yet; the first alert makes it.\n"
    flags.show(args, [line.record() for line in lines], text)
    return 0


def _wanted(args: argparse.Namespace, line: LedgerLine) -> bool:
    if args.incident not in (None, line.incident_id):
        return False
    if any(getattr(args, name) not in (None, getattr(line, name)) for name in _EXACT):
        return False
    if args.attempts and line.outcome not in ATTEMPTED:
        return False
    return args.since is None or line.at >= args.since


def _table(lines: Iterable[LedgerLine]) -> str:
    rows = [("AT", "INCIDENT", "NAMESPACE", "SEVERITY", "RECEIVER/CHANNEL", "OUTCOME", "DECISION AND WHY")]
    for line in lines:
        place = f"{line.receiver}/{line.channel}" if line.channel else line.receiver
        outcome = f"{line.outcome} (dry run)" if line.dry_run and line.outcome != Result.DRY_RUN else line.outcome
        said = f" -> {line.answer}" if line.answer else ""
        why = f"{line.status} {line.decision}: {line.why}{said}"
        rows.append((line.at, line.incident_id, line.namespace, line.severity.value, place, outcome, why))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    )
