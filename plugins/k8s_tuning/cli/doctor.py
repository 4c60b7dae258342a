"""`k8s-tuning doctor volume`: whether the history's folder is one that all hosts share, with locks that reach them.

Run it on each host (worker, scheduler, API server): each must see the others, with one identity. With --hold SECONDS
one host holds the lock; the check on another then shows whether locks reach it.

Exit code: 0 nothing wrong was found, 1 something is, 3 the folder cannot be written.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

from k8s_tuning import timestamps
from k8s_tuning.cli import flags
from k8s_tuning.storage.state_dir import StateDir
from k8s_tuning.storage.volume import check_volume, generate_volume_report_text, hold

MOST_HOLD_SECONDS = 86_400


def register(commands: flags.Commands) -> None:
    doctor = commands.add_parser("doctor", help="check what the system stands on", description=__doc__)
    doctor.formatter_class = argparse.RawDescriptionHelpFormatter
    below = doctor.add_subparsers(dest="doctor_command", required=True, metavar="COMMAND")
    parser = below.add_parser("volume", help="is the folder shared, and do its locks reach", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--history-dir", metavar="DIR", help="the folder (default: $K8S_TUNING_HISTORY_DIR, else history/)"
    )
    parser.add_argument("--host", default=platform.node(), metavar="NAME", help="this host (default: %(default)s)")
    parser.add_argument(
        "--hold",
        type=flags.seconds(MOST_HOLD_SECONDS),
        default=0,
        metavar="SECONDS",
        help="then hold the lock, for others to try",
    )
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    folder = Path(args.history_dir) if args.history_dir else StateDir.default().root
    now = timestamps.now()
    report = check_volume(folder, args.host, now)
    flags.show(args, report, generate_volume_report_text(report))
    if args.hold > 0:
        lock = hold(folder, args.host, now, timestamps.later(now, seconds=args.hold))
        try:
            time.sleep(args.hold)
        finally:
            lock.release()
            check_volume(folder, args.host, now)  # it holds the lock no longer, and says so
    return 1 if report.problems else 0
