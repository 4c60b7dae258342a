"""`k8s-tuning init`: lay DAGs and configuration files into an Airflow or Astro project. Exit 0 done, 3 could not."""

from __future__ import annotations

import argparse
from pathlib import Path

from k8s_tuning.cli import flags
from k8s_tuning.errors import InputError
from k8s_tuning.usecases.init_project import FileState, compare_project, write_project


def register(commands: flags.Commands) -> None:
    parser = commands.add_parser("init", help="lay DAGs and configuration into an Airflow project", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR", help="the project: Airflow's home, or an Astro project")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be done")
    parser.add_argument("--overwrite", action="store_true", help="replace files that differ from the shipped ones")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.directory.exists() and not args.directory.is_dir():
        raise InputError(f"{args.directory}: not a directory; give the Airflow project's")
    files = compare_project(args.directory)
    wanted = {FileState.ABSENT, FileState.DIFFERS} if args.overwrite else {FileState.ABSENT}
    if not args.dry_run:
        write_project(args.directory, (file for file in files if file.state in wanted))
    would = "would be " if args.dry_run else ""
    said = {
        FileState.ABSENT: f"{would}created",
        FileState.SAME: "is there already",
        FileState.DIFFERS: f"{would}replaced" if args.overwrite else "differs, and was kept; --overwrite replaces it",
    }
    for file in files:
        print(f"{file.name}: {said[file.state]}")
    print(
        f"\nNext: name your namespaces and targets in {args.directory / 'include' / 'configs'}.\n"
        "Where Airflow runs, install k8s-tuning[airflow] (Astro: a line in requirements.txt), and set\n"
        "K8S_TUNING_HISTORY_DIR to a folder that scheduler, workers, triggerer and API server share."
    )
    return 0
