"""`k8s-tuning`: the same stages without Airflow, for CI systems and cron. A command a stage, a file a command.

A command's module says in its docstring what the command does and how it exits: `--help` shows that. `register` adds
the command and its flags, `run` does it and returns the exit code.

Exit codes are the stages' own (the stage pages say which); 3 is this command's: it could not do its job at all, for a
wrong flag, a file that cannot be used, a cluster that refuses, a standard output that is closed or full, or a fault
that nobody foresaw. One line on standard error then says what it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from k8s_tuning import unforeseen
from k8s_tuning.cli import streams
from k8s_tuning.cli.streams import CANNOT
from k8s_tuning.errors import OutputError, TuningError

__all__ = ["CANNOT", "COMMANDS", "main", "parser"]

COMMANDS = (
    "generate",
    "validate",
    "apply",
    "monitor",
    "health",
    "record",
    "history",
    "alert",
    "metrics",
    "run",
    "doctor",
    "init",
    "sandbox",
)

# A command's earlier name, which scripts may still use.
ALIASES = {"watch": "monitor"}


class _Parser(argparse.ArgumentParser):
    def __init__(self, **kwargs: Any) -> None:
        # A flag that is cut short may mean another one tomorrow; `--webhook-url` once meant `--webhook-url-env`.
        super().__init__(**{**kwargs, "allow_abbrev": False})

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but a word that no flag takes is not printed whole: it may hold a secret."""
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flags = [word.partition("=")[0] for word in unknown if word.startswith("-")]
            self.error(f"unrecognized arguments: {' '.join(flags)}" if flags else f"{len(unknown)} words too many")
        return known

    def error(self, message: str) -> NoReturn:
        # argparse would exit with 2, which is this system's code for "health is ERROR". A word that it does not
        # understand may be a webhook's URL.
        message = unforeseen.without_addresses(message)
        self.exit(CANNOT, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The whole command line, or that of some commands: the others' modules are then not loaded."""
    top = _Parser(prog="k8s-tuning", description="Kubernetes tuning Jobs: generate, validate, apply, watch, alert.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names:
        import_module(f"{__name__}.{name}").register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. What goes wrong becomes one line on standard error and exit code 3.

    141 where whoever read standard output is gone (`| head`), 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    named = [ALIASES.get(word, word) for word in words[:1] if word in COMMANDS or word in ALIASES]
    name = " ".join(["k8s-tuning", *words[: len(named)]])
    args = None
    code = 0
    try:
        with unforeseen.net():
            streams.prepare()
            args = parser(named or COMMANDS).parse_args(words)
            code = args.run(args)
    except TuningError as error:
        streams.say(f"{name}: {error}")
        code = CANNOT
    except OutputError:
        pass  # `finish` says so
    except KeyboardInterrupt:
        code = 130
    except SystemExit as end:
        if args is None:  # argparse's, which has said all
            raise SystemExit(streams.finish(int(end.code or 0), name)) from None
        streams.say(f"{name}: {unforeseen.report(end)}")
        code = CANNOT
    return streams.finish(code, name)
