"""Waiting between D31 and D32: which of the applied Jobs have ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from k8s_tuning.stages.monitor.snapshot import ENDED


class WaitProgress:
    """What has been seen of the Jobs that were applied.

    A Job that was seen to end and is gone by the next check (ttlSecondsAfterFinished) has ended as it was seen; for one
    that is gone and was never seen to end there is no use in waiting. `remembered`: phases by name, as an earlier watch
    wrote them down; a Job that is there counts as it is now.
    """

    def __init__(self, job_names: Iterable[str], remembered: Mapping[str, str] | None = None) -> None:
        self._names = frozenset(job_names)
        known = remembered or {}
        self._last = {name: known[name] for name in self._names if known.get(name) in ENDED}
        self._seen_to_succeed: set[str] = set()
        self.waiting = set(self._names - self._last.keys())

    @property
    def succeeded(self) -> set[str]:
        """The Jobs that ended well."""
        return {name for name, phase in self._last.items() if phase == "SUCCEEDED"}

    @property
    def failed(self) -> set[str]:
        """The Jobs that failed."""
        return {name for name, phase in self._last.items() if phase == "FAILED"}

    def see(self, phases: Mapping[str, str]) -> bool:
        """Take in the present phase of every Job that is there; True where none is left to wait for."""
        there = self._names & phases.keys()
        for name in there - self._seen_to_succeed:
            self._last[name] = phases[name]
            if phases[name] == "SUCCEEDED":
                self._seen_to_succeed.add(name)
        self.waiting = {name for name in there if self._last[name] not in ENDED}
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
