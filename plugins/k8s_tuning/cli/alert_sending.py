"""What the alert commands share: sending several notices at once, and saying what became of them."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from k8s_tuning import timestamps
from k8s_tuning.alerts.config import AlertingConfig, parse_duration
from k8s_tuning.alerts.credentials import Resolve, from_environment
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.notice import Notice, Outcome
from k8s_tuning.errors import InputError
from k8s_tuning.usecases.deliver_alert import deliver_all

CONFIG = "include/configs/alerting.yaml"


def add_config(parser: argparse.ArgumentParser, default: str | None = CONFIG) -> None:
    """--config: the alerting file."""
    shown = f"(default: {default})" if default else "(default: none, one channel for everything)"
    parser.add_argument("--config", type=Path, default=default, metavar="FILE", help=f"alerting.yaml {shown}")


def deliver(
    config: AlertingConfig,
    notices: Sequence[Notice],
    ledger: Ledger | None,
    *,
    send: bool,
    quiet: bool = False,
    resolve: Resolve = from_environment,
) -> list[Outcome]:
    """Deliver all of them. `quiet`: standard output is for JSON alone; the console channel writes to standard error."""
    with contextlib.redirect_stdout(sys.stderr) if quiet else contextlib.nullcontext():
        return deliver_all(config, notices, resolve, ledger, dry_run=not send)


def outcomes_text(notices: Sequence[Notice], outcomes: Sequence[Outcome]) -> str:
    """A line a notice, and in a dry run the bytes that would go."""
    lines = [outcome.shown for outcome in outcomes if outcome.shown]
    for notice, outcome in zip(notices, outcomes, strict=True):
        decisions = ", ".join(dict.fromkeys(item.decision for item in notice.items))
        tries = f" after {outcome.attempts} tries" if outcome.attempts > 1 else ""
        place = f"{outcome.receiver}/{outcome.channel}"
        lines.append(f"{outcome.outcome:<12} {place}: {decisions}: {notice.title}{tries} ({outcome.answer})")
    return "\n".join(lines)


def new_run_id(kind: str, now: str) -> str:
    """An id that no other run has: two within one second are two."""
    return f"{kind}-{now}-{secrets.token_hex(3)}"


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 sent, shown, or nothing to say; 1 where one failed."""
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def since(text: str) -> str:
    """A timestamp as given, or the one that lies a duration (7d, 12h) back."""
    try:
        back = parse_duration(text)
    except InputError:
        try:
            return timestamps.to_text(timestamps.to_datetime(text))
        except InputError:
            message = f"{text!r} is neither a duration (7d, 12h) nor a timestamp (2025-11-16T10:00:00Z)"
            raise argparse.ArgumentTypeError(message) from None
    now = timestamps.to_datetime(timestamps.now()).timestamp()
    if back >= now:
        raise argparse.ArgumentTypeError(f"{text!r} is longer ago than time is counted")
    return timestamps.to_text(datetime.fromtimestamp(now - back, UTC))
