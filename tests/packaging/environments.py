"""Virtual environments that hold the built wheels and, of this environment, only what the wheels declare. Offline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
_BUILT_FROM = ("plugins", "sandbox", "dags", "include", "pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")


def build_wheels(folder: Path) -> Path:
    """Both wheels, from a copy of the checkout; the folder that has them."""
    source, wheels = folder / "source", folder / "wheels"
    source.mkdir()
    for name in _BUILT_FROM:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=_LEFT_OUT)
        else:
            shutil.copy(path, source / name)
    for project in (source, source / "sandbox"):
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(project))
    return wheels


def metadata_of(wheel: Path) -> Message:
    """What pip reads of a wheel."""
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a home directory of its own."""

    folder: Path
    home: Path

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A program of the environment, with nothing of the caller's Python or Airflow."""
        program, *arguments = command
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "K8S_TUNING"))}
        gone = ("PYTHONPATH", "KUBECONFIG", "VIRTUAL_ENV")
        env = {name: value for name, value in mine.items() if name not in gone}
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=self.home,
            env=env | {"HOME": str(self.home), **more},
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )


def make_environment(folder: Path, wheels: Path, requirement: str) -> Environment:
    """`pip install REQUIREMENT` into an empty environment; pip itself checks every range that the wheels declare."""
    made = Environment(folder / "env", folder / "home")
    made.home.mkdir(parents=True)
    venv.create(made.folder, symlinks=True, with_pip=False)
    site = next(made.folder.glob("lib/python3.*/site-packages"))
    found = {canonicalize_name(read["Name"]): read for read in map(metadata_of, wheels.glob("*.whl"))}
    for name in _closure(Requirement(requirement), found):
        _link(metadata.distribution(name), site)
    python = str(made.folder / "bin" / "python")
    _pip("--python", python, "install", "--no-index", "--find-links", str(wheels), requirement)
    return made


def _closure(wanted: Requirement, built: dict[str, Message]) -> list[str]:
    """The distributions that the requirement needs beside the built ones, by the metadata alone."""
    needed: dict[str, set[str]] = {}
    waiting = [wanted]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        new = ({""} | one.extras) - needed.setdefault(name, set())
        needed[name] |= new
        lines = built[name].get_all("Requires-Dist", []) if name in built else metadata.requires(name) or []
        waiting += [
            found
            for found in map(Requirement, lines)
            if any(found.marker is None or found.marker.evaluate({"extra": extra}) for extra in new)
        ]
    return [name for name in needed if name not in built]


def _link(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        if file.suffix == ".pyc":
            continue
        target = Path(os.path.normpath(site / file))
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.parts[0] == "..":
            # A program: its first line names the interpreter.
            program = Path(distribution.locate_file(file))
            if program.is_file() and not target.exists():
                rest = program.read_bytes().partition(b"\n")[2]
                target.write_bytes(b"#!%s\n%s" % (os.fsencode(site.parents[2] / "bin/python"), rest))
                target.chmod(0o755)
        elif not target.exists():
            target.symlink_to(distribution.locate_file(file))


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
