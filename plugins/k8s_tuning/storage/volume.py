"""Whether a folder is one that several hosts share, with locks that reach all of them, as far as can be seen from here.

Each check leaves `.volume/hosts/HOST.json` in the folder: the folder's identity as that host found it, and when. One
host alone can tell that it can write, that locks exclude its own processes, and which others it sees; that a lock
reaches another host shows where one of them holds it (`--hold`) while the other checks.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from k8s_tuning.errors import InputError, StoreError
from k8s_tuning.storage import locks
from k8s_tuning.storage.json_dir import JsonFolder
from k8s_tuning.storage.private import make_folder, replace

FOLDER = ".volume"
_IDENTITY = "identity"
_LOCK = "check.lock"
# Exits with 0 where it got the lock.
_TRY = (
    "import sys, filelock\n"
    "try: filelock.FileLock(sys.argv[1], timeout=0).acquire()\n"
    "except filelock.Timeout: sys.exit(9)\n"
)


@dataclass
class HostCheck:
    """One host's newest check. `identity`: of the folder as it found it. `holds`: it holds the lock until then."""

    host: str
    identity: str
    at: str
    holds_until: str | None = None


@dataclass
class VolumeReport:
    """What a check found. `problems`: what is wrong, each with its cure; `notes`: what could not be seen from here."""

    folder: str
    host: str
    identity: str
    hosts: list[HostCheck] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def identity(folder: Path) -> str:
    """The folder's identity: a random word in it, made at the first call. StoreError where it cannot be kept.

    Two hosts that read different ones do not share the folder.
    """
    path = folder / FOLDER / _IDENTITY
    try:
        make_folder(path.parent)
        if not path.exists():
            draft = path.with_name(f".{_IDENTITY}.{secrets.token_hex(8)}.part")
            replace(draft, secrets.token_hex(16).encode() + b"\n")
            try:
                os.link(draft, path)  # unlike a rename, it takes nobody's place who was quicker
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; the shared volume must be writable for this user") from error


def found_identity(folder: Path) -> str | None:
    """The folder's identity, None where it has none (yet). StoreError where it cannot be read."""
    path = folder / FOLDER / _IDENTITY
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error


def check_volume(folder: Path, host: str, now: str) -> VolumeReport:
    """Write, lock, and compare with what other hosts left. StoreError where the folder cannot be written at all."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", host):
        raise InputError(f"host {host!r} can be no file's name; give another with --host")
    report = VolumeReport(str(folder), host, identity(folder))
    checks = JsonFolder(folder / FOLDER / "hosts", HostCheck)
    others = [one for name, one in checks.items() if name != host]
    held = next((one for one in others if (one.holds_until or "") > now), None)
    if held is not None and _gets(folder):
        report.problems.append(
            f"host {held.host} holds the lock until {held.holds_until}, and this host got it too: locks do not reach "
            "other hosts. Mount NFS with local_lock=none and a lock daemon (or version 4), and no volume with nolock"
        )
    elif held is None:
        _check_own_lock(folder, report)
        report.notes.append(
            "whether a lock reaches other hosts shows where one of them runs this with --hold 60 while another checks"
        )
    report.problems += [
        f"host {one.host} found the identity {one.identity} here at {one.at}, this host finds {report.identity}: the "
        "folder was replaced, or is not the one that both should share"
        for one in others
        if one.identity != report.identity
    ]
    if not others:
        report.notes.append(
            "no other host has checked this folder: run this on each host, and each must see the others"
        )
    mine = HostCheck(host, report.identity, now)
    checks.change(host, lambda _: mine)
    report.hosts = [*others, mine]
    return report


def hold(folder: Path, host: str, now: str, until: str) -> filelock.FileLock:
    """Take the lock for other hosts to run into; the caller releases it. StoreError where another holds it."""
    lock = locks.lock(folder / FOLDER / _LOCK, 0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise StoreError(f"{folder}: another process holds the lock of this check; wait until it is done") from None
    found = identity(folder)
    JsonFolder(folder / FOLDER / "hosts", HostCheck).change(host, lambda _: HostCheck(host, found, now, until))
    return lock


def _check_own_lock(folder: Path, report: VolumeReport) -> None:
    lock = locks.lock(folder / FOLDER / _LOCK, 5)
    try:
        with lock:
            if _gets(folder):
                report.problems.append(
                    "a lock that this process holds did not keep another process of this host out: the volume has no "
                    "locks. Use one with flock (NFS 4, CephFS, EFS, Filestore)"
                )
    except filelock.Timeout:
        report.notes.append("another check holds the lock; locks were not tried")
    except (OSError, NotImplementedError) as error:
        report.problems.append(
            f"the volume takes no lock ({error}); use one with flock (NFS 4, CephFS, EFS, Filestore)"
        )


def _gets(folder: Path) -> bool:
    """Whether another process gets the lock now."""
    command = [sys.executable, "-c", _TRY, str(folder / FOLDER / _LOCK)]
    done = subprocess.run(command, capture_output=True, timeout=60)  # noqa: S603 - this interpreter, and a path
    return done.returncode == 0


def generate_volume_report_text(report: VolumeReport) -> str:
    """The report: the folder, who has seen it, what is wrong, what could not be seen."""
    lines = [f"Folder: {report.folder}", f"Identity: {report.identity}"]
    lines += [f"  host {one.host}: checked {one.at}, identity {one.identity}" for one in report.hosts]
    lines += [f"  ! {problem}" for problem in report.problems]
    lines += [f"  Note: {note}" for note in report.notes]
    return "\n".join([*lines, "Problems found." if report.problems else "Nothing wrong was found."]) + "\n"
