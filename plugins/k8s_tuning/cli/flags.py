"""Flags that several commands share, and the one way they print their result."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import orjson

from k8s_tuning import wire

NAMESPACE = "trading-bots"
LABEL_SELECTOR = "app=arbitrage-tuning"


def add_selection(parser: argparse.ArgumentParser) -> None:
    """--namespace and --label-selector: which Jobs."""
    parser.add_argument("-n", "--namespace", default=NAMESPACE, help="namespace (default: %(default)s)")
    parser.add_argument(
        "-l",
        "--label-selector",
        default=LABEL_SELECTOR,
        help="label selector, Kubernetes' syntax (default: %(default)s)",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """--kubeconfig and --context: which cluster. Without them: $KUBECONFIG, ~/.kube/config, then in-cluster."""
    parser.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig file (default: as kubectl finds it)")
    parser.add_argument("--context", help="kubeconfig context (default: the current one)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json: the result's fields on standard output instead of the report."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def show(args: argparse.Namespace, result: Any, text: str) -> None:
    """Print `result` as JSON with --json (UTF-8, indented), else the report text."""
    if args.json:
        sys.stdout.write(orjson.dumps(wire.dump(result), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(text.rstrip("\n") + "\n")
