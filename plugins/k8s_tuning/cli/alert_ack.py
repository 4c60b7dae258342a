"""`k8s-tuning alert ack`: somebody has taken an incident; it is not repeated unless it grows worse, and still resolved.

PagerDuty, where it was notified, is notified of this too.

Exit code: 0; 1 PagerDuty was not reached; 3 no such open incident.
"""

from __future__ import annotations

import argparse
import getpass
import os
from pathlib import Path

from k8s_tuning import timestamps
from k8s_tuning.alerts.config import load_config
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.plan import acknowledge
from k8s_tuning.cli import flags
from k8s_tuning.cli.alert_sending import add_config, deliver, exit_code, new_run_id, outcomes_text


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("ack", help="take an open incident", description=__doc__)
    parser.add_argument("incident", help="its id, as `alert history` shows it")
    parser.add_argument("--ledger-file", required=True, type=Path, metavar="FILE", help="the ledger")
    parser.add_argument("--by", default=None, metavar="NAME", help="who takes it (default: this user)")
    add_config(parser)
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    ledger = Ledger(args.ledger_file)
    now = timestamps.now()
    by = args.by or os.environ.get("USER") or getpass.getuser()
    notices = acknowledge(config, args.incident, by, ledger, now, new_run_id("ack", now))
    outcomes = deliver(config, notices, ledger, send=True, quiet=args.json)
    text = f"Incident {args.incident} is taken by {by}.\n{outcomes_text(notices, outcomes)}"
    flags.show(args, outcomes, text)
    return exit_code(outcomes)
