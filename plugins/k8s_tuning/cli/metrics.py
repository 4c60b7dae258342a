"""`k8s-tuning metrics`: the metrics without Airflow, printed, written for node_exporter, or served to Prometheus.

Exit codes: 0 printed or written; 3 it could not be. A server runs until Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from k8s_tuning.cli import flags
from k8s_tuning.errors import InputError, StoreError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser(
        "metrics", help="the recorded health as Prometheus metrics: printed, to a file, or served"
    )
    parser.add_argument("--history-file", required=True, metavar="FILE", help="the history that `record` writes")
    parser.add_argument("--ledger-file", metavar="FILE", help="the ledger of sent alerts")
    parser.add_argument("--runs-file", metavar="FILE", help="the journal of pipeline runs")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--listen", metavar="HOST:PORT", help="serve /metrics there, for Prometheus to scrape")
    where.add_argument("--textfile", metavar="FILE.prom", help="write the file at once, for node_exporter's collector")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from k8s_tuning.metrics import Metrics

    metrics = Metrics(args.history_file, args.ledger_file, args.runs_file)
    if args.listen:
        return _serve(metrics.registry(), *_address(args.listen))
    if args.textfile:
        return _write(metrics.registry(), Path(args.textfile))
    sys.stdout.write(metrics.render().decode())
    return 0


def _write(registry: CollectorRegistry, path: Path) -> int:
    from prometheus_client import write_to_textfile

    if path.suffix != ".prom":
        raise InputError(f"--textfile {path}: node_exporter reads only files that end in .prom; name it so")
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}; check its folder") from error
    return 0


def _serve(registry: CollectorRegistry, host: str, port: int) -> int:
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that IDNA has no form of
        cause = getattr(error, "strerror", None) or "no address"
        raise InputError(f"--listen {host}:{port}: {cause}; name a free address") from error
    # The port that was taken matters with port 0.
    print(f"serving http://{host}:{server.server_port}/metrics until Ctrl-C", flush=True)
    try:
        thread.join()
    finally:
        server.shutdown()
    return 0


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not (separator and host and port.isdecimal() and len(port) < 6 and int(port) < 65536):
        raise InputError(f"--listen {text!r} is not HOST:PORT; for instance 127.0.0.1:9105")
    return host.strip("[]"), int(port)
