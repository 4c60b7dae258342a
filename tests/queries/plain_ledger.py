"""The ledger asked the plainest way: every line read anew, each answer worked out from the whole list of lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from k8s_tuning.alerts.ledger_line import LedgerLine
from k8s_tuning.errors import InputError
from k8s_tuning.storage.jsonl import decode
from k8s_tuning.timestamps import to_datetime

DELIVERED = ("sent", "dry_run")
CLOSING = ("over", "resolve_off", "receiver_gone")


@dataclass
class PlainEntry:
    """An entry's lines, oldest first, each with its position among all."""

    lines: list[tuple[int, LedgerLine]]

    @property
    def counted(self) -> list[tuple[int, LedgerLine]]:
        """The real ones; where there are none, all."""
        return [one for one in self.lines if not one[1].dry_run] or self.lines

    @property
    def first(self) -> LedgerLine:
        return self.counted[0][1]

    @property
    def incident_ids(self) -> list[str]:
        return list(dict.fromkeys(line.incident_id for _, line in self.lines))

    @property
    def attempt(self) -> LedgerLine | None:
        """The newest; one that fails after one that went through changes nothing."""
        newest = None
        for _, line in self.counted:
            if line.outcome in ("owed", "not_sent"):
                continue
            if newest is None or line.outcome != "failed" or newest.outcome not in DELIVERED:
                newest = line
        return newest


def read(path: Path) -> list[LedgerLine]:
    """Every whole line that is one of the ledger's."""
    lines = []
    for data in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        try:
            line = msgspec.convert(decode(data), LedgerLine)
            to_datetime(line.at)
            to_datetime(line.started_at)
        except (InputError, msgspec.ValidationError):
            continue
        lines.append(line)
    return lines


def entries(lines: list[LedgerLine]) -> list[PlainEntry]:
    """Oldest first, by their first lines."""
    found: dict[Any, PlainEntry] = {}
    for position, line in enumerate(lines):
        found.setdefault(line.notice_id or position, PlainEntry([])).lines.append((position, line))
    return list(found.values())


def outcome(entry: PlainEntry, lines: list[LedgerLine]) -> str:
    """What has become of an entry."""
    if not entry.first.notice_id:
        return entry.first.outcome
    attempt = entry.attempt
    planned = [line for _, line in entry.counted if _is_pending(line)]
    if any(_has_pending(entry, incident_id, lines) for incident_id in entry.incident_ids):
        return "failed" if attempt and attempt.outcome == "failed" else "owed"
    if attempt and not (attempt.outcome == "failed" and planned):
        return attempt.outcome
    return "superseded" if planned else entry.first.outcome


def _has_pending(entry: PlainEntry, incident_id: str, lines: list[LedgerLine]) -> bool:
    """Whether its decision is the last one for this incident's channel, and nothing has come of it yet."""
    one = entry.first
    real = {line.notice_id for line in lines if not line.dry_run}
    began = {notice: min(n for n, line in enumerate(lines) if line.notice_id == notice and not line.dry_run)
             for notice in real}  # fmt: skip
    about = [
        line
        for position, line in enumerate(lines)
        if (line.incident_id, line.receiver, line.channel, line.dry_run)
        == (incident_id, one.receiver, one.channel, one.dry_run)
        # Once a notice was really planned, its dry runs count for nothing.
        and (not line.dry_run or not line.notice_id or position < began.get(line.notice_id, len(lines)))
    ]
    pending = [position for position, line in enumerate(about) if _is_pending(line)]
    if not pending or about[pending[-1]].notice_id != one.notice_id:
        return False
    return not any(
        (line.notice_id == one.notice_id and line.outcome in DELIVERED)
        or (line.outcome == "not_sent" and line.decision in CLOSING and line.status != "test")
        for line in about[pending[-1] :]
    )


def _is_pending(line: LedgerLine) -> bool:
    return line.outcome == "owed" and line.status in ("firing", "resolved")


def is_quiet(entry: PlainEntry) -> bool:
    """A decision against a message."""
    one = entry.first
    return not one.notice_id and one.decision != "receiver_gone" and one.status != "acknowledged"


def passes(entry: PlainEntry, outcome_now: str, chosen: dict[str, Any]) -> bool:
    """Whether an entry passes the filters of LedgerIndex.alerts."""
    one = entry.first
    every = [line for _, line in entry.lines]
    asked = chosen.get("quiet") or chosen.get("decision") or chosen.get("outcome") == "not_sent"
    seconds = to_datetime(one.at).timestamp()
    return (
        (bool(asked) or not is_quiet(entry))
        and chosen.get("decision") in (None, one.decision)
        and chosen.get("outcome") in (None, outcome_now)
        and chosen.get("run_id") in (None, every[0].run_id)
        and chosen.get("channel") in (None, f"{one.receiver}/{one.channel}" if one.channel else one.receiver)
        and any(chosen.get("target") in (None, line.target or f"{line.namespace}/{line.selector}") for line in every)
        and any(
            chosen.get("namespace") in (None, line.namespace) and chosen.get("selector") in (None, line.selector)
            for line in every
        )
        and (chosen.get("incident_id") is None or chosen["incident_id"] in entry.incident_ids)
        and (chosen.get("since") is None or seconds >= chosen["since"])
        and (chosen.get("until") is None or seconds <= chosen["until"])
    )


def message(entry: PlainEntry) -> str | None:
    """What was said: really, then what went through, then the newest."""
    said = [(not line.dry_run, line.outcome in DELIVERED, n) for n, line in entry.lines if line.message]
    return dict(entry.lines)[max(said)[2]].message if said else None
