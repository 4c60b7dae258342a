"""`k8s-tuning sandbox`: a local Kubernetes API in the foreground until Ctrl-C. Exit 0 stopped, 3 could not start."""

from __future__ import annotations

import argparse
import shlex
import signal
import threading
from pathlib import Path

from k8s_tuning.cli import flags
from k8s_tuning.errors import InputError

_port = flags.whole(0, "a port; give a number from 0 (any free one) to 65535", 65535)


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("sandbox", help="run a local Kubernetes API to try things on", description=__doc__)
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="how pods end (default: all succeed)")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="where to write it (default: a temporary file)")
    parser.add_argument(
        "--namespace", action="append", metavar="NAME", help="make this namespace as well (may be given again)"
    )
    parser.add_argument(
        "--dialect", default="1.36", metavar="VERSION", help="Kubernetes version to speak: 1.36 (default) or 1.20"
    )
    parser.add_argument(
        "--backoff-seconds",
        type=flags.seconds(3600),
        default=10.0,
        metavar="N",
        help="first wait before a failed pod is tried again; later ones grow twofold (default: 10, as Kubernetes)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        from k8s_tuning_sandbox import NAMESPACES, Sandbox
    except ModuleNotFoundError as error:
        needed = "pip install 'k8s-tuning[sandbox]'"
        raise InputError(f"the sandbox is not installed ({error}); install it: {needed}") from error

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    namespaces = dict.fromkeys((*NAMESPACES, *(args.namespace or ())))
    with Sandbox(
        args.scenario,
        port=args.port,
        kubeconfig=args.kubeconfig,
        namespaces=namespaces,
        dialect=args.dialect,
        backoff_seconds=args.backoff_seconds,
    ) as sandbox:
        path = shlex.quote(str(sandbox.kubeconfig.absolute()))
        print(
            f"Kubernetes API (sandbox {sandbox.dialect.version}, in memory): {sandbox.url}\n"
            f"Scenario: {sandbox.scenario_file} (re-read when it changes)\n"
            f"Read-only kubeconfig: {sandbox.kubeconfig_readonly}\n"
            f"Next, in another terminal:\n"
            f"  export KUBECONFIG={path}\n"
            f"  kubectl get jobs -A\n"
            f"Ctrl-C stops it; everything in it is gone then.",
            flush=True,
        )
        # A wait without a bound would not let a signal through on every platform.
        while not over.wait(3600):
            pass
    return 0
