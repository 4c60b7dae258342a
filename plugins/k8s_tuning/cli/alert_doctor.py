"""`k8s-tuning alert doctor`: which link from the metrics to a person is broken, for Prometheus and Alertmanager.

Exit code: 0 every link that was tried holds, 1 one is broken, 3 the command could not be run.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from datetime import UTC, datetime

from k8s_tuning.alerts.doctor import SMOKE, Chain, Link, Trial, broken, diagnose
from k8s_tuning.cli import flags

TOKEN_VARIABLE = "K8S_TUNING_METRICS_TOKEN"  # noqa: S105 - a variable's name
_SIGNS = {"ok": "ok      ", "broken": "BROKEN  ", "unknown": "unknown "}


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser(
        "doctor", help="find the broken link of metrics, Prometheus, Alertmanager, receiver", description=__doc__
    )
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL", help="default: %(default)s")
    parser.add_argument("--alertmanager", default="http://127.0.0.1:9093", metavar="URL", help="default: %(default)s")
    parser.add_argument("--metrics", metavar="URL", help=f"the metrics endpoint too; its token in ${TOKEN_VARIABLE}")
    parser.add_argument("--send", action="store_true", help="post a test alert and see it delivered")
    parser.add_argument(
        "--severity", choices=("critical", "warning", "info"), default="warning", help="of the test alert"
    )
    parser.add_argument("--namespace", default=flags.NAMESPACE, help="of the test alert (default: %(default)s)")
    parser.add_argument("--wait", type=float, default=60, metavar="SECONDS", help="for its delivery (default: 60)")
    flags.add_run(parser, run)


def run(args: argparse.Namespace) -> int:
    chain = Chain(args.prometheus, args.alertmanager, args.metrics, os.environ.get(TOKEN_VARIABLE))
    # Alertmanager groups by service: within a group that it has notified already it would wait for group_interval.
    service = f"k8s-tuning-test-{secrets.token_hex(3)}"
    labels = {"alertname": SMOKE, "service": service, "severity": args.severity, "namespace": args.namespace}
    trial = Trial(labels, args.wait, time.sleep, lambda: datetime.now(UTC)) if args.send else None
    links: list[Link] = []
    for link in diagnose(chain, trial):
        links.append(link)
        if not args.json:
            # As it is found: delivery may take a minute.
            sys.stdout.write(_line(link))
            sys.stdout.flush()
    worst = broken(links)
    if args.json:
        flags.show(args, links, "")
    else:
        print(f"\nThe broken link: {worst.name}." if worst else "\nEvery link that was tried holds.")
    return 1 if worst else 0


def _line(link: Link) -> str:
    line = f"{_SIGNS[link.state]} {link.name:<14} {link.found}\n"
    return line + (f"{'':>24}{link.cure}\n" if link.cure else "")
