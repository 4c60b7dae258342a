"""Flags that several commands share, and the one way they print their result."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from k8s_tuning import plain_values
from k8s_tuning.cli import streams
from k8s_tuning.errors import StoreError
from k8s_tuning.printable import json_text, printable

NAMESPACE = "trading-bots"
LABEL_SELECTOR = "app=arbitrage-tuning"
URL_VARIABLE = "K8S_TUNING_WEBHOOK_URL"

Commands: TypeAlias = "argparse._SubParsersAction[Any]"


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


def add_log_lines(parser: argparse.ArgumentParser, default: int) -> None:
    """--max-log-lines: how much of each container's log."""
    parser.add_argument(
        "--max-log-lines",
        type=whole(0, "a whole number of lines (0 or more)", 999_999_999),
        default=default,
        metavar="N",
        help="last lines of each container's log, 0 for none (default: %(default)s)",
    )


def add_cluster_name(parser: argparse.ArgumentParser) -> None:
    """--cluster: what the history calls the cluster."""
    parser.add_argument(
        "--cluster",
        metavar="NAME",
        help="the cluster's name in the history (default: host and port of its API server; the DAGs: the connection)",
    )


def add_run(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    """What the command does; --json: its result's fields instead of the report; --output-json: them into a file."""
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--output-json", type=Path, metavar="FILE", help="write the result as JSON into this file, too")


def add_report_file(parser: argparse.ArgumentParser, flag: str) -> None:
    """`flag` FILE: the report's text into a file as well."""
    parser.add_argument(
        flag, dest="report_file", type=Path, metavar="FILE", help="write the report into this file, too"
    )


def add_webhook(parser: argparse.ArgumentParser) -> None:
    """--webhook-url-env, and the stage guides' --webhook-url: where a webhook's URL comes from (`webhook_url`)."""
    parser.add_argument(
        "--webhook-url-env",
        default=URL_VARIABLE,
        metavar="NAME",
        help="environment variable with the webhook's URL (default: %(default)s)",
    )
    parser.add_argument(
        "--webhook-url",
        metavar="URL",
        help="the webhook's URL itself; other users of this machine see it in the list of processes",
    )


def webhook_url(args: argparse.Namespace) -> str | None:
    """The webhook's URL: the flag's, else the environment variable's, else None. It is never printed."""
    if args.webhook_url is not None:
        streams.say(
            f"k8s-tuning {args.command}: --webhook-url can be read by other users of this machine in the list of "
            f"processes, and stays in the shell's history; ${args.webhook_url_env} is safer"
        )
    url = args.webhook_url if args.webhook_url is not None else os.environ.get(args.webhook_url_env, "")
    return url.strip() or None


def show(args: argparse.Namespace, result: Any, text: str) -> None:
    """Print `result` as JSON with --json (UTF-8, indented), else the report text; both into the files asked for."""
    sys.stdout.write(_as_json(result) if args.json else printable(text).rstrip("\n") + "\n")
    write_files(args, result, text)


def write_files(args: argparse.Namespace, result: Any, text: str) -> None:
    """The files that --output-json and --output-plan or --output-report name. StoreError where one is not writable."""
    report: Path | None = getattr(args, "report_file", None)
    for path, content in ((args.output_json, _as_json(result)), (report, printable(text).rstrip("\n") + "\n")):
        if path is None:
            continue
        try:
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}; check its folder") from error


def _as_json(result: Any) -> str:
    values = plain_values.dump(result)
    try:
        text = orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:  # half a character, of a file's name; or a number of more than 64 bits
        text = json.dumps(values, ensure_ascii=False, indent=2)
    return json_text(text) + "\n"


def whole(least: int, words: str, most: int = 10**18) -> Callable[[str], int]:
    """A flag's type: whole numbers from `least` to `most`. `words` say so in the error: "'x' is not WORDS"."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 19) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
        return int(text)

    return read


positive = whole(1, "a whole number above 0")


def seconds(most: float) -> Callable[[str], float]:
    """A flag's type: seconds from 0 to `most`."""
    return number(lambda found: 0 <= found <= most, f"no time; give seconds from 0 to {most:g}")


def number(holds: Callable[[float], bool], words: str) -> Callable[[str], float]:
    """A flag's type: numbers of which `holds` is true. `words` are the error's: "'x' is WORDS"."""

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if holds(found := float(text)):
                return found
        raise argparse.ArgumentTypeError(f"{text!r} is {words}")

    return read
