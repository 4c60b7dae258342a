"""`k8s-tuning alert`: D35, the incident that the newest health record is part of, sent to a channel or by a
configuration.

A dry run unless --send: it shows the bytes that would go, and no request leaves. With --config, or with
--ledger-file, a ledger remembers what was sent: the same incident is then sent once, repeated when due, and resolved.

Exit code: 0 sent, shown, or nothing to say; 1 a send failed; 3 the command could not do its job.

Secrets come from the environment: the webhook's URL from $K8S_TUNING_WEBHOOK_URL (or --webhook-url-env), with
--config a connection NAME from $K8S_TUNING_CONNECTION_NAME, as a URL or JSON (url, host, port, login, password,
extra).
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from k8s_tuning import timestamps
from k8s_tuning.alerts.channels import CHANNELS
from k8s_tuning.alerts.config import AlertingConfig, load_config
from k8s_tuning.alerts.credentials import ChannelSecret, from_environment
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.manager import CHANNEL_TYPES, AlertChannelConfig, K8sAlertManager, notice_of
from k8s_tuning.alerts.notice import Notice, Outcome
from k8s_tuning.alerts.observation import Observation, observe_target
from k8s_tuning.alerts.plan import plan_notices
from k8s_tuning.cli import (
    alert_ack,
    alert_doctor,
    alert_history,
    alert_replay,
    alert_routes,
    alert_smoke,
    flags,
    streams,
)
from k8s_tuning.cli.alert_sending import add_config, deliver, exit_code, new_run_id, outcomes_text
from k8s_tuning.cluster.connection import ClusterAccess
from k8s_tuning.cluster.events import K8sEventCollector
from k8s_tuning.errors import InputError, TuningError
from k8s_tuning.stages.events.snapshot import K8sEvent
from k8s_tuning.stages.history.store import K8sHealthHistoryStore
from k8s_tuning.storage.state_dir import StateDir


@dataclass
class AlertResult:
    """What --json prints: the notices, and what became of each, in the same order."""

    notices: list[Notice] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("alert", help="notify of an incident (D35)", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    flags.add_selection(parser)
    flags.add_cluster(parser)
    parser.add_argument("--target", metavar="NAME", help="the target's name in the history, where several fit")
    flags.add_cluster_name(parser)
    parser.add_argument("--history-file", metavar="FILE", help="JSONL file that `k8s-tuning record` writes (needed)")
    parser.add_argument(
        "--history-limit", type=flags.positive, default=20, metavar="N", help="records to read (default: 20)"
    )
    parser.add_argument(
        "--events-limit",
        type=flags.whole(0, "a whole number from 0 up"),
        default=10,
        metavar="N",
        help="events to keep; 0: none (default: 10)",
    )
    parser.add_argument(
        "--channel", "--channel-type", choices=CHANNEL_TYPES, help="where to, without --config (default: console)"
    )
    parser.add_argument(
        "--timeout", "--timeout-seconds", type=float, default=5, metavar="SECONDS", help="for one request (default: 5)"
    )
    flags.add_webhook(parser)
    add_config(parser, None)
    parser.add_argument(
        "--ledger-file", type=Path, metavar="FILE", help="what was sent (with --config: beside the history)"
    )
    parser.add_argument("--run-id", metavar="ID", help="one run's notices go out once (default: a new one each time)")
    really = parser.add_mutually_exclusive_group()
    really.add_argument("--send", "--no-dry-run", action="store_true", help="really send; without it nothing leaves")
    really.add_argument("--dry-run", dest="send", action="store_false", help="send nothing (the default)")
    flags.add_run(parser, run)
    below = parser.add_subparsers(dest="alert_command", metavar="COMMAND")
    for command in (alert_routes, alert_history, alert_replay, alert_smoke, alert_ack, alert_doctor):
        command.register(below)


def run(args: argparse.Namespace) -> int:
    if not args.history_file:
        raise InputError("--history-file is missing; name the file that `k8s-tuning record` writes")
    if args.config and args.channel:
        raise InputError("--channel and --config exclude each other: the configuration says which channels")
    if args.config and args.webhook_url:
        raise InputError("--webhook-url and --config exclude each other: put the URL where the connection is named")
    store = K8sHealthHistoryStore(args.history_file)
    now = timestamps.now()
    if args.config is None and args.ledger_file is None:
        return _once(args, store)
    which = {"target": args.target, "cluster": _cluster(args, store)}
    found = store.find(args.namespace, args.label_selector, **which)
    failing = found.last.failing_jobs if found and found.last else {}
    observation = observe_target(
        store,
        args.namespace,
        args.label_selector,
        _events(args, failing),
        now,
        **which,
        limit=max(args.history_limit, 1000),
    )
    if args.config is not None:
        return _by_ledger(args, load_config(args.config), observation, now, from_environment)
    config = _channel_config(args)
    secret = ChannelSecret(url=config.webhook_url)
    return _by_ledger(
        args, AlertingConfig.webhook(config.channel_type, args.timeout), observation, now, lambda _: secret
    )


def _by_ledger(
    args: argparse.Namespace, config: AlertingConfig, observation: Observation, now: str, resolve: Any
) -> int:
    ledger = Ledger(args.ledger_file or StateDir.of_history(args.history_file).ledger)
    notices = plan_notices(
        config, [observation], ledger, now, args.run_id or new_run_id("cli", now), dry_run=not args.send
    )
    outcomes = deliver(config, notices, ledger, send=args.send, quiet=args.json, resolve=resolve)
    text = outcomes_text(notices, outcomes)
    if not notices:
        health = "OK" if observation.incident is None else str(observation.incident.current_health)
        text = f"Health is {health}; nothing is to be sent now. `k8s-tuning alert history` says why."
    flags.show(args, AlertResult(notices, outcomes), text)
    return exit_code(outcomes)


def _once(args: argparse.Namespace, store: K8sHealthHistoryStore) -> int:
    shown: list[str] = []
    manager = K8sAlertManager(_channel_config(args), out=shown.append)
    which = {"target": args.target, "cluster": _cluster(args, store)}
    found = store.find(args.namespace, args.label_selector, **which)
    records = store.load_recent(args.history_limit, of=found) if found else []
    if not records:
        raise InputError(
            f"{store.path}: no record of namespace {args.namespace!r} and selector {args.label_selector!r}; "
            "record its health first"
        )
    # What the id rests on, however few records are read.
    records = store.open_run(args.namespace, args.label_selector, **which) or records
    incident = manager.build_incident_from_history(records, [])
    if incident is None:
        flags.show(args, AlertResult(), "Health is OK: no incident, nothing to send.")
        return 0
    incident = manager.build_incident_from_history(records, _events(args, incident.failing_jobs)) or incident
    payload = manager.build_alert_payload(incident)
    with contextlib.redirect_stdout(sys.stderr) if args.json else contextlib.nullcontext():
        done = manager.dispatch(payload)
    notice = notice_of(payload, args.channel or "console", incident.detected_at)
    outcomes = [manager.last_outcome] if manager.last_outcome else []
    flags.show(args, AlertResult([notice], outcomes), outcomes_text([notice], outcomes))
    return 0 if done else 1


def _cluster(args: argparse.Namespace, store: K8sHealthHistoryStore) -> str | None:
    """The cluster to tell of: where the history has several for these Jobs and no flag says which, the kubeconfig's."""
    alike = [one for one in store.targets() if (one.namespace, one.selector) == (args.namespace, args.label_selector)]
    if args.cluster or args.target or len(alike) <= 1:
        return cast("str | None", args.cluster)
    return ClusterAccess(kubeconfig=args.kubeconfig, context=args.context).server


def _events(args: argparse.Namespace, failing: Collection[str]) -> list[K8sEvent]:
    """The events that tell most; where the cluster cannot be read, none and a word: an alert goes out without."""
    if args.events_limit == 0:
        return []
    collector = K8sEventCollector(
        args.namespace, args.label_selector, args.kubeconfig, args.context, limit=args.events_limit
    )
    try:
        snapshot = collector.load_events(failing)
    except TuningError as error:
        streams.say(f"k8s-tuning alert: no events: {error}")
        return []
    for problem in snapshot.errors:
        streams.say(f"k8s-tuning alert: events: {problem}")
    return snapshot.events


def _channel_config(args: argparse.Namespace) -> AlertChannelConfig:
    channel = args.channel or "console"
    url = None
    if CHANNELS[channel].needs_connection:
        url = flags.webhook_url(args)
        if url is None and args.send:
            raise InputError(f"channel {channel}: ${args.webhook_url_env} is not set; put the webhook's URL there")
    return AlertChannelConfig(channel, url, args.timeout, not args.send)
