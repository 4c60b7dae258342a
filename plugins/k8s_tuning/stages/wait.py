"""Waiting between D31 and D32: which of the applied Jobs have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ENDED = frozenset({"SUCCEEDED", "FAILED"})


class WaitProgress:
    """What has been seen of the Jobs that were applied.

    A Job that succeeded and is gone by the next look (ttlSecondsAfterFinished) has succeeded; one that is gone and was
    never seen to succeed is missing, and there is no use in waiting for it.
    """

    def __init__(self, job_names: Iterable[str]) -> None:
        self._names = frozenset(job_names)
        self.waiting = set(self._names)
        self.succeeded: set[str] = set()
        self.failed: set[str] = set()

    def see(self, phases: Mapping[str, str]) -> bool:
        """Take in the present phase of every Job that is there; True where none is left to wait for."""
        self.succeeded |= {name for name in self._names if phases.get(name) == "SUCCEEDED"}
        self.failed = {name for name in self._names - self.succeeded if phases.get(name) == "FAILED"}
        self.waiting = {name for name in self._names - self.succeeded - self.failed if name in phases}
        return not self.waiting

    def as_dict(self) -> dict[str, Any]:
        """JSON values, names sorted."""
        return {name: sorted(getattr(self, name)) for name in ("succeeded", "failed", "waiting")}


def generate_wait_report_text(progress: Mapping[str, list[str]], seconds: float) -> str:
    """How the wait ended, in a line or two; `seconds`: how long it was allowed to last."""
    done = len(progress["succeeded"]) + len(progress["failed"])
    text = f"{done} Job(s) ended: {len(progress['succeeded'])} succeeded, {len(progress['failed'])} failed."
    if progress["waiting"]:
        text += (
            f"\nAfter {seconds:g} s still not ended: {', '.join(progress['waiting'])}. Monitoring goes on without them."
        )
    return text
