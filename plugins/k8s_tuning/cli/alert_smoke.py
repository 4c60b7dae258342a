"""`k8s-tuning alert smoke`: a marked test alert to every channel of one receiver. A dry run unless --send.

Exit code: 0 sent or shown; 1 a channel failed; 3 the command could not do its job.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from k8s_tuning import timestamps
from k8s_tuning.alerts.config import load_config
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.plan import smoke_notices
from k8s_tuning.cli import flags
from k8s_tuning.cli.alert_sending import add_config, deliver, exit_code, new_run_id, outcomes_text


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("smoke", help="send a test alert through a receiver", description=__doc__)
    add_config(parser)
    parser.add_argument("--receiver", required=True, help="whose channels to try")
    parser.add_argument("--message", default="Somebody is trying whether this message arrives.", help="what it says")
    parser.add_argument("--ledger-file", type=Path, metavar="FILE", help="note the attempt there")
    parser.add_argument("--send", action="store_true", help="really send; without it nothing leaves")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    now = timestamps.now()
    notices = smoke_notices(config, args.receiver, args.message, now, new_run_id("smoke", now))
    outcomes = deliver(
        config, notices, Ledger(args.ledger_file) if args.ledger_file else None, send=args.send, quiet=args.json
    )
    flags.show(args, outcomes, outcomes_text(notices, outcomes))
    return exit_code(outcomes)
